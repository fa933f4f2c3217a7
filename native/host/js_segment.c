/* `native`: openSegment and the Segment handle. */
#include <stdlib.h>
#include <string.h>

#include "js.h"
#include "js_handles.h"
#include "log.h"
#include "runtime.h"

#define FRAMES_MAX ENCODER_FRAMES

static JSClassID segment_class;

static void finalize_segment(JSRuntime *runtime, JSValue value) {
  struct segment *segment = JS_GetOpaque(value, segment_class);
  (void)runtime;
  if (segment == NULL)
    return;
  if (!runtime_exiting())
    log_line(LOG_ERROR, "defect: a Segment was dropped without being closed");
  segment_release(segment);
}

struct segment *js_segment(JSContext *ctx, JSValueConst value) {
  struct segment *segment = JS_GetOpaque(value, segment_class);
  if (segment == NULL)
    JS_ThrowTypeError(ctx, "segment: an open Segment is expected");
  return segment;
}

static JSValue js_open_segment(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct nonce_fields fields;
  if (!js_nonce_fields(ctx, argv[1], &fields))
    return JS_EXCEPTION;
  const struct epoch *epoch = js_epoch(ctx, argv[0]);
  if (epoch == NULL)
    return JS_EXCEPTION;
  JSValue object = JS_NewObjectClass(ctx, (int)segment_class);
  if (JS_IsException(object))
    return object;
  struct segment *segment = segment_open(epoch, &fields);
  if (segment == NULL)
    abort();
  JS_SetOpaque(object, segment);
  return object;
}

/* What an array of Frame names. */
struct names {
  uint32_t count;
  uint32_t seq[FRAMES_MAX];
  uint32_t bytes[FRAMES_MAX];
};

/* Reads an array of Frame. False after it has thrown. */
static bool take_names(JSContext *ctx, JSValueConst array, struct names *names) {
  if (!js_array(ctx, array, "frames", FRAMES_MAX, &names->count))
    return false;
  for (uint32_t i = 0; i < names->count; i++) {
    uint64_t seq = 0;
    uint64_t bytes = 0;
    JSValue frame = JS_GetPropertyUint32(ctx, array, i);
    bool good = !JS_IsException(frame) &&
                js_uint_member(ctx, frame, "frame", "seq", UINT32_MAX, &seq) &&
                js_uint_member(ctx, frame, "frame", "bytes", UINT32_MAX, &bytes);
    JS_FreeValue(ctx, frame);
    if (!good)
      return false;
    names->seq[i] = (uint32_t)seq;
    names->bytes[i] = (uint32_t)bytes;
  }
  return true;
}

/* The frames themselves. */
struct source {
  struct ring_reader *reader;
  struct ring_frame frames[FRAMES_MAX];
};

static bool copy_frame(void *opaque, uint32_t index, uint32_t offset, uint8_t *out,
                       uint32_t bytes) {
  struct source *source = opaque;
  return ring_read(source->reader, &source->frames[index], offset, out, bytes) == RING_OK;
}

/* Finds them all, or tells the worst that is wrong with one. */
static enum encoder_found find_frames(struct encoder *encoder, const struct names *names,
                                      struct source *source) {
  enum encoder_found worst = ENCODER_FOUND;
  source->reader = &encoder->client.reader;
  for (uint32_t i = 0; i < names->count; i++) {
    enum encoder_found found = encoder_find(encoder, names->seq[i], &source->frames[i]);
    if (found == ENCODER_FOUND && source->frames[i].bytes != names->bytes[i])
      found = ENCODER_UNKNOWN; /* a frame of another ring */
    if (found > worst)
      worst = found;
  }
  return worst;
}

