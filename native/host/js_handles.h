/*
 * What stands behind a handle of JavaScript, for the parts of `native` that take another's handle.
 * The pointers are good until JavaScript runs again, which might close the handle.
 */
#ifndef OCELLUS_HOST_JS_HANDLES_H
#define OCELLUS_HOST_JS_HANDLES_H

#include <quickjs.h>

#include "encoder.h"
#include "epoch.h"
#include "segment.h"

/* NULL after TypeError: no such handle, or closed. */
struct encoder *js_encoder(JSContext *ctx, JSValueConst value);
struct epoch *js_epoch(JSContext *ctx, JSValueConst value);
struct segment *js_segment(JSContext *ctx, JSValueConst value);

/* Reads a NonceFields. False after it has thrown. */
bool js_nonce_fields(JSContext *ctx, JSValueConst at, struct nonce_fields *fields);

#endif
