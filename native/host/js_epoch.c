/* `native`: openEpoch, sealRecord and the Epoch handle. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "js.h"
#include "js_handles.h"
#include "log.h"
#include "runtime.h"

#define RECORD_BYTES_MAX 16384

static JSClassID epoch_class;

bool js_nonce_fields(JSContext *ctx, JSValueConst at, struct nonce_fields *fields) {
  uint64_t stream;
  uint64_t boot;
  uint64_t epoch;
  if (!js_uint_member(ctx, at, "at", "stream", UINT8_MAX, &stream) ||
      !js_uint_member(ctx, at, "at", "boot", UINT32_MAX, &boot) ||
      !js_uint_member(ctx, at, "at", "epoch", UINT32_MAX, &epoch) ||
      !js_uint_member(ctx, at, "at", "seq", 9007199254740991u, &fields->seq))
    return false;
  fields->stream = (uint8_t)stream;
  fields->boot = (uint32_t)boot;
  fields->epoch = (uint32_t)epoch;
  return true;
}

/* ---- epochs ---- */

static void close_epoch(struct epoch *epoch) {
  epoch_wipe(epoch);
  free(epoch);
}

static void finalize_epoch(JSRuntime *runtime, JSValue value) {
  struct epoch *epoch = JS_GetOpaque(value, epoch_class);
  (void)runtime;
  if (epoch == NULL)
    return;
  if (!runtime_exiting())
    log_line(LOG_ERROR, "defect: an Epoch was dropped without being closed");
  close_epoch(epoch);
}

struct epoch *js_epoch(JSContext *ctx, JSValueConst value) {
  struct epoch *epoch = JS_GetOpaque(value, epoch_class);
  if (epoch == NULL)
    JS_ThrowTypeError(ctx, "epoch: an open Epoch is expected");
  return epoch;
}

static JSValue js_open_epoch(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  uint8_t keys[RECIPIENTS_MAX][KEY_BYTES];
  uint32_t count;
  if (!js_array(ctx, argv[0], "recipients", RECIPIENTS_MAX, &count))
    return JS_EXCEPTION;
  if (count == 0)
    return JS_ThrowRangeError(ctx, "recipients: at least one is expected");
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *key;
    JSValue value = JS_GetPropertyUint32(ctx, argv[0], i);
    bool good = js_exact_bytes(ctx, value, "recipient", KEY_BYTES, &key);
    if (good)
      memcpy(keys[i], key, KEY_BYTES);
    JS_FreeValue(ctx, value);
    if (!good)
      return JS_EXCEPTION;
  }
  struct epoch *epoch = calloc(1, sizeof *epoch);
  if (epoch == NULL)
    abort();
  if (!epoch_open(epoch, (const uint8_t(*)[KEY_BYTES])keys, count)) {
    close_epoch(epoch);
    return js_new_error(ctx, "low-order-key", "a recipient's public key is a low-order point");
  }
  JSValue object = JS_NewObjectClass(ctx, (int)epoch_class);
  if (JS_IsException(object)) {
    close_epoch(epoch);
    return object;
  }
  JS_SetOpaque(object, epoch);
  return object;
}

static JSValue js_epoch_ephemeral(JSContext *ctx, JSValueConst this) {
  struct epoch *epoch = js_epoch(ctx, this);
  return epoch == NULL ? JS_EXCEPTION : js_new_bytes(ctx, epoch->ephemeral, KEY_BYTES);
}

static JSValue js_epoch_close(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx;
  (void)argc;
  (void)argv;
  struct epoch *epoch = JS_GetOpaque(this, epoch_class);
  if (epoch != NULL) {
    JS_SetOpaque(this, NULL);
    close_epoch(epoch);
  }
  return JS_UNDEFINED;
}

/* ---- records ---- */

static JSValue js_seal_record(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct nonce_fields fields;
  struct bytes plain;
  uint8_t nonce[NONCE_BYTES];
  uint8_t key[KEY_BYTES];
  uint8_t body_key[KEY_BYTES];
  uint8_t commitment[KEY_BYTES];
  uint8_t wraps[RECIPIENTS_MAX * WRAP_BYTES];
  static uint8_t box[RECORD_BYTES_MAX + TAG_BYTES];
  if (!js_nonce_fields(ctx, argv[1], &fields))
    return JS_EXCEPTION;
  if (fields.stream != 0)
    return JS_ThrowRangeError(ctx, "at: a record has stream 0");
  const struct epoch *epoch = js_epoch(ctx, argv[0]);
  if (epoch == NULL || !js_bytes(ctx, argv[2], "plain", RECORD_BYTES_MAX, &plain))
    return JS_EXCEPTION;
  crypto_nonce(nonce, NONCE_RECORD_WRAP, &fields, 0);
  crypto_object_key(key, nonce);
  epoch_wrap(epoch, key, nonce, wraps);
  crypto_subkey(commitment, key, "commitment");
  crypto_subkey(body_key, key, "body");
  crypto_nonce(nonce, NONCE_BODY, &fields, 0);
  crypto_secretbox_easy(box, plain.data, plain.size, nonce, body_key);
  sodium_memzero(key, sizeof key);
  sodium_memzero(body_key, sizeof body_key);
  JSValue sealed = JS_NewObject(ctx);
  if (JS_IsException(sealed))
    return sealed;
  js_set(ctx, sealed, "wraps", js_new_bytes_list(ctx, wraps, WRAP_BYTES, epoch->recipients));
  js_set(ctx, sealed, "commitment", js_new_bytes(ctx, commitment, sizeof commitment));
  js_set(ctx, sealed, "box", js_new_bytes(ctx, box, plain.size + TAG_BYTES));
  return sealed;
}

static const JSCFunctionListEntry epoch_members[] = {
    JS_CGETSET_DEF("ephemeral", js_epoch_ephemeral, NULL),
    JS_CFUNC_DEF("close", 0, js_epoch_close),
};

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("openEpoch", 1, js_open_epoch),
    JS_CFUNC_DEF("sealRecord", 3, js_seal_record),
};

void js_epoch_install(JSContext *ctx, JSValueConst native) {
  static const JSClassDef definition = {.class_name = "Epoch", .finalizer = finalize_epoch};
  js_class(ctx, &epoch_class, &definition, epoch_members,
           sizeof epoch_members / sizeof *epoch_members);
  JS_SetPropertyFunctionList(ctx, native, functions, sizeof functions / sizeof *functions);
}