static JSValue js_write_fragment(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  static struct source source;
  struct names names;
  struct bytes boxes;
  bool key;
  if (!take_names(ctx, argv[2], &names) || !js_bool(ctx, argv[3], "key", &key))
    return JS_EXCEPTION;
  /* From here on no JavaScript runs. */
  struct segment *segment = js_segment(ctx, this);
  struct encoder *encoder = segment == NULL ? NULL : js_encoder(ctx, argv[1]);
  if (encoder == NULL || !js_bytes(ctx, argv[0], "boxes", UINT32_MAX / 2, &boxes))
    return JS_EXCEPTION;
  if (segment_is_sealed(segment))
    return JS_ThrowTypeError(ctx, "segment: it is sealed");
  if (names.count == 0 && (key || boxes.size == 0))
    return JS_ThrowRangeError(ctx, "frames: nothing to write, or no key frame");
  enum encoder_found found = find_frames(encoder, &names, &source);
  if (found == ENCODER_UNKNOWN)
    return JS_ThrowRangeError(ctx, "frame: this encoder gave no such frame");
  if (found == ENCODER_PAST)
    return JS_NewString(ctx, "lapped");
  struct fragment fragment = {.boxes = boxes.data,
                              .boxes_bytes = (uint32_t)boxes.size,
                              .frame_bytes = names.bytes,
                              .frame_count = names.count,
                              .key = key,
                              .copy = copy_frame,
                              .source = &source};
  switch (segment_write(segment, &fragment)) {
  case SEGMENT_WRITTEN:
    return JS_NewString(ctx, "ok");
  case SEGMENT_FULL:
    return JS_NewString(ctx, "full");
  case SEGMENT_LAPPED:
    return JS_NewString(ctx, "lapped");
  case SEGMENT_TOO_LONG:
    return JS_NewString(ctx, "too-long");
  }
  abort();
}

static JSValue js_seal_metadata(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  static uint8_t box[METADATA_BYTES_MAX + TAG_BYTES];
  struct bytes plain;
  struct segment *segment = js_segment(ctx, this);
  if (segment == NULL || !js_bytes(ctx, argv[0], "plain", METADATA_BYTES_MAX, &plain))
    return JS_EXCEPTION;
  if (segment_is_sealed(segment) || segment_has_metadata(segment))
    return JS_ThrowTypeError(ctx, "segment: its metadata is sealed once, before the chunks");
  segment_seal_metadata(segment, plain.data, (uint32_t)plain.size, box);
  return js_new_bytes(ctx, box, plain.size + TAG_BYTES);
}

static JSValue chunk_list(JSContext *ctx, const struct segment *segment) {
  JSValue list = JS_NewObject(ctx);
  JSValue sealed = JS_NewArray(ctx);
  JSValue starts = JS_NewArray(ctx);
  JSValue keys = JS_NewArray(ctx);
  size_t hash_bytes = (size_t)segment_chunk_count(segment) * 32;
  uint8_t *hashes = js_malloc(ctx, hash_bytes);
  if (hashes == NULL)
    return JS_EXCEPTION; /* the heap is exhausted: the process ends with this turn */
  uint32_t index = 0;
  uint32_t fragment = 0;
  const struct chunk *chunk = NULL;
  while ((chunk = segment_next_chunk(segment, chunk)) != NULL) {
    memcpy(hashes + (size_t)index * 32, chunk->sha256, 32);
    JS_SetPropertyUint32(ctx, sealed, index, JS_NewInt64(ctx, chunk->sealed));
    if (chunk->starts_fragment) {
      JS_SetPropertyUint32(ctx, starts, fragment, JS_NewInt64(ctx, index));
      JS_SetPropertyUint32(ctx, keys, fragment, JS_NewInt64(ctx, chunk->key_chunks));
      fragment++;
    }
    index++;
  }
  js_set(ctx, list, "chunkBytes", sealed);
  js_set(ctx, list, "chunkSha256", js_new_bytes(ctx, hashes, hash_bytes));
  js_set(ctx, list, "fragmentChunk", starts);
  js_set(ctx, list, "fragmentKeyChunks", keys);
  js_free(ctx, hashes);
  return list;
}

