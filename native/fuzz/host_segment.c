/*
 * Any sequence of operations on segments in a small arena: writing fragments of any cut, frames that are
 * lapped, a full arena, sealing, sending through an outbox in any pieces, closing at any time. Every
 * sealed object is opened again as its recipient would (agent/seal/FORMAT.md).
 */
#include "../host/segment.h"

#include <sodium.h>
#include <string.h>

#include "../host/arena.h"
#include "../host/outbox.h"
#include "fuzz.h"

#define SEGMENTS 5
#define FRAMES 6
#define ARENA_BYTES (256u << 10)
#define WORK_BYTES (1u << 20) /* sealed for one input, at most */

/* The input, read as numbers. */
struct input {
  const uint8_t *data;
  size_t left;
};

static uint32_t draw(struct input *input, uint32_t below) {
  uint32_t value = 0;
  for (int i = 0; i < 3 && input->left > 0; i++, input->data++, input->left--)
    value = value << 8 | *input->data;
  return value % below;
}

/* Lengths at which something changes are as likely as all others. */
static uint32_t draw_bytes(struct input *input) {
  static const uint32_t edges[] = {0, 1, 15, 16, 17, 255, 32767, 32768, 32769, 65536};
  return draw(input, 2) ? edges[draw(input, 10)] : draw(input, 50000);
}

/* What is known of a segment apart from itself. */
struct model {
  struct segment *segment; /* NULL: closed */
  struct epoch epoch;
  struct nonce_fields fields;
  uint8_t recipient[32]; /* secret key */
  uint32_t plain;
  uint32_t chunks;
  uint32_t fragments;
  uint32_t lengths[CHUNKS_MAX]; /* of the chunks' plaintext */
  uint32_t fragment_chunk[64];
  uint32_t key_chunks[64];
};

static struct model models[SEGMENTS];
static uint32_t next_seq;

static uint8_t content(const struct model *model, uint32_t at) {
  return (uint8_t)(model->fields.seq * 131 + at * 7 + (at >> 8) * 3 + (at >> 16));
}

static void open_one(struct model *model) {
  uint8_t key[1][32];
  randombytes_buf(model->recipient, 32);
  crypto_scalarmult_base(key[0], model->recipient);
  must(epoch_open(&model->epoch, (const uint8_t(*)[KEY_BYTES])key, 1));
  model->fields = (struct nonce_fields){.stream = 1, .boot = 2, .epoch = 3, .seq = next_seq++};
  model->segment = segment_open(&model->epoch, &model->fields);
  must(model->segment != NULL);
  model->plain = model->chunks = model->fragments = 0;
}

static void close_one(struct model *model) {
  segment_release(model->segment);
  model->segment = NULL;
}

/* ---- writing ---- */

/* Where the frames of a fragment come from. */
struct source {
  const struct model *model;
  uint32_t at[FRAMES]; /* position of each in the segment */
  uint32_t lapped;     /* index of a frame that was overwritten; FRAMES: none */
};

static bool copy(void *opaque, uint32_t index, uint32_t offset, uint8_t *out, uint32_t bytes) {
  const struct source *source = opaque;
  must(bytes > 0);
  if (index == source->lapped)
    return false;
  for (uint32_t i = 0; i < bytes; i++)
    out[i] = content(source->model, source->at[index] + offset + i);
  return true;
}

static void expect_chunks(struct model *model, uint32_t bytes) {
  for (; bytes > 0; bytes -= model->lengths[model->chunks++])
    model->lengths[model->chunks] = bytes > CHUNK_BYTES ? CHUNK_BYTES : bytes;
}

static uint32_t write_one(struct model *model, struct input *input) {
  static uint8_t boxes[65536];
  uint32_t frame_bytes[FRAMES];
  struct source source = {.model = model, .lapped = FRAMES};
  struct fragment fragment = {.boxes = boxes, .frame_bytes = frame_bytes, .copy = copy};
  fragment.source = &source;
  fragment.boxes_bytes = draw_bytes(input);
  fragment.frame_count = draw(input, FRAMES + 1);
  fragment.key = fragment.frame_count > 0 && draw(input, 2);
  uint32_t total = fragment.boxes_bytes;
  for (uint32_t i = 0; i < fragment.boxes_bytes; i++)
    boxes[i] = content(model, model->plain + i);
  for (uint32_t i = 0; i < fragment.frame_count; i++) {
    frame_bytes[i] = draw_bytes(input) + 1;
    source.at[i] = model->plain + total;
    total += frame_bytes[i];
  }
  if (fragment.frame_count > 0 && draw(input, 8) == 0)
    source.lapped = draw(input, fragment.frame_count);
  if (total == 0)
    return 0;

  uint32_t used = arena_used_bytes();
  uint32_t chunks = model->chunks;
  enum segment_written written = segment_write(model->segment, &fragment);
  must(written == SEGMENT_WRITTEN || written == SEGMENT_FULL || written == SEGMENT_LAPPED);
  must((written == SEGMENT_WRITTEN || arena_used_bytes() == used) &&
       (source.lapped == FRAMES ? written != SEGMENT_LAPPED : written != SEGMENT_WRITTEN));
  if (written != SEGMENT_WRITTEN) {
    must(segment_plain_bytes(model->segment) == model->plain);
    return 0;
  }
  uint32_t first = fragment.key ? fragment.boxes_bytes + frame_bytes[0] : 0;
  model->plain += total;
  expect_chunks(model, first);
  model->key_chunks[model->fragments] = model->chunks - chunks;
  expect_chunks(model, total - first);
  model->fragment_chunk[model->fragments++] = chunks;
  return total;
}

/* ---- checking ---- */

