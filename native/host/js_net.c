/* `native`: setTlsTime, connect and the Connection handle. */
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "js.h"
#include "js_handles.h"
#include "log.h"
#include "runtime.h"
#include "tls.h"

#define CONNECTIONS_MAX 8
#define TIMEOUT_MS_MAX 3600000u

enum event { ON_OPEN, ON_DATA, ON_DRAIN, ON_CLOSED, EVENTS };
static const char *const event_names[EVENTS] = {"open", "data", "drain", "closed"};

/* What a handle stands for: owned by it until it is closed, or by a callback that runs. */
struct js_connection {
  struct js_connection *next; /* of all that are not closed */
  struct connection *connection;
  JSContext *ctx;
  JSValue object; /* the handle; borrowed */
  JSValue on;
  JSValue callbacks[EVENTS];
  uint32_t references;
  bool closed; /* by close(), or garbage */
  bool ended;  /* `closed` was called */
};

static JSClassID class_id;
static struct js_connection *handles;

/* ---- closing ---- */

static void release(struct js_connection *handle) {
  if (--handle->references == 0)
    free(handle);
}

static void forget_callbacks(struct js_connection *handle, JSRuntime *runtime) {
  JS_FreeValueRT(runtime, handle->on);
  for (int i = 0; i < EVENTS; i++)
    JS_FreeValueRT(runtime, handle->callbacks[i]);
}

static void close_handle(struct js_connection *handle, JSRuntime *runtime, bool flush) {
  if (handle->closed)
    return;
  handle->closed = true;
  struct js_connection **at = &handles;
  while (*at != handle)
    at = &(*at)->next;
  *at = handle->next;
  JS_SetOpaque(handle->object, NULL);
  connection_close(handle->connection, flush);
  forget_callbacks(handle, runtime);
  release(handle);
}

static void finalize(JSRuntime *runtime, JSValue value) {
  struct js_connection *handle = JS_GetOpaque(value, class_id);
  if (handle == NULL)
    return;
  if (!handle->ended && !runtime_exiting())
    log_line(LOG_ERROR, "defect: a Connection was dropped without being closed");
  close_handle(handle, runtime, false);
}

/* ---- events ---- */

static void call(struct js_connection *handle, enum event event, int count, JSValue *arguments) {
  handle->references++;
  runtime_call(handle->callbacks[event], handle->on, count, arguments);
  release(handle);
}

static void on_open(void *owner, const struct connection_info *info) {
  struct js_connection *handle = owner;
  JSValue value = JS_NewObject(handle->ctx);
  js_set(handle->ctx, value, "version", JS_NewString(handle->ctx, info->version));
  js_set(handle->ctx, value, "cipher", JS_NewString(handle->ctx, info->cipher));
  js_set(handle->ctx, value, "resumed", JS_NewBool(handle->ctx, info->resumed));
  call(handle, ON_OPEN, 1, &value);
}

static void on_data(void *owner, const uint8_t *data, size_t bytes) {
  struct js_connection *handle = owner;
  JSValue value = js_new_bytes(handle->ctx, data, bytes);
  call(handle, ON_DATA, 1, &value);
}

static void on_drain(void *owner) { call(owner, ON_DRAIN, 0, NULL); }

static void on_closed(void *owner, const char *code, const char *text) {
  struct js_connection *handle = owner;
  handle->ended = true;
  JSValue value = code == NULL ? JS_NULL : js_new_error(handle->ctx, code, text);
  call(handle, ON_CLOSED, 1, &value);
}

static const struct connection_events events = {on_open, on_data, on_drain, on_closed};

/* ---- the handle ---- */

static struct js_connection *get(JSContext *ctx, JSValueConst value) {
  struct js_connection *handle = JS_GetOpaque(value, class_id);
  if (handle == NULL)
    JS_ThrowTypeError(ctx, "connection: an open Connection is expected");
  return handle;
}