static JSValue js_seal(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  (void)argv;
  struct segment *segment = js_segment(ctx, this);
  if (segment == NULL)
    return JS_EXCEPTION;
  if (segment_is_sealed(segment) || segment_chunk_count(segment) == 0)
    return JS_ThrowTypeError(ctx, "segment: it is sealed once, with at least one fragment");
  segment_seal(segment);
  return chunk_list(ctx, segment);
}

static JSValue js_attach_head(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)argc;
  struct bytes head;
  struct segment *segment = js_segment(ctx, this);
  if (segment == NULL || !js_bytes(ctx, argv[0], "head", HEAD_BYTES_MAX, &head))
    return JS_EXCEPTION;
  if (head.size == 0)
    return JS_ThrowRangeError(ctx, "head: it is empty");
  if (!segment_is_sealed(segment) || segment_has_head(segment))
    return JS_ThrowTypeError(ctx, "segment: its head is attached once, after seal");
  return JS_NewString(ctx,
                      segment_attach_head(segment, head.data, (uint32_t)head.size) ? "ok" : "full");
}

static JSValue js_segment_close(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)ctx;
  (void)argc;
  (void)argv;
  struct segment *segment = JS_GetOpaque(this, segment_class);
  if (segment != NULL) {
    JS_SetOpaque(this, NULL);
    segment_release(segment);
  }
  return JS_UNDEFINED;
}

enum figure { PLAIN_BYTES, OBJECT_BYTES, ARENA_BYTES };

static JSValue js_segment_figure(JSContext *ctx, JSValueConst this, int which) {
  const struct segment *segment = js_segment(ctx, this);
  if (segment == NULL)
    return JS_EXCEPTION;
  uint64_t bytes = which == PLAIN_BYTES    ? segment_plain_bytes(segment)
                   : which == OBJECT_BYTES ? segment_object_bytes(segment)
                                           : segment_arena_bytes(segment);
  return JS_NewInt64(ctx, (int64_t)bytes);
}

static JSValue js_segment_wraps(JSContext *ctx, JSValueConst this) {
  const struct segment *segment = js_segment(ctx, this);
  if (segment == NULL)
    return JS_EXCEPTION;
  return js_new_bytes_list(ctx, segment_wrap(segment, 0), WRAP_BYTES, segment_wrap_count(segment));
}

static JSValue js_segment_commitment(JSContext *ctx, JSValueConst this) {
  const struct segment *segment = js_segment(ctx, this);
  return segment == NULL ? JS_EXCEPTION : js_new_bytes(ctx, segment_commitment(segment), KEY_BYTES);
}

static const JSCFunctionListEntry segment_members[] = {
    JS_CGETSET_DEF("wraps", js_segment_wraps, NULL),
    JS_CGETSET_DEF("commitment", js_segment_commitment, NULL),
    JS_CGETSET_MAGIC_DEF("plainBytes", js_segment_figure, NULL, PLAIN_BYTES),
    JS_CGETSET_MAGIC_DEF("objectBytes", js_segment_figure, NULL, OBJECT_BYTES),
    JS_CGETSET_MAGIC_DEF("arenaBytes", js_segment_figure, NULL, ARENA_BYTES),
    JS_CFUNC_DEF("writeFragment", 4, js_write_fragment),
    JS_CFUNC_DEF("sealMetadata", 1, js_seal_metadata),
    JS_CFUNC_DEF("seal", 0, js_seal),
    JS_CFUNC_DEF("attachHead", 1, js_attach_head),
    JS_CFUNC_DEF("close", 0, js_segment_close),
};

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("openSegment", 2, js_open_segment),
};

void js_segment_install(JSContext *ctx, JSValueConst native) {
  static const JSClassDef definition = {.class_name = "Segment", .finalizer = finalize_segment};
  js_class(ctx, &segment_class, &definition, segment_members,
           sizeof segment_members / sizeof *segment_members);
  JS_SetPropertyFunctionList(ctx, native, functions, sizeof functions / sizeof *functions);
}
