/* `native`: openEncoder and the Encoder handle. */
#include "js_handles.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "js.h"
#include "log.h"
#include "loop.h"
#include "runtime.h"
#include "timers.h"

/* Numbers of requests that could not be sent, apart from the door's own, which have 32 bits. */
#define UNSENT_FIRST (1ull << 32)

/* What a handle stands for. Counted: the handle holds one reference until it is closed, and a
 * callback that runs holds another. */
struct subscription {
  struct encoder encoder;
  struct loop_watch socket_watch;
  struct loop_watch wake_watch;
  struct timer answer_timer; /* armed until the encoder has answered */
  struct timer unsent_timer;
  uint64_t unsent_next; /* number the next unsent request gets */
  uint64_t unsent_told; /* first that JavaScript was not told of */
  uint32_t references;
  bool closed;
  JSContext *ctx;
  JSValue object; /* the handle; borrowed, until closed */
  JSValue on;     /* these four until closed */
  JSValue readable;
  JSValue reply;
  JSValue hung_up;
  struct subscription *next; /* of all that are not closed */
};

static JSClassID class_id;
static struct subscription *subscriptions;
static const char *door_path;

static void release(struct subscription *subscription) {
  if (--subscription->references == 0)
    free(subscription);
}

/* Gives everything back but the memory. */
static void close_subscription(struct subscription *subscription, JSRuntime *runtime) {
  if (subscription->closed)
    return;
  subscription->closed = true;
  struct subscription **at = &subscriptions;
  while (*at != subscription)
    at = &(*at)->next;
  *at = subscription->next;
  JS_SetOpaque(subscription->object, NULL);
  loop_remove(&subscription->socket_watch);
  loop_remove(&subscription->wake_watch);
  timer_disarm(&subscription->answer_timer);
  timer_disarm(&subscription->unsent_timer);
  encoder_close(&subscription->encoder);
  JS_FreeValueRT(runtime, subscription->on);
  JS_FreeValueRT(runtime, subscription->readable);
  JS_FreeValueRT(runtime, subscription->reply);
  JS_FreeValueRT(runtime, subscription->hung_up);
  release(subscription);
}

static void finalize(JSRuntime *runtime, JSValue value) {
  struct subscription *subscription = JS_GetOpaque(value, class_id);
  if (subscription == NULL)
    return;
  if (!runtime_exiting())
    log_line(LOG_ERROR, "defect: an Encoder was dropped without being closed");
  close_subscription(subscription, runtime);
}

static struct subscription *get(JSContext *ctx, JSValueConst value) {
  if (JS_GetOpaque(value, class_id) != NULL)
    return JS_GetOpaque(value, class_id);
  JS_ThrowTypeError(ctx, "encoder: an open Encoder is expected");
  return NULL;
}

struct encoder *js_encoder(JSContext *ctx, JSValueConst value) {
  struct subscription *subscription = get(ctx, value);
  return subscription == NULL ? NULL : &subscription->encoder;
}

/* ---- events ---- */

static void on_wake(void *owner, short revents) {
  struct subscription *subscription = owner;
  (void)revents;
  subscription->references++;
  door_client_woken(&subscription->encoder.client);
  runtime_call(subscription->readable, subscription->on, 0, NULL);
  release(subscription);
}

static void tell_reply(struct subscription *subscription, uint64_t id, const char *result) {
  JSValue arguments[] = {JS_NewInt64(subscription->ctx, (int64_t)id),
                         JS_NewString(subscription->ctx, result)};
  runtime_call(subscription->reply, subscription->on, 2, arguments);
}

/* `error`: an Error value or null; taken over. */
static void tell_closed(struct subscription *subscription, JSValue error) {
  loop_remove(&subscription->socket_watch);
  runtime_call(subscription->hung_up, subscription->on, 1, &error);
}

static JSValue trouble(JSContext *ctx, enum encoder_opening opening, const char *text) {
  return js_new_error(ctx, opening == ENCODER_BAD_RING ? "bad-ring" : "no-encoder", text);
}

