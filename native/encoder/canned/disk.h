/*
 * A clip disk: how an emulated camera is given its clip, so that the clip stays out of the image.
 *
 *     0      DISK_HEAD_BYTES: text, the rest NUL.  Line 1 "ocellus clip disk 1", line 2 the clip's
 *            size in bytes, then a line for each further argument of ocellus-canned: --loops, --fps,
 *            --rate, --wait and their values, nothing else
 *     4096   the clip (Annex B); what follows it is padding
 *
 * Written by scripts/emulator/media.ts; read from a block device or a file.
 */
#ifndef OCELLUS_CANNED_DISK_H
#define OCELLUS_CANNED_DISK_H

#include "clip.h"

#define DISK_HEAD_BYTES 4096u
#define DISK_ARGUMENTS_MAX 8

struct clip_disk {
  struct clip_range range; /* where the clip lies */
  char head[DISK_HEAD_BYTES + 1];
  int argument_count;
  char *arguments[DISK_ARGUMENTS_MAX]; /* point into head */
};

/* Reads the head. 0; or -1 and one sentence in `error`. */
int disk_read(struct clip_disk *disk, const char *path, char error[CLIP_ERROR_BYTES]);

#endif
