/* `native`: the state directory and the provisioning file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "js.h"
#include "provision.h"
#include "state.h"

/* Secrets pass through here. */
static uint8_t buffer[STATE_FILE_BYTES];

static JSValue trouble(JSContext *ctx, enum state_result result, const char *what,
                       const char *name) {
  char text[160];
  if (result == STATE_TOO_LARGE) {
    snprintf(text, sizeof text, "%s %s: more than %d bytes", what, name, STATE_FILE_BYTES);
    return js_new_error(ctx, "too-large", text);
  }
  snprintf(text, sizeof text, "%s %s: %s", what, name, strerror(errno));
  return js_new_error(ctx, "io", text);
}

/* A state file's name; free with JS_FreeCString. NULL after TypeError or RangeError. */
static const char *take_name(JSContext *ctx, JSValueConst value) {
  size_t bytes;
  const char *name = js_string(ctx, value, "name", &bytes);
  if (name == NULL || state_name_ok(name, bytes))
    return name;
  JS_FreeCString(ctx, name);
  JS_ThrowRangeError(ctx, "name: no name of a state file");
  return NULL;
}

static JSValue js_read_state(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  size_t bytes;
  const char *name = take_name(ctx, argv[0]);
  if (name == NULL)
    return JS_EXCEPTION;
  enum state_result result = state_read(name, buffer, &bytes);
  JSValue value = JS_NULL;
  if (result == STATE_OK) {
    value = js_new_bytes(ctx, buffer, bytes);
    sodium_memzero(buffer, bytes);
  } else if (result != STATE_ABSENT) {
    value = trouble(ctx, result, "cannot read", name);
  }
  JS_FreeCString(ctx, name);
  return value;
}

static JSValue js_write_state(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct bytes bytes;
  const char *name = take_name(ctx, argv[0]);
  if (name == NULL)
    return JS_EXCEPTION;
  JSValue value = JS_UNDEFINED;
  if (!js_bytes(ctx, argv[1], "bytes", SIZE_MAX / 4, &bytes)) {
    value = JS_EXCEPTION;
  } else {
    enum state_result result = state_write(name, bytes.data, bytes.size);
    if (result != STATE_OK)
      value = trouble(ctx, result, "cannot write", name);
  }
  JS_FreeCString(ctx, name);
  return value;
}

static JSValue js_erase_state(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  const char *name = take_name(ctx, argv[0]);
  if (name == NULL)
    return JS_EXCEPTION;
  enum state_result result = state_erase(name);
  JSValue value = result == STATE_OK ? JS_UNDEFINED : trouble(ctx, result, "cannot erase", name);
  JS_FreeCString(ctx, name);
  return value;
}

static JSValue js_read_provisioning(JSContext *ctx, JSValueConst this, int argc,
                                    JSValueConst *argv) {
  (void)this;
  (void)argc;
  (void)argv;
  size_t bytes;
  enum state_result result = provision_read(buffer, &bytes);
  if (result == STATE_ABSENT)
    return JS_NULL;
  if (result == STATE_IO && errno == EACCES) {
    char text[160];
    snprintf(text, sizeof text,
             "cannot read the provisioning file: let user id %u read it and enter its directories",
             (unsigned)geteuid());
    return js_new_error(ctx, "io", text);
  }
  if (result != STATE_OK)
    return trouble(ctx, result, "cannot read", "the provisioning file");
  JSValue value = js_new_bytes(ctx, buffer, bytes);
  sodium_memzero(buffer, bytes);
  return value;
}

static JSValue js_close_provisioning(JSContext *ctx, JSValueConst this, int argc,
                                     JSValueConst *argv) {
  (void)ctx;
  (void)this;
  (void)argc;
  (void)argv;
  provision_close();
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("readState", 1, js_read_state),
    JS_CFUNC_DEF("writeState", 2, js_write_state),
    JS_CFUNC_DEF("eraseState", 1, js_erase_state),
    JS_CFUNC_DEF("readProvisioning", 0, js_read_provisioning),
    JS_CFUNC_DEF("closeProvisioning", 0, js_close_provisioning),
};

void js_state_install(JSContext *ctx, JSValueConst native) {
  JS_SetPropertyFunctionList(ctx, native, functions, sizeof functions / sizeof *functions);
}
