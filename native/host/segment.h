/*
 * A segment in the arena: fragments go in as plaintext and are sealed chunk by chunk (FORMAT.md,
 * "Segment object").
 *
 * A chunk is one run of the arena: a record of it, then tag and ciphertext, in place of the
 * plaintext. The newest chunk stays open, because its nonce depends on whether it is the last: it
 * is sealed when a further one comes, or by segment_seal().
 *
 *     segment_open ─▶ segment_write … ─▶ segment_seal ─▶ segment_attach_head ─▶ segment_span …
 *
 * A segment is counted: who opened it holds one reference, a connection that sends it another.
 */
#ifndef OCELLUS_HOST_SEGMENT_H
#define OCELLUS_HOST_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto.h"
#include "epoch.h"

#define CHUNK_BYTES 32768u    /* plaintext, at most: chunk_log2 is 15 */
#define CHUNKS_MAX 1536u      /* FORMAT.md, "Header": their hashes must have room in it */
#define HEAD_BYTES_MAX 65624u /* prelude, header of 65,536 bytes, signature */
#define METADATA_BYTES_MAX 32768u

struct segment;

/* One chunk's record, at the start of its run. Read by whoever makes the list of chunks. */
struct chunk {
  uint32_t next;       /* unit of the next chunk, or ARENA_NONE */
  uint32_t sealed;     /* length of tag and ciphertext */
  uint32_t key_chunks; /* first chunk of a fragment: how many hold its boxes and key frame */
  uint8_t starts_fragment;
  uint8_t sha256[32]; /* of tag and ciphertext, once sealed */
};

/* Where a fragment's plaintext comes from. `copy` writes `bytes` bytes of frame `index`, from
 * `offset`, to `out`; false: they have been overwritten meanwhile. */
struct fragment {
  const uint8_t *boxes;
  uint32_t boxes_bytes;
  const uint32_t *frame_bytes; /* 1 or more each */
  uint32_t frame_count;
  bool key; /* a chunk ends behind frame 0 */
  bool (*copy)(void *source, uint32_t index, uint32_t offset, uint8_t *out, uint32_t bytes);
  void *source;
};

enum segment_written {
  SEGMENT_WRITTEN,
  SEGMENT_FULL,     /* the arena: nothing was written */
  SEGMENT_LAPPED,   /* a frame was overwritten before it was copied: nothing was written */
  SEGMENT_TOO_LONG, /* more than CHUNKS_MAX, or 2^31 bytes: nothing was written */
};

/* A new segment with one reference. NULL where there is no memory. */
struct segment *segment_open(const struct epoch *epoch, const struct nonce_fields *fields);

void segment_hold(struct segment *segment);

/* Gives a reference back; the last one frees the arena and wipes what is secret. */
void segment_release(struct segment *segment);

/* Appends a fragment of at least 1 byte. Aborts on a sealed segment. */
enum segment_written segment_write(struct segment *segment, const struct fragment *fragment);

/* Seals metadata, `bytes` + TAG_BYTES to `out`. Aborts when called twice, or after segment_seal. */
void segment_seal_metadata(struct segment *segment, const uint8_t *plain, uint32_t bytes,
                           uint8_t *out);

/* Seals the last chunk and wipes the keys. Aborts where nothing was written, or when called twice.
 */
void segment_seal(struct segment *segment);

/* Keeps prelude, header and signature (1 to HEAD_BYTES_MAX) before the chunks. False: the arena is
 * full. Aborts before segment_seal, or when called twice. */
bool segment_attach_head(struct segment *segment, const uint8_t *head, uint32_t bytes);

/* ---- figures ---- */

bool segment_is_sealed(const struct segment *segment);
bool segment_has_metadata(const struct segment *segment);
bool segment_has_head(const struct segment *segment);
uint32_t segment_chunk_count(const struct segment *segment);
uint32_t segment_fragment_count(const struct segment *segment);
uint64_t segment_plain_bytes(const struct segment *segment);
uint64_t segment_object_bytes(const struct segment *segment); /* 0 before the head is attached */
uint64_t segment_arena_bytes(const struct segment *segment);
uint32_t segment_wrap_count(const struct segment *segment);
const uint8_t *segment_wrap(const struct segment *segment, uint32_t index);
const uint8_t *segment_commitment(const struct segment *segment);

/* The chunks in order: the first with NULL, then each after the one given; NULL behind the last. */
const struct chunk *segment_next_chunk(const struct segment *segment, const struct chunk *chunk);

/* ---- the object ---- */

/* Where a reader of the whole object stands. Zero-initialised: at its start. */
struct segment_cursor {
  bool in_chunks; /* past the head */
  uint32_t unit;  /* of the chunk it is in */
  uint32_t offset;
};

/* The bytes from the cursor to the end of head or chunk. Their number, 0 at the end of the object.
 * The segment has a head. */
uint32_t segment_span(const struct segment *segment, const struct segment_cursor *cursor,
                      const uint8_t **bytes);

/* Moves the cursor on by `bytes`, at most what segment_span gave. */
void segment_advance(const struct segment *segment, struct segment_cursor *cursor, uint32_t bytes);

#endif