static JSValue js_write(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  struct bytes bytes;
  struct js_connection *handle = get(ctx, this);
  if (handle == NULL || !js_bytes(ctx, argv[0], "bytes", SIZE_MAX / 4, &bytes))
    return JS_EXCEPTION;
  if (!connection_write(handle->connection, bytes.data, bytes.size))
    return JS_ThrowRangeError(ctx, "bytes: more than 65,536 would wait");
  return JS_UNDEFINED;
}

static JSValue js_send_segment(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  struct js_connection *handle = get(ctx, this);
  struct segment *segment = handle == NULL ? NULL : js_segment(ctx, argv[0]);
  if (segment == NULL)
    return JS_EXCEPTION;
  if (!segment_has_head(segment))
    return JS_ThrowTypeError(ctx, "segment: it has no head yet");
  if (!connection_send_segment(handle->connection, segment))
    return JS_ThrowRangeError(ctx, "segment: another one is being sent");
  return JS_UNDEFINED;
}

static JSValue js_pause(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  bool paused;
  struct js_connection *handle = get(ctx, this);
  if (handle == NULL || !js_bool(ctx, argv[0], "paused", &paused))
    return JS_EXCEPTION;
  connection_pause(handle->connection, paused);
  return JS_UNDEFINED;
}

static JSValue js_close(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  bool flush = false;
  if (!JS_IsUndefined(argv[0]) && !js_bool(ctx, argv[0], "flush", &flush))
    return JS_EXCEPTION;
  struct js_connection *handle = JS_GetOpaque(this, class_id);
  if (handle != NULL)
    close_handle(handle, JS_GetRuntime(ctx), flush);
  return JS_UNDEFINED;
}

enum figure { WAITING_BYTES, WIRE_BYTES_IN, WIRE_BYTES_OUT };

static JSValue js_figure(JSContext *ctx, JSValueConst this, int which) {
  const struct js_connection *handle = get(ctx, this);
  if (handle == NULL)
    return JS_EXCEPTION;
  uint64_t bytes = which == WAITING_BYTES   ? connection_waiting_bytes(handle->connection)
                   : which == WIRE_BYTES_IN ? connection_wire_bytes_in(handle->connection)
                                            : connection_wire_bytes_out(handle->connection);
  return JS_NewInt64(ctx, (int64_t)bytes);
}

/* ---- connecting ---- */

/* The connection's arguments. */
struct target {
  const char *host; /* these two with JS_FreeCString */
  const char *ca_pem;
  size_t host_bytes;
  size_t ca_pem_bytes;
  uint64_t port;
  uint64_t timeout_ms;
};

static void free_target(JSContext *ctx, struct target *target) {
  JS_FreeCString(ctx, target->host);
  JS_FreeCString(ctx, target->ca_pem);
}

static const char *string_member(JSContext *ctx, JSValueConst object, const char *member,
                                 size_t *bytes) {
  JSValue value = js_member(ctx, object, "to", member);
  const char *string = JS_IsException(value) ? NULL : js_string(ctx, value, member, bytes);
  JS_FreeValue(ctx, value);
  return string;
}

/* False after it has thrown. */
static bool take_target(JSContext *ctx, JSValueConst to, struct target *target) {
  *target = (struct target){0};
  target->host = string_member(ctx, to, "host", &target->host_bytes);
  if (target->host == NULL)
    return false;
  target->ca_pem = string_member(ctx, to, "caPem", &target->ca_pem_bytes);
  if (target->ca_pem == NULL || !js_uint_member(ctx, to, "to", "port", 65535, &target->port) ||
      !js_uint_member(ctx, to, "to", "timeoutMs", TIMEOUT_MS_MAX, &target->timeout_ms))
    return false;
  if (target->port > 0 && target->host_bytes > 0 && target->host_bytes <= TLS_HOST_BYTES &&
      strlen(target->host) == target->host_bytes)
    return true;
  JS_ThrowRangeError(ctx, "to: no host or port");
  return false;
}

