/*
 * The log: lines on standard error, and the newest 64 KiB of them in memory for whoever asks the
 * camera what happened.
 *
 * A line is `<seconds>.<microseconds> <level> <text>`, seconds of CLOCK_MONOTONIC. Control
 * characters are replaced by '?', a text is cut at LOG_TEXT_BYTES. Standard error is never waited
 * for: a line that a full pipe does not take is only kept in memory, and how many were lost there
 * is said later.
 */
#ifndef OCELLUS_HOST_LOG_H
#define OCELLUS_HOST_LOG_H

#include <stddef.h>
#include <stdint.h>

#define LOG_TEXT_BYTES 1000
#define LOG_RING_BYTES 65536

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Writes one line. `text` need not be terminated. */
void log_text(enum log_level level, const char *text, size_t bytes);

/* Likewise, formatted. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies what stands before the newest `back` bytes, `bytes` bytes of it at most, to `out`; starts at a line. Returns how
 * many bytes were copied. `*end`: where the log ends, counted from the start of the process, in bytes. */
size_t log_tail(char *out, size_t bytes, size_t back, uint64_t *end);

#endif
