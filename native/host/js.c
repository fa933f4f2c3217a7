#include "js.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAFE_INTEGER_MAX 9007199254740991.0 /* 2^53 - 1 */

static bool view(JSContext *ctx, JSValueConst value, const char *what, uint8_t **data,
                 size_t *size) {
  size_t offset;
  size_t length;
  size_t element;
  size_t whole;
  JSValue buffer = JS_GetTypedArrayBuffer(ctx, value, &offset, &length, &element);
  if (JS_IsException(buffer)) {
    JS_FreeValue(ctx, JS_GetException(ctx));
    JS_ThrowTypeError(ctx, "%s: a Uint8Array is expected", what);
    return false;
  }
  uint8_t *base = JS_GetArrayBuffer(ctx, &whole, buffer);
  JS_FreeValue(ctx, buffer); /* the view holds it */
  if (base == NULL)
    JS_FreeValue(ctx, JS_GetException(ctx));
  if (element != 1 || (base == NULL && length > 0) || offset > whole || length > whole - offset) {
    JS_ThrowTypeError(ctx, "%s: a Uint8Array is expected", what);
    return false;
  }
  static uint8_t nothing;
  *data = base == NULL ? &nothing : base + offset;
  *size = length;
  return true;
}

bool js_bytes(JSContext *ctx, JSValueConst value, const char *what, size_t most,
              struct bytes *out) {
  uint8_t *data;
  if (!view(ctx, value, what, &data, &out->size))
    return false;
  out->data = data;
  if (out->size <= most)
    return true;
  JS_ThrowRangeError(ctx, "%s: %lu bytes, at most %lu are taken", what, (unsigned long)out->size,
                     (unsigned long)most);
  return false;
}

bool js_exact_bytes(JSContext *ctx, JSValueConst value, const char *what, size_t size,
                    const uint8_t **out) {
  uint8_t *data;
  size_t actual;
  if (!view(ctx, value, what, &data, &actual))
    return false;
  *out = data;
  if (actual == size)
    return true;
  JS_ThrowRangeError(ctx, "%s: %lu bytes, not %lu", what, (unsigned long)actual,
                     (unsigned long)size);
  return false;
}

bool js_writable_bytes(JSContext *ctx, JSValueConst value, const char *what, uint8_t **data,
                       size_t *size) {
  return view(ctx, value, what, data, size);
}

bool js_uint(JSContext *ctx, JSValueConst value, const char *what, uint64_t most, uint64_t *out) {
  double number;
  if (!JS_IsNumber(value)) {
    JS_ThrowTypeError(ctx, "%s: a number is expected", what);
    return false;
  }
  if (JS_ToFloat64(ctx, &number, value) != 0)
    return false;
  if (!(number >= 0 && number <= SAFE_INTEGER_MAX && number == floor(number)) ||
      (uint64_t)number > most) {
    JS_ThrowRangeError(ctx, "%s: a whole number from 0 to %llu is expected", what,
                       (unsigned long long)most);
    return false;
  }
  *out = (uint64_t)number;
  return true;
}

bool js_bool(JSContext *ctx, JSValueConst value, const char *what, bool *out) {
  if (!JS_IsBool(value)) {
    JS_ThrowTypeError(ctx, "%s: true or false is expected", what);
    return false;
  }
  *out = JS_ToBool(ctx, value) != 0;
  return true;
}

bool js_function(JSContext *ctx, JSValueConst value, const char *what) {
  if (JS_IsFunction(ctx, value))
    return true;
  JS_ThrowTypeError(ctx, "%s: a function is expected", what);
  return false;
}

const char *js_string(JSContext *ctx, JSValueConst value, const char *what, size_t *bytes) {
  if (JS_IsString(value))
    return JS_ToCStringLen(ctx, bytes, value);
  JS_ThrowTypeError(ctx, "%s: a string is expected", what);
  return NULL;
}

JSValue js_member(JSContext *ctx, JSValueConst object, const char *what, const char *member) {
  if (!JS_IsObject(object))
    return JS_ThrowTypeError(ctx, "%s: an object is expected", what);
  return JS_GetPropertyStr(ctx, object, member);
}

bool js_uint_member(JSContext *ctx, JSValueConst object, const char *what, const char *member,
                    uint64_t most, uint64_t *out) {
  JSValue value = js_member(ctx, object, what, member);
  bool good = !JS_IsException(value) && js_uint(ctx, value, member, most, out);
  JS_FreeValue(ctx, value);
  return good;
}

