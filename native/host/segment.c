#include "segment.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

#define LAST_CHUNK 0x80000000u
#define PLAIN_BYTES_MAX 0x7fffffffu

struct segment {
  uint32_t references;
  struct nonce_fields fields;
  bool metadata_sealed;
  bool sealed;
  uint8_t media_key[KEY_BYTES];    /* secret, until sealed */
  uint8_t metadata_key[KEY_BYTES]; /* secret, until sealed */
  uint8_t commitment[KEY_BYTES];
  uint32_t first; /* units of chunks, or ARENA_NONE */
  uint32_t last;
  uint32_t chunk_count;
  uint32_t fragment_count;
  uint32_t plain_bytes;
  uint32_t sealed_bytes; /* of all chunks */
  uint32_t arena_bytes;
  uint32_t head; /* unit, or ARENA_NONE */
  uint32_t head_bytes;
  uint32_t wrap_count;
  uint8_t wraps[]; /* WRAP_BYTES each */
};

static void demand(bool truth) {
  if (!truth)
    abort();
}

/* ---- chunks ---- */

static uint32_t chunk_run(uint32_t sealed) { return (uint32_t)sizeof(struct chunk) + sealed; }

static uint8_t *chunk_tag(struct chunk *chunk) { return (uint8_t *)(chunk + 1); }

static uint8_t *chunk_text(struct chunk *chunk) { return chunk_tag(chunk) + TAG_BYTES; }

/* Frees a list of chunks. */
static void give_chunks(uint32_t unit) {
  while (unit != ARENA_NONE) {
    const struct chunk *chunk = arena_at(unit);
    uint32_t next = chunk->next;
    arena_give(unit, chunk_run(chunk->sealed));
    unit = next;
  }
}

static void seal_chunk(struct segment *segment, struct chunk *chunk, uint32_t index) {
  uint8_t nonce[NONCE_BYTES];
  uint8_t *text = chunk_text(chunk);
  crypto_nonce(nonce, NONCE_CHUNK, &segment->fields, index);
  crypto_secretbox_detached(text, chunk_tag(chunk), text, chunk->sealed - TAG_BYTES, nonce,
                            segment->media_key);
  crypto_hash_sha256(chunk->sha256, chunk_tag(chunk), chunk->sealed);
}

/* ---- opening and releasing ---- */

struct segment *segment_open(const struct epoch *epoch, const struct nonce_fields *fields) {
  uint8_t nonce[NONCE_BYTES];
  uint8_t key[KEY_BYTES];
  struct segment *segment = calloc(1, sizeof *segment + (size_t)epoch->recipients * WRAP_BYTES);
  if (segment == NULL)
    return NULL;
  segment->references = 1;
  segment->fields = *fields;
  segment->first = ARENA_NONE;
  segment->last = ARENA_NONE;
  segment->head = ARENA_NONE;
  segment->wrap_count = epoch->recipients;
  crypto_nonce(nonce, NONCE_SEGMENT_WRAP, fields, 0);
  crypto_object_key(key, nonce);
  crypto_subkey(segment->media_key, key, "media");
  crypto_subkey(segment->metadata_key, key, "metadata");
  crypto_subkey(segment->commitment, key, "commitment");
  epoch_wrap(epoch, key, nonce, segment->wraps);
  sodium_memzero(key, sizeof key);
  return segment;
}

void segment_hold(struct segment *segment) { segment->references++; }

static void wipe_keys(struct segment *segment) {
  sodium_memzero(segment->media_key, sizeof segment->media_key);
  sodium_memzero(segment->metadata_key, sizeof segment->metadata_key);
}

void segment_release(struct segment *segment) {
  demand(segment->references > 0);
  if (--segment->references > 0)
    return;
  if (!segment->sealed && segment->last != ARENA_NONE) {
    struct chunk *open = arena_at(segment->last); /* plaintext */
    sodium_memzero(chunk_text(open), open->sealed - TAG_BYTES);
  }
  give_chunks(segment->first);
  if (segment->head != ARENA_NONE)
    arena_give(segment->head, segment->head_bytes);
  wipe_keys(segment);
  free(segment);
}

/* ---- writing ---- */

/* A fragment's bytes as one stream, and how it is cut. */
struct plan {
  const struct fragment *fragment;
  uint64_t part[2];   /* up to the end of the key frame; the rest */
  uint32_t at_frame;  /* copied so far: */
  uint32_t at_offset; /* of boxes while at_boxes, else of the frame */
  bool at_boxes;
};

static uint32_t chunks_in(uint64_t bytes) {
  return (uint32_t)((bytes + CHUNK_BYTES - 1) / CHUNK_BYTES);
}