/* It did not let us in, or did not say so in time. */
static void fail(struct subscription *subscription, enum encoder_opening opening,
                 const char *text) {
  timer_disarm(&subscription->answer_timer);
  loop_remove(&subscription->socket_watch);
  encoder_close(&subscription->encoder);
  tell_closed(subscription, trouble(subscription->ctx, opening, text));
}

static void on_silence(void *owner) {
  struct subscription *subscription = owner;
  char text[64];
  subscription->references++;
  snprintf(text, sizeof text, "the encoder did not answer within %d ms", ENCODER_HANDSHAKE_MS);
  fail(subscription, ENCODER_ABSENT, text);
  release(subscription);
}

static void take_answer(struct subscription *subscription) {
  char text[160];
  enum encoder_opening opening = encoder_answer(&subscription->encoder, text, sizeof text);
  if (opening == ENCODER_WAITING)
    return;
  if (opening != ENCODER_OPEN) {
    fail(subscription, opening, text);
    return;
  }
  timer_disarm(&subscription->answer_timer);
  subscription->wake_watch = (struct loop_watch){.fd = subscription->encoder.client.wake_fd,
                                                 .events = POLLIN,
                                                 .again = true, /* frames may be waiting */
                                                 .ready = on_wake,
                                                 .owner = subscription};
  /* Before the socket: frames are told of before the hang-up. */
  loop_remove(&subscription->socket_watch);
  loop_add(&subscription->wake_watch);
  loop_add(&subscription->socket_watch);
}

static void take_message(struct subscription *subscription) {
  static const char *const results[] = {"ok", "unsupported", "refused"};
  struct door_reply reply;
  switch (door_client_handle(&subscription->encoder.client, &reply)) {
  case DOOR_EVENT_NONE:
    break;
  case DOOR_EVENT_REPLY:
    tell_reply(subscription, reply.id, results[reply.result <= DOOR_REFUSED ? reply.result : 2]);
    break;
  case DOOR_EVENT_CLOSED:
    tell_closed(subscription, JS_NULL);
    break;
  default:
    log_line(LOG_WARNING, "the encoder does not speak the door's protocol");
    tell_closed(subscription, JS_NULL);
    break;
  }
}

static void on_socket(void *owner, short revents) {
  struct subscription *subscription = owner;
  (void)revents;
  subscription->references++;
  if (encoder_is_open(&subscription->encoder))
    take_message(subscription);
  else
    take_answer(subscription);
  release(subscription);
}

static void on_unsent(void *owner) {
  struct subscription *subscription = owner;
  subscription->references++;
  while (!subscription->closed && subscription->unsent_told < subscription->unsent_next &&
         !runtime_exiting())
    tell_reply(subscription, subscription->unsent_told++, "refused");
  release(subscription);
}

/* ---- the handle ---- */

static JSValue new_frame(JSContext *ctx, const struct ring_frame *frame) {
  JSValue value = JS_NewObject(ctx);
  if (JS_IsException(value))
    return value;
  js_set(ctx, value, "seq", JS_NewInt64(ctx, frame->seq));
  js_set(ctx, value, "bytes", JS_NewInt64(ctx, frame->bytes));
  js_set(ctx, value, "key", JS_NewBool(ctx, (frame->flags & RING_FRAME_KEY) != 0));
  js_set(ctx, value, "discontinuity",
         JS_NewBool(ctx, (frame->flags & RING_FRAME_DISCONTINUITY) != 0));
  js_set(ctx, value, "config", JS_NewInt64(ctx, frame->generation));
  js_set(ctx, value, "captureUs", JS_NewInt64(ctx, (int64_t)frame->capture_us));
  return value;
}

static JSValue js_next(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  (void)argv;
  struct ring_frame frame;
  uint32_t lost;
  struct subscription *subscription = get(ctx, this);
  if (subscription == NULL)
    return JS_EXCEPTION;
  switch (encoder_next(&subscription->encoder, &frame, &lost)) {
  case ENCODER_FRAME:
    return new_frame(ctx, &frame);
  case ENCODER_NONE:
    return JS_NULL;
  case ENCODER_ENDED:
    return JS_NewString(ctx, "ended");
  case ENCODER_LAPPED: {
    JSValue value = JS_NewObject(ctx);
    if (!JS_IsException(value))
      js_set(ctx, value, "lapped", JS_NewInt64(ctx, lost));
    return value;
  }
  case ENCODER_BROKEN:
    return js_new_error(ctx, "bad-ring", "the encoder's ring is cut short or contradicts itself");
  }
  abort();
}

