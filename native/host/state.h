/*
 * The state directory: small files, each written whole, durably and atomically.
 *
 * A file is written as `.new` beside the others, synced, renamed over the old one, and the
 * directory synced: after a power cut it holds the old bytes or the new. Access is relative to a
 * descriptor opened before root was given up; symbolic links are never followed.
 */
#ifndef OCELLUS_HOST_STATE_H
#define OCELLUS_HOST_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "privilege.h"

#define STATE_FILE_BYTES 65536
#define STATE_NAME_BYTES 31

enum state_result {
  STATE_OK,
  STATE_ABSENT,
  STATE_TOO_LARGE,
  STATE_IO, /* errno tells */
};

/* Opens the directory (no symbolic link), or makes it (0700), removes what a cut left behind, and gives it with its
 * files to `identity`. On failure logs a sentence. */
bool state_open(const char *path, const struct identity *identity);

/* Matches [a-z][a-z0-9-]{0,30}. `name` need not be terminated. */
bool state_name_ok(const char *name, size_t bytes);

/* `out` has room for STATE_FILE_BYTES. STATE_OK, _ABSENT, _TOO_LARGE, _IO. Aborts on a wrong name,
 * as do the two below. */
enum state_result state_read(const char *name, uint8_t *out, size_t *bytes);

/* STATE_OK, _TOO_LARGE, _IO. */
enum state_result state_write(const char *name, const uint8_t *data, size_t bytes);

/* Writes zeros over the file's bytes (in place, where the file system does it so), then removes it,
 * durably. STATE_OK, also for a missing file; _IO. */
enum state_result state_erase(const char *name);

/* Reads a whole regular file of at most STATE_FILE_BYTES from a descriptor. */
enum state_result state_read_fd(int fd, uint8_t *out, size_t *bytes);

void state_close(void);

#endif