static void subkey(uint8_t out[32], const char *label, const uint8_t key[32]) {
  uint8_t text[64] = "ocellus/v1/";
  uint8_t digest[64];
  size_t bytes = strlen((char *)text) + strlen(label) + 1;
  memcpy(text + strlen((char *)text), label, strlen(label) + 1);
  memcpy(text + bytes, key, 32);
  crypto_hash_sha512(digest, text, bytes + 32);
  memcpy(out, digest, 32);
}

static void check_chunk(const struct model *model, const uint8_t *sealed, uint32_t index,
                        uint32_t at, const uint8_t media[32]) {
  static uint8_t plain[CHUNK_BYTES];
  uint8_t nonce[24];
  uint32_t bytes = model->lengths[index];
  bool last = index + 1 == model->chunks;
  crypto_nonce(nonce, NONCE_CHUNK, &model->fields, last ? index | 0x80000000u : index);
  must(crypto_secretbox_open_easy(plain, sealed, bytes + 16, nonce, media) == 0);
  for (uint32_t i = 0; i < bytes; i++)
    must(plain[i] == content(model, at + i));
}

static void unwrap(const struct model *model, uint8_t media[32]) {
  uint8_t shared[32], key[32], nonce[24], commitment[32];
  must(crypto_box_beforenm(shared, model->epoch.ephemeral, model->recipient) == 0);
  crypto_nonce(nonce, NONCE_SEGMENT_WRAP, &model->fields, 0);
  must(crypto_secretbox_open_easy(key, segment_wrap(model->segment, 0), 48, nonce, shared) == 0);
  subkey(commitment, "commitment", key);
  must(memcmp(commitment, segment_commitment(model->segment), 32) == 0);
  subkey(media, "media", key);
}

static void check_list(const struct model *model) {
  uint32_t index = 0;
  uint32_t fragment = 0;
  const struct chunk *chunk = NULL;
  while ((chunk = segment_next_chunk(model->segment, chunk)) != NULL) {
    must(index < model->chunks && chunk->sealed == model->lengths[index] + 16);
    if (chunk->starts_fragment) {
      must(fragment < model->fragments && model->fragment_chunk[fragment] == index);
      must(chunk->key_chunks == model->key_chunks[fragment++]);
    }
    index++;
  }
  must(index == model->chunks && fragment == model->fragments);
  must(segment_chunk_count(model->segment) == index);
  must(segment_fragment_count(model->segment) == fragment);
}

/* Takes everything out of an outbox, in any pieces. Returns how much. */
static uint32_t empty_outbox(struct outbox *outbox, struct input *input, uint8_t *out) {
  uint32_t got = 0;
  const uint8_t *data;
  size_t bytes;
  while ((bytes = outbox_next(outbox, &data)) > 0) {
    uint64_t waiting = outbox_waiting(outbox);
    size_t piece = draw(input, (uint32_t)bytes) + 1;
    if (piece < bytes / 8)
      piece = bytes; /* not too many */
    memcpy(out + got, data, piece);
    got += (uint32_t)piece;
    outbox_sent(outbox, piece);
    must(outbox_waiting(outbox) == waiting - piece);
  }
  must(outbox_waiting(outbox) == 0);
  return got;
}

/* Seals, sends, opens, and closes. */
static void finish_one(struct model *model, struct input *input) {
  static uint8_t sent[2 * ARENA_BYTES];
  uint8_t head[300];
  uint8_t media[32];
  if (model->chunks == 0) {
    close_one(model);
    return;
  }
  segment_seal(model->segment);
  check_list(model);
  uint32_t head_bytes = draw(input, sizeof head) + 1;
  memset(head, 0xab, sizeof head);
  if (!segment_attach_head(model->segment, head, head_bytes)) {
    close_one(model);
    return;
  }
  struct outbox outbox = {0};
  uint8_t around[200] = {7};
  uint32_t before = draw(input, sizeof around);
  uint32_t after = draw(input, sizeof around);
  uint64_t object = segment_object_bytes(model->segment);
  must(outbox_put(&outbox, around, before) && outbox_put_segment(&outbox, model->segment));
  must(!outbox_put_segment(&outbox, model->segment) && outbox_put(&outbox, around, after));
  unwrap(model, media);
  close_one(model); /* the outbox holds it */
  must(empty_outbox(&outbox, input, sent) == before + object + after);
  must(memcmp(sent, around, before) == 0 && memcmp(sent + before, head, head_bytes) == 0);
  must(memcmp(sent + before + object, around, after) == 0);
  const uint8_t *sealed = sent + before + head_bytes;
  for (uint32_t i = 0, at = 0; i < model->chunks; at += model->lengths[i++]) {
    check_chunk(model, sealed, i, at, media);
    sealed += model->lengths[i] + 16;
  }
}

static void check_arena(void) {
  uint64_t used = 0;
  for (int i = 0; i < SEGMENTS; i++)
    if (models[i].segment != NULL)
      used += segment_arena_bytes(models[i].segment);
  must(used == arena_used_bytes() && used <= arena_bytes());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t seed[32] = {1};
  struct input input = {data, size};
  crypto_start();
  crypto_set_seed(seed);
  must(arena_open(ARENA_BYTES));
  next_seq = 0;
  for (uint32_t work = 0; input.left > 0 && work < WORK_BYTES;) {
    struct model *model = &models[draw(&input, SEGMENTS)];
    uint32_t what = draw(&input, 8);
    if (model->segment == NULL)
      open_one(model);
    else if (what == 0)
      close_one(model);
    else if (what == 1 || model->fragments == 64)
      finish_one(model, &input);
    else
      work += write_one(model, &input);
    check_arena();
  }
  for (int i = 0; i < SEGMENTS; i++)
    if (models[i].segment != NULL)
      close_one(&models[i]);
  must(arena_used_bytes() == 0);
  arena_close();
  return 0;
}
