/*
 * What the test programs share: a line-based conversation with the test that drives them, and the
 * bytes frames are made of. Every program answers each line on standard input with one line on
 * standard output, so that a test reads as a dialogue and decides every interleaving itself.
 */
#ifndef OCELLUS_TEST_DIALOGUE_H
#define OCELLUS_TEST_DIALOGUE_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 16384
#define WORDS_MAX 16

/* Byte `at` of frame `seq` in every test: reader and writer agree on it without talking. */
static inline uint32_t content_word(uint32_t seed, uint32_t seq, uint32_t at) {
  uint32_t x = (seq * 2654435761u) ^ ((at >> 2) * 2246822519u) ^ seed;
  x = (x ^ x >> 15) * 2221713035u;
  return x ^ x >> 13;
}

static inline void content_fill(uint32_t seed, uint32_t seq, uint32_t from, uint8_t *bytes,
                                uint32_t length) {
  for (uint32_t i = 0; i < length; i++)
    bytes[i] = (uint8_t)(content_word(seed, seq, from + i) >> (from + i) % 4 * 8);
}

/* Index of the first byte that is not as content_fill() makes it, or `length`. */
static inline uint32_t content_check(uint32_t seed, uint32_t seq, uint32_t from,
                                     const uint8_t *bytes, uint32_t length) {
  for (uint32_t i = 0; i < length; i++)
    if (bytes[i] != (uint8_t)(content_word(seed, seq, from + i) >> (from + i) % 4 * 8))
      return i;
  return length;
}

/* A small generator (xorshift32); the state is never 0. */
static inline uint32_t random_next(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

static inline uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
  fflush(stdout);
}

/* Takes one line off standard input, without stdio's read-ahead, which poll() would not see. 0 at
 * the end of input. */
static inline int read_line(char line[LINE_BYTES]) {
  size_t length = 0;
  char each;
  while (read(STDIN_FILENO, &each, 1) == 1) {
    if (each == '\n') {
      line[length] = 0;
      return 1;
    }
    if (length + 1 < LINE_BYTES)
      line[length++] = each;
  }
  return 0;
}

/* Splits at spaces, in place. Words that are not there are "". */
static inline void split(char *line, const char *words[WORDS_MAX]) {
  for (int i = 0; i < WORDS_MAX; i++) {
    char *word = strtok(i ? NULL : line, " ");
    words[i] = word ? word : "";
  }
}

static inline uint32_t number(const char *word) { return (uint32_t)strtoul(word, NULL, 0); }

/* Decodes hexadecimal into at most `room` bytes. How many. */
static inline uint32_t unhex(const char *hex, uint8_t *bytes, uint32_t room) {
  uint32_t length = 0;
  unsigned byte;
  while (length < room && sscanf(hex + 2 * length, "%2x", &byte) == 1)
    bytes[length++] = (uint8_t)byte;
  return length;
}

static inline void print_hex(const uint8_t *bytes, uint32_t length) {
  for (uint32_t i = 0; i < length; i++)
    printf("%02x", bytes[i]);
}

#endif