/* The units of a list of parameter sets (ring.h): the first under `one`, others as an array under
 * `more`. */
static void set_units(JSContext *ctx, JSValueConst value, const char *one, const char *more,
                      const uint8_t *list, uint32_t count) {
  JSValue rest = count > 1 ? JS_NewArray(ctx) : JS_UNDEFINED;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t bytes = (uint32_t)list[0] << 8 | list[1];
    JSValue unit = js_new_bytes(ctx, list + 2, bytes);
    if (i == 0)
      js_set(ctx, value, one, unit);
    else
      JS_SetPropertyUint32(ctx, rest, i - 1, unit);
    list += 2 + bytes;
  }
  if (count > 1)
    js_set(ctx, value, more, rest);
}

static JSValue js_config(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  uint64_t generation;
  struct ring_config config;
  struct subscription *subscription = get(ctx, this);
  if (subscription == NULL || !js_uint(ctx, argv[0], "generation", UINT32_MAX, &generation))
    return JS_EXCEPTION;
  if (!encoder_is_open(&subscription->encoder) ||
      ring_config(&subscription->encoder.client.reader, (uint32_t)generation, &config) != RING_OK)
    return JS_NULL;
  JSValue value = JS_NewObject(ctx);
  if (JS_IsException(value))
    return value;
  js_set(ctx, value, "generation", JS_NewInt64(ctx, config.generation));
  set_units(ctx, value, "sps", "moreSps", config.sets, config.sps_count);
  set_units(ctx, value, "pps", "morePps", config.sets + config.sps_bytes, config.pps_count);
  js_set(ctx, value, "width", JS_NewInt64(ctx, config.width));
  js_set(ctx, value, "height", JS_NewInt64(ctx, config.height));
  js_set(ctx, value, "frameIntervalUs", JS_NewInt64(ctx, config.frame_interval_us));
  return value;
}

/* Fills the door's request. False after it has thrown. */
static bool make_request(JSContext *ctx, JSValueConst what, JSValueConst value,
                         struct door_request *request) {
  static const struct {
    const char *name;
    enum door_kind kind;
    uint64_t most;
    int32_t factor;
  } kinds[] = {
      {"keyFrame", DOOR_KEY_FRAME, INT32_MAX, 0},
      {"bitrate", DOOR_BITRATE, INT32_MAX / 1000, 1000},
      {"frameRate", DOOR_FRAME_RATE, 1000, 1},
      {"flip", DOOR_FLIP, 1, 1},
      {"night", DOOR_DAY_NIGHT, 1, 1},
  };
  const char *name = js_string(ctx, what, "what", NULL);
  if (name == NULL)
    return false;
  size_t i = 0;
  while (i < sizeof kinds / sizeof *kinds && strcmp(kinds[i].name, name) != 0)
    i++;
  JS_FreeCString(ctx, name);
  if (i == sizeof kinds / sizeof *kinds) {
    JS_ThrowRangeError(ctx, "what: no such request");
    return false;
  }
  uint64_t number;
  if (!js_uint(ctx, value, "value", kinds[i].most, &number))
    return false;
  *request = (struct door_request){.kind = kinds[i].kind};
  request->value[0] = (int32_t)number * kinds[i].factor;
  if (kinds[i].kind == DOOR_FRAME_RATE)
    request->value[1] = 1;
  if (kinds[i].kind == DOOR_FLIP) /* a camera mounted upside down: both ways */
    request->value[1] = request->value[0];
  return true;
}

static JSValue js_request(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  struct door_request request;
  struct subscription *subscription = get(ctx, this);
  if (subscription == NULL || !make_request(ctx, argv[0], argv[1], &request))
    return JS_EXCEPTION;
  uint64_t id = door_client_request(&subscription->encoder.client, &request);
  if (id == 0) {
    id = subscription->unsent_next++;
    timer_arm(&subscription->unsent_timer, 0, on_unsent, subscription);
  }
  return JS_NewInt64(ctx, (int64_t)id);
}