static void make_plan(struct plan *plan, const struct fragment *fragment) {
  uint64_t frames = 0;
  for (uint32_t i = 0; i < fragment->frame_count; i++)
    frames += fragment->frame_bytes[i];
  bool key = fragment->key && fragment->frame_count > 0;
  uint64_t first = key ? fragment->frame_bytes[0] : 0;
  *plan = (struct plan){.fragment = fragment, .at_boxes = true};
  plan->part[0] = key ? fragment->boxes_bytes + first : 0;
  plan->part[1] = (key ? 0 : fragment->boxes_bytes) + frames - first;
}

/* Takes the runs of all chunks, linked in order. The first, or ARENA_NONE with nothing taken. */
static uint32_t reserve(const struct plan *plan, uint32_t *last, uint32_t *arena_used) {
  uint32_t first = ARENA_NONE;
  uint32_t *link = &first;
  *arena_used = 0;
  for (int part = 0; part < 2; part++) {
    for (uint64_t left = plan->part[part]; left > 0;) {
      uint32_t text = left > CHUNK_BYTES ? CHUNK_BYTES : (uint32_t)left;
      uint32_t run = chunk_run(text + TAG_BYTES);
      uint32_t unit = arena_take(run);
      if (unit == ARENA_NONE) {
        give_chunks(first);
        return ARENA_NONE;
      }
      struct chunk *chunk = arena_at(unit);
      *chunk = (struct chunk){.next = ARENA_NONE, .sealed = text + TAG_BYTES};
      *link = unit;
      link = &chunk->next;
      *last = unit;
      *arena_used += arena_rounded(run);
      left -= text;
    }
  }
  struct chunk *start = arena_at(first);
  start->starts_fragment = 1;
  start->key_chunks = chunks_in(plan->part[0]);
  return first;
}

/* Copies the next `bytes` of the stream. */
static bool copy_next(struct plan *plan, uint8_t *out, uint32_t bytes) {
  const struct fragment *fragment = plan->fragment;
  while (bytes > 0) {
    uint32_t whole = plan->at_boxes ? fragment->boxes_bytes : fragment->frame_bytes[plan->at_frame];
    uint32_t piece = whole - plan->at_offset < bytes ? whole - plan->at_offset : bytes;
    if (plan->at_boxes) {
      if (piece > 0)
        memcpy(out, fragment->boxes + plan->at_offset, piece);
    } else if (!fragment->copy(fragment->source, plan->at_frame, plan->at_offset, out, piece)) {
      return false;
    }
    out += piece;
    bytes -= piece;
    plan->at_offset += piece;
    if (plan->at_offset < whole)
      continue;
    plan->at_offset = 0;
    if (plan->at_boxes)
      plan->at_boxes = false;
    else
      plan->at_frame++;
  }
  return true;
}

/* Fills the reserved chunks. */
static bool fill(struct plan *plan, uint32_t unit) {
  while (unit != ARENA_NONE) {
    struct chunk *chunk = arena_at(unit);
    if (!copy_next(plan, chunk_text(chunk), chunk->sealed - TAG_BYTES))
      return false;
    unit = chunk->next;
  }
  return true;
}

/* Overwrites what was copied into chunks that will not be used. */
static void blank(uint32_t unit) {
  while (unit != ARENA_NONE) {
    struct chunk *chunk = arena_at(unit);
    sodium_memzero(chunk_text(chunk), chunk->sealed - TAG_BYTES);
    unit = chunk->next;
  }
}

/* Links the new chunks behind the old ones and seals all but the newest. */
static void append(struct segment *segment, uint32_t first, uint32_t last) {
  struct chunk *open = segment->last == ARENA_NONE ? NULL : arena_at(segment->last);
  if (open == NULL)
    segment->first = first;
  else
    seal_chunk(segment, open, segment->chunk_count - 1);
  if (open != NULL)
    open->next = first;
  for (uint32_t unit = first; unit != ARENA_NONE;) {
    struct chunk *chunk = arena_at(unit);
    if (unit != last)
      seal_chunk(segment, chunk, segment->chunk_count);
    segment->chunk_count++;
    segment->sealed_bytes += chunk->sealed;
    unit = chunk->next;
  }
  segment->last = last;
}