bool js_array(JSContext *ctx, JSValueConst value, const char *what, uint32_t most,
              uint32_t *length) {
  uint64_t count;
  if (!JS_IsArray(ctx, value)) {
    JS_ThrowTypeError(ctx, "%s: an array is expected", what);
    return false;
  }
  JSValue number = JS_GetPropertyStr(ctx, value, "length");
  bool good = !JS_IsException(number) && js_uint(ctx, number, what, most, &count);
  JS_FreeValue(ctx, number);
  if (good)
    *length = (uint32_t)count;
  return good;
}

JSValue js_new_bytes(JSContext *ctx, const void *data, size_t size) {
  static const uint8_t nothing;
  JSValue buffer = JS_NewArrayBufferCopy(ctx, size == 0 ? &nothing : data, size);
  if (JS_IsException(buffer))
    return buffer;
  /* The engine looks at three arguments whatever it is told of their number. */
  JSValueConst arguments[] = {buffer, JS_UNDEFINED, JS_UNDEFINED};
  JSValue array = JS_NewTypedArray(ctx, 3, arguments, JS_TYPED_ARRAY_UINT8);
  JS_FreeValue(ctx, buffer);
  return array;
}

JSValue js_new_bytes_list(JSContext *ctx, const uint8_t *bytes, uint32_t each, uint32_t count) {
  JSValue array = JS_NewArray(ctx);
  for (uint32_t i = 0; i < count && !JS_IsException(array); i++)
    JS_SetPropertyUint32(ctx, array, i, js_new_bytes(ctx, bytes + (size_t)i * each, each));
  return array;
}

void js_class(JSContext *ctx, JSClassID *id, const JSClassDef *definition,
              const JSCFunctionListEntry *members, int count) {
  JS_NewClassID(id);
  if (JS_NewClass(JS_GetRuntime(ctx), *id, definition) != 0)
    abort();
  JSValue prototype = JS_NewObject(ctx);
  JS_SetPropertyFunctionList(ctx, prototype, members, count);
  JS_SetClassProto(ctx, *id, prototype);
}

void js_set(JSContext *ctx, JSValueConst object, const char *member, JSValue value) {
  JS_DefinePropertyValueStr(ctx, object, member, value, JS_PROP_C_W_E);
}

JSValue js_new_error(JSContext *ctx, const char *code, const char *text) {
  JSValue error = JS_NewObject(ctx);
  if (JS_IsException(error))
    return error;
  js_set(ctx, error, "error", JS_NewString(ctx, code));
  js_set(ctx, error, "text", js_new_text(ctx, (const uint8_t *)text, strlen(text)));
  return error;
}

/* Length of the well-formed sequence at the start, or 0 and how many bytes are malformed: the
 * longest start of a well-formed sequence, or one byte (Unicode 15, table 3-7 and section 3.9). */
static size_t sequence(const uint8_t *data, size_t size, size_t *bad) {
  uint8_t lead = data[0];
  uint8_t low = 0x80;
  uint8_t high = 0xbf;
  size_t length;
  *bad = 1;
  if (lead < 0x80)
    return 1;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    low = lead == 0xe0 ? 0xa0 : low;
    high = lead == 0xed ? 0x9f : high;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    low = lead == 0xf0 ? 0x90 : low;
    high = lead == 0xf4 ? 0x8f : high;
  } else {
    return 0;
  }
  for (size_t i = 1; i < length; i++) {
    if (i == size || data[i] < low || data[i] > high)
      return 0;
    *bad = i + 1;
    low = 0x80;
    high = 0xbf;
  }
  return length;
}

JSValue js_new_text(JSContext *ctx, const uint8_t *data, size_t size) {
  size_t at = 0;
  size_t bad = 0;
  size_t length;
  while (at < size && (length = sequence(data + at, size - at, &bad)) > 0)
    at += length;
  if (at == size)
    return JS_NewStringLen(ctx, (const char *)data, size);
  /* A malformed byte becomes three at most. */
  char *clean = js_malloc(ctx, size * 3);
  if (clean == NULL)
    return JS_EXCEPTION;
  size_t out = 0;
  for (at = 0; at < size;) {
    length = sequence(data + at, size - at, &bad);
    if (length > 0) {
      memcpy(clean + out, data + at, length);
      out += length;
      at += length;
    } else {
      memcpy(clean + out, "\xef\xbf\xbd", 3);
      out += 3;
      at += bad;
    }
  }
  JSValue text = JS_NewStringLen(ctx, clean, out);
  js_free(ctx, clean);
  return text;
}
