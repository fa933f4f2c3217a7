/*
 * What a program writes, as lines fit for a log: bounded, printable, and not too many. Pure.
 *
 * A line is cut at LINE_TEXT_BYTES; control characters become '?'; empty ones are left out. LINES_BURST_BYTES at once and
 * LINES_BYTES_A_SECOND in the long run are taken, each line counted with LINE_OVERHEAD_BYTES. So a program that floods does
 * not make the supervisor wait for a slow console, and needs a quarter of an hour to replace what others have said in the
 * log's two files (journal.h). How many lines were left out is said before the next one.
 */
#ifndef OCELLUS_SUPERVISE_LINES_H
#define OCELLUS_SUPERVISE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_TEXT_BYTES 1000
#define LINE_OVERHEAD_BYTES                                                                        \
  64u /* its time, who said it, and what is told of lines left out before it */
#define LINES_BURST_BYTES 12288u
#define LINES_BYTES_A_SECOND 56u

/* Takes one line, neither terminated nor with its newline. */
typedef void lines_sink(void *owner, const char *line, size_t bytes);

/* Zero-initialised but for sink and owner. */
struct lines {
  lines_sink *sink;
  void *owner;
  char text[LINE_TEXT_BYTES];
  size_t bytes;
  uint64_t refilled_us; /* 0: never; then the burst is whole */
  uint32_t allowed_bytes;
  unsigned long left_out;
};

/* Takes what was read. */
void lines_take(struct lines *lines, const char *bytes, size_t count, uint64_t now_us);

/* The program has ended: what it left unfinished is a line, and what was left out is told. */
void lines_end(struct lines *lines, uint64_t now_us);

#endif
