/*
 * The log as ocellus-supervise keeps it, where that runs: files of one directory, oldest first `log.before` (the end of
 * the boot before), `log.1`, `log`. They hold the lines of all programs and of runs before this one.
 */
#ifndef OCELLUS_HOST_LOG_FILES_H
#define OCELLUS_HOST_LOG_FILES_H

#include <stddef.h>
#include <stdint.h>

/* Where they are; NULL: there are none. The string is borrowed. */
void log_files_choose(const char *directory);

/* As log_tail, from the files as they are now, or from this process's own ring where none of them can be read. `*end` counts
 * from the oldest byte that is kept: it falls when the oldest are thrown away. `out` has room for one byte more. */
size_t log_files_tail(char *out, size_t bytes, size_t back, uint64_t *end);

#endif