enum segment_written segment_write(struct segment *segment, const struct fragment *fragment) {
  struct plan plan;
  uint32_t last = ARENA_NONE;
  uint32_t arena_used;
  demand(!segment->sealed);
  make_plan(&plan, fragment);
  uint64_t bytes = plan.part[0] + plan.part[1];
  demand(bytes > 0);
  if (bytes > PLAIN_BYTES_MAX - segment->plain_bytes ||
      segment->chunk_count + chunks_in(plan.part[0]) + chunks_in(plan.part[1]) > CHUNKS_MAX)
    return SEGMENT_TOO_LONG;
  uint32_t first = reserve(&plan, &last, &arena_used);
  if (first == ARENA_NONE)
    return SEGMENT_FULL;
  /* All is copied before a nonce is spent, so that a lapped frame costs the fragment alone. */
  if (!fill(&plan, first)) {
    blank(first);
    give_chunks(first);
    return SEGMENT_LAPPED;
  }
  append(segment, first, last);
  segment->fragment_count++;
  segment->plain_bytes += (uint32_t)bytes;
  segment->arena_bytes += arena_used;
  return SEGMENT_WRITTEN;
}

/* ---- sealing ---- */

void segment_seal_metadata(struct segment *segment, const uint8_t *plain, uint32_t bytes,
                           uint8_t *out) {
  uint8_t nonce[NONCE_BYTES];
  demand(!segment->metadata_sealed && !segment->sealed);
  crypto_nonce(nonce, NONCE_METADATA, &segment->fields, 0);
  crypto_secretbox_easy(out, plain, bytes, nonce, segment->metadata_key);
  segment->metadata_sealed = true;
}

void segment_seal(struct segment *segment) {
  demand(!segment->sealed && segment->last != ARENA_NONE);
  seal_chunk(segment, arena_at(segment->last), (segment->chunk_count - 1) | LAST_CHUNK);
  segment->sealed = true;
  wipe_keys(segment);
}

bool segment_attach_head(struct segment *segment, const uint8_t *head, uint32_t bytes) {
  demand(segment->sealed && segment->head == ARENA_NONE && bytes > 0 && bytes <= HEAD_BYTES_MAX);
  uint32_t unit = arena_take(bytes);
  if (unit == ARENA_NONE)
    return false;
  memcpy(arena_at(unit), head, bytes);
  segment->head = unit;
  segment->head_bytes = bytes;
  segment->arena_bytes += arena_rounded(bytes);
  return true;
}

/* ---- figures ---- */

bool segment_is_sealed(const struct segment *segment) { return segment->sealed; }

bool segment_has_metadata(const struct segment *segment) { return segment->metadata_sealed; }

bool segment_has_head(const struct segment *segment) { return segment->head != ARENA_NONE; }

uint32_t segment_chunk_count(const struct segment *segment) { return segment->chunk_count; }

uint32_t segment_fragment_count(const struct segment *segment) { return segment->fragment_count; }

uint64_t segment_plain_bytes(const struct segment *segment) { return segment->plain_bytes; }

uint64_t segment_object_bytes(const struct segment *segment) {
  return segment_has_head(segment) ? (uint64_t)segment->head_bytes + segment->sealed_bytes : 0;
}

uint64_t segment_arena_bytes(const struct segment *segment) { return segment->arena_bytes; }

uint32_t segment_wrap_count(const struct segment *segment) { return segment->wrap_count; }

const uint8_t *segment_wrap(const struct segment *segment, uint32_t index) {
  demand(index < segment->wrap_count);
  return segment->wraps + (size_t)index * WRAP_BYTES;
}

const uint8_t *segment_commitment(const struct segment *segment) { return segment->commitment; }

const struct chunk *segment_next_chunk(const struct segment *segment, const struct chunk *chunk) {
  uint32_t unit = chunk == NULL ? segment->first : chunk->next;
  return unit == ARENA_NONE ? NULL : arena_at(unit);
}

/* ---- the object ---- */

uint32_t segment_span(const struct segment *segment, const struct segment_cursor *cursor,
                      const uint8_t **bytes) {
  demand(segment_has_head(segment));
  if (!cursor->in_chunks) {
    *bytes = (const uint8_t *)arena_at(segment->head) + cursor->offset;
    return segment->head_bytes - cursor->offset;
  }
  if (cursor->unit == ARENA_NONE)
    return 0;
  struct chunk *chunk = arena_at(cursor->unit);
  *bytes = chunk_tag(chunk) + cursor->offset;
  return chunk->sealed - cursor->offset;
}

void segment_advance(const struct segment *segment, struct segment_cursor *cursor, uint32_t bytes) {
  const uint8_t *ignored;
  uint32_t span = segment_span(segment, cursor, &ignored);
  demand(bytes <= span);
  cursor->offset += bytes;
  if (bytes < span)
    return;
  cursor->offset = 0;
  if (cursor->in_chunks)
    cursor->unit = ((const struct chunk *)arena_at(cursor->unit))->next;
  else
    cursor->unit = segment->first;
  cursor->in_chunks = true;
}