static JSValue js_close(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  (void)argv;
  struct subscription *subscription = JS_GetOpaque(this, class_id);
  if (subscription != NULL)
    close_subscription(subscription, JS_GetRuntime(ctx));
  return JS_UNDEFINED;
}

/* ---- opening ---- */

/* Takes the callbacks. False after it has thrown, with nothing to free. */
static bool take_callbacks(JSContext *ctx, JSValueConst on, struct subscription *subscription) {
  subscription->readable = js_member(ctx, on, "on", "readable");
  if (JS_IsException(subscription->readable))
    return false;
  subscription->reply = js_member(ctx, on, "on", "reply");
  subscription->hung_up = js_member(ctx, on, "on", "closed");
  if (js_function(ctx, subscription->readable, "on.readable") &&
      js_function(ctx, subscription->reply, "on.reply") &&
      js_function(ctx, subscription->hung_up, "on.closed")) {
    subscription->on = JS_DupValue(ctx, on);
    return true;
  }
  JS_FreeValue(ctx, subscription->readable);
  JS_FreeValue(ctx, subscription->reply);
  JS_FreeValue(ctx, subscription->hung_up);
  return false;
}

static void await_answer(struct subscription *subscription) {
  subscription->socket_watch = (struct loop_watch){.fd = subscription->encoder.client.socket_fd,
                                                   .events = POLLIN,
                                                   .ready = on_socket,
                                                   .owner = subscription};
  loop_add(&subscription->socket_watch);
  timer_arm(&subscription->answer_timer, ENCODER_HANDSHAKE_MS * 1000u, on_silence, subscription);
}

static JSValue js_open_encoder(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  uint64_t stream;
  char text[160];
  if (!js_uint(ctx, argv[0], "stream", UINT8_MAX, &stream))
    return JS_EXCEPTION;
  if (subscriptions != NULL && subscriptions->next != NULL && subscriptions->next->next != NULL &&
      subscriptions->next->next->next != NULL)
    return JS_ThrowRangeError(ctx, "four encoders are open");
  JSValue object = JS_NewObjectClass(ctx, (int)class_id);
  if (JS_IsException(object))
    return object;
  struct subscription *subscription = calloc(1, sizeof *subscription);
  if (subscription == NULL)
    abort();
  if (!take_callbacks(ctx, argv[1], subscription)) {
    JS_FreeValue(ctx, object);
    free(subscription);
    return JS_EXCEPTION;
  }
  enum encoder_opening opening =
      encoder_connect(&subscription->encoder, door_path, (uint32_t)stream, text, sizeof text);
  subscription->references = 1;
  subscription->unsent_next = UNSENT_FIRST;
  subscription->unsent_told = UNSENT_FIRST;
  subscription->ctx = ctx;
  subscription->object = object;
  subscription->next = subscriptions;
  subscriptions = subscription;
  if (opening == ENCODER_WAITING) {
    JS_SetOpaque(object, subscription);
    await_answer(subscription);
    return object;
  }
  close_subscription(subscription, JS_GetRuntime(ctx));
  JS_FreeValue(ctx, object);
  return trouble(ctx, opening, text);
}

static const JSCFunctionListEntry methods[] = {
    JS_CFUNC_DEF("next", 0, js_next),
    JS_CFUNC_DEF("config", 1, js_config),
    JS_CFUNC_DEF("request", 2, js_request),
    JS_CFUNC_DEF("close", 0, js_close),
};

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("openEncoder", 2, js_open_encoder),
};

void js_encoder_install(JSContext *ctx, JSValueConst native, const char *door) {
  static const JSClassDef definition = {.class_name = "Encoder", .finalizer = finalize};
  door_path = door;
  js_class(ctx, &class_id, &definition, methods, sizeof methods / sizeof *methods);
  JS_SetPropertyFunctionList(ctx, native, functions, sizeof functions / sizeof *functions);
}

void js_encoder_release(JSContext *ctx) {
  while (subscriptions != NULL)
    close_subscription(subscriptions, JS_GetRuntime(ctx));
}
