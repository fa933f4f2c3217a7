/*
 * The camera's log: two files on tmpfs, `log` and `log.1` (the older), JOURNAL_FILE_BYTES each at most, and the kernel's
 * log, so that ramoops keeps the newest lines over a reset. Root's own; the agent's group may read.
 *
 * A line is `<seconds>.<microseconds> <who> <text>`, seconds of CLOCK_MONOTONIC. A text that begins with such a time
 * keeps its own: our programs' lines do.
 */
#ifndef OCELLUS_SUPERVISE_JOURNAL_H
#define OCELLUS_SUPERVISE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define JOURNAL_FILE_BYTES 32768

/* Makes the directory where it is missing. `kmsg` NULL: lines go to standard error instead. False after a line on
 * standard error, where there can be no log files; lines still go the other way. Strings are borrowed. */
bool journal_open(const char *directory, const char *kmsg, gid_t group);

/* The directory, for other files there; -1 where it cannot be opened. */
int journal_directory(void);

/* Makes a file in the directory with these bytes, for the agent's group to read. Where that fails, says so. */
void journal_put(const char *name, const char *bytes, size_t count);

/* Writes a line of a program: at most LINE_TEXT_BYTES, without control characters. */
void journal_line(const char *who, const char *text, size_t bytes);

/* Writes a line of the supervisor's own. */
void journal_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Likewise, to be found in the kernel's log by the next boot, whatever the console's level is. */
void journal_mark(const char *text);

#endif
