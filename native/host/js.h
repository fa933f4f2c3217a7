/*
 * Between JavaScript and C: checked arguments in, fresh values out.
 *
 * Readers of arguments return false after they have thrown; `what` names the argument in the
 * sentence. None of them runs JavaScript, but js_member and js_element do where the caller made a
 * getter, so those come before any pointer is taken. Pointers to bytes are good until JavaScript
 * runs again.
 */
#ifndef OCELLUS_HOST_JS_H
#define OCELLUS_HOST_JS_H

#include <quickjs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- arguments ---- */

struct bytes {
  const uint8_t *data;
  size_t size;
};

/* A Uint8Array (or another view of single bytes) of at most `most` bytes: TypeError, RangeError. */
bool js_bytes(JSContext *ctx, JSValueConst value, const char *what, size_t most, struct bytes *out);

/* Likewise, of exactly `size` bytes. */
bool js_exact_bytes(JSContext *ctx, JSValueConst value, const char *what, size_t size,
                    const uint8_t **out);

/* The bytes themselves, to change them. */
bool js_writable_bytes(JSContext *ctx, JSValueConst value, const char *what, uint8_t **data,
                       size_t *size);

/* A whole number from 0 to `most` (at most 2^53 - 1): TypeError, RangeError. */
bool js_uint(JSContext *ctx, JSValueConst value, const char *what, uint64_t most, uint64_t *out);

/* true or false: TypeError for anything else. */
bool js_bool(JSContext *ctx, JSValueConst value, const char *what, bool *out);

/* A function: TypeError. */
bool js_function(JSContext *ctx, JSValueConst value, const char *what);

/* A string's UTF-8; free with JS_FreeCString. NULL after TypeError. */
const char *js_string(JSContext *ctx, JSValueConst value, const char *what, size_t *bytes);

/* A member of an argument object; free it. JS_EXCEPTION after TypeError where there is no object.
 */
JSValue js_member(JSContext *ctx, JSValueConst object, const char *what, const char *member);

/* js_uint of a member. */
bool js_uint_member(JSContext *ctx, JSValueConst object, const char *what, const char *member,
                    uint64_t most, uint64_t *out);

/* An array's length, 0 to `most`: TypeError, RangeError. */
bool js_array(JSContext *ctx, JSValueConst value, const char *what, uint32_t most,
              uint32_t *length);

/* ---- results ---- */

/* A new Uint8Array that holds a copy. */
JSValue js_new_bytes(JSContext *ctx, const void *data, size_t size);

/* An array of `count` such, cut from bytes joined. */
JSValue js_new_bytes_list(JSContext *ctx, const uint8_t *bytes, uint32_t each, uint32_t count);

/* A NativeError. `code` is one of NativeErrorCode. */
JSValue js_new_error(JSContext *ctx, const char *code, const char *text);

/* Sets an own member of a new object (consumes `value`). */
void js_set(JSContext *ctx, JSValueConst object, const char *member, JSValue value);

/* A string of UTF-8 in which every malformed part becomes U+FFFD (WHATWG Encoding, "UTF-8 decoder",
 * without its treatment of a byte-order mark). */
JSValue js_new_text(JSContext *ctx, const uint8_t *data, size_t size);

/* Registers a class of handles with these members on its prototype. What a handle stands for is its
 * opaque pointer, set to NULL by whoever closes it: only the handle has that pointer, so nothing
 * can be released twice. */
void js_class(JSContext *ctx, JSClassID *id, const JSClassDef *definition,
              const JSCFunctionListEntry *members, int count);

/* ---- the parts of `native`: each adds its functions to the object ---- */

#include "options.h"

void js_process_install(JSContext *ctx, JSValueConst native, const struct options *options);
void js_timers_install(JSContext *ctx, JSValueConst native);
void js_state_install(JSContext *ctx, JSValueConst native);
void js_crypto_install(JSContext *ctx, JSValueConst native);
void js_encoder_install(JSContext *ctx, JSValueConst native, const char *door);
void js_epoch_install(JSContext *ctx, JSValueConst native);
void js_segment_install(JSContext *ctx, JSValueConst native);
void js_net_install(JSContext *ctx, JSValueConst native);

/* Lets go of every JavaScript value that C holds and closes what is open, before runtime_close. */
void js_process_release(JSContext *ctx);
void js_timers_release(JSContext *ctx);
void js_encoder_release(JSContext *ctx);
void js_net_release(JSContext *ctx);

#endif