/* False after it has thrown, with nothing to free. */
static bool take_callbacks(JSContext *ctx, JSValueConst on, struct js_connection *handle) {
  bool good = true;
  for (int i = 0; i < EVENTS; i++)
    handle->callbacks[i] = JS_UNDEFINED;
  for (int i = 0; i < EVENTS && good; i++) {
    handle->callbacks[i] = js_member(ctx, on, "on", event_names[i]);
    good = !JS_IsException(handle->callbacks[i]) &&
           js_function(ctx, handle->callbacks[i], event_names[i]);
  }
  handle->on = good ? JS_DupValue(ctx, on) : JS_UNDEFINED;
  if (!good)
    forget_callbacks(handle, JS_GetRuntime(ctx));
  return good;
}

/* Those that have not ended. */
static uint32_t count_open(void) {
  uint32_t count = 0;
  for (const struct js_connection *each = handles; each != NULL; each = each->next)
    count += each->ended ? 0 : 1;
  return count;
}

static JSValue js_connect(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct target target;
  struct js_connection *handle = calloc(1, sizeof *handle);
  if (handle == NULL)
    abort();
  JSValue object = JS_UNDEFINED;
  bool good = take_target(ctx, argv[0], &target) && take_callbacks(ctx, argv[1], handle);
  if (good && count_open() >= CONNECTIONS_MAX) {
    JS_ThrowRangeError(ctx, "connect: %d connections are open", CONNECTIONS_MAX);
    forget_callbacks(handle, JS_GetRuntime(ctx));
    good = false;
  }
  if (good)
    object = JS_NewObjectClass(ctx, (int)class_id);
  if (JS_IsException(object)) {
    forget_callbacks(handle, JS_GetRuntime(ctx));
    good = false;
  }
  if (!good) {
    free_target(ctx, &target);
    free(handle);
    return JS_EXCEPTION;
  }
  handle->references = 1;
  handle->ctx = ctx;
  handle->object = object;
  handle->connection = connection_open(target.host, (uint16_t)target.port,
                                       tls_authority_hold(target.ca_pem, target.ca_pem_bytes),
                                       (uint32_t)target.timeout_ms, &events, handle);
  handle->next = handles;
  handles = handle;
  JS_SetOpaque(object, handle);
  free_target(ctx, &target);
  return object;
}

static JSValue js_set_tls_time(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  uint64_t seconds;
  bool known;
  if (!js_uint(ctx, argv[0], "seconds", 253402300799u /* the last second of 9999 */, &seconds) ||
      !js_bool(ctx, argv[1], "known", &known))
    return JS_EXCEPTION;
  tls_set_time((int64_t)seconds, known);
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry members[] = {
    JS_CGETSET_MAGIC_DEF("waitingBytes", js_figure, NULL, WAITING_BYTES),
    JS_CGETSET_MAGIC_DEF("wireBytesIn", js_figure, NULL, WIRE_BYTES_IN),
    JS_CGETSET_MAGIC_DEF("wireBytesOut", js_figure, NULL, WIRE_BYTES_OUT),
    JS_CFUNC_DEF("write", 1, js_write),
    JS_CFUNC_DEF("sendSegment", 1, js_send_segment),
    JS_CFUNC_DEF("pause", 1, js_pause),
    JS_CFUNC_DEF("close", 1, js_close),
};

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("setTlsTime", 2, js_set_tls_time),
    JS_CFUNC_DEF("connect", 2, js_connect),
};

void js_net_install(JSContext *ctx, JSValueConst native) {
  static const JSClassDef definition = {.class_name = "Connection", .finalizer = finalize};
  js_class(ctx, &class_id, &definition, members, sizeof members / sizeof *members);
  JS_SetPropertyFunctionList(ctx, native, functions, sizeof functions / sizeof *functions);
}

void js_net_release(JSContext *ctx) {
  while (handles != NULL)
    close_handle(handles, JS_GetRuntime(ctx), false);
  connection_stop_all();
}
