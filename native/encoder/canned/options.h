/*
 * The command line of ocellus-canned.
 */
#ifndef OCELLUS_CANNED_OPTIONS_H
#define OCELLUS_CANNED_OPTIONS_H

#include <stdint.h>
#include <sys/types.h>

#include "clip.h"
#include "disk.h"

struct options {
  const char *clip;      /* required, or a disk; then that one's path */
  struct clip_disk disk; /* all zeros without one */
  const char *socket;    /* required, unless `check` */
  const char *ring_dir;  /* NULL: /dev/shm where it is, else the socket's directory */
  uint32_t stream;       /* 0 to DOOR_STREAMS_MAX - 1 */
  uint32_t loops;        /* 0: forever */
  struct frame_rate fps; /* 0/0: as the clip says */
  uint32_t ring_bytes;   /* data area; 0: large enough for the clip */
  gid_t group;           /* of the socket; (gid_t)-1: left as it is */
  double rate;           /* times real time */
  int wait;              /* start with the first consumer */
  int check;             /* only say whether the clip can be played, and what it is */
};

enum options_result {
  OPTIONS_RUN,
  OPTIONS_HELP,  /* was printed: exit 0 */
  OPTIONS_USAGE, /* one sentence was printed to standard error: exit 2 */
};

/* Parses main()'s arguments. Strings are borrowed from argv. */
enum options_result options_parse(struct options *options, int argc, char **argv);

#endif
