#define _GNU_SOURCE 1
#include "options.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ring/door.h"

static const char HELP[] =
    "Usage: ocellus-canned --clip FILE | --disk DEVICE --socket PATH [options]\n"
    "\n"
    "A camera's encoder played by a file: H.264 (Annex B, no B-frames) goes in real time through\n"
    "the ring that --socket hands out.\n"
    "\n"
    "  --clip FILE       the clip\n"
    "  --disk DEVICE     or a disk that holds it, and some of these options\n"
    "  --socket PATH     where consumers connect; at most 100 bytes\n"
    "  --stream N        its number, 0 (main) to 3 [0]\n"
    "  --loops N         times to play the clip, 0 for ever [0]\n"
    "  --fps N[/D]       frames a second [as the clip says, else 25]\n"
    "  --rate X          play X times as fast; capture times stay the clip's own [1]\n"
    "  --wait            start when the first consumer has connected\n"
    "  --ring-bytes N    size of the ring, a power of two, 4096 to 67108864 [at least 4194304]\n"
    "  --ring-dir DIR    directory for the ring, on tmpfs [/dev/shm, or that of the socket]\n"
    "  --group GROUP     group that may connect, by name or number\n"
    "  --check           only look at the clip: one line of JSON if it can be played\n"
    "  --help            this text\n"
    "\n"
    "After the last loop it goes on serving until every consumer has left.\n"
    "Exit status: 0 played or asked to stop, 1 trouble while running, 2 wrong usage.\n";

static int usage(const char *what, const char *detail) {
  fprintf(stderr, "ocellus-canned: %s%s (see --help)\n", what, detail ? detail : "");
  return 0;
}

/* A whole decimal number up to `most`, ending at `stop`. Returns what follows, or NULL. */
static const char *parse_number(const char *text, uint32_t most, uint32_t *number) {
  if (*text < '0' || *text > '9')
    return NULL;
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno || value > most)
    return NULL;
  *number = (uint32_t)value;
  return end;
}

static int whole_number(const char *text, uint32_t most, uint32_t *number) {
  const char *end = parse_number(text, most, number);
  return end && *end == 0;
}

/* N or N/D, from 1/10 to 480 frames a second. */
static int parse_fps(const char *text, struct frame_rate *fps) {
  fps->denominator = 1;
  const char *end = parse_number(text, 1000000, &fps->numerator);
  if (end && *end == '/')
    end = parse_number(end + 1, 1000000, &fps->denominator);
  return end && *end == 0 && fps->denominator &&
         (uint64_t)fps->numerator * 10 >= fps->denominator &&
         fps->numerator <= 480ull * fps->denominator;
}

static int parse_rate(const char *text, double *rate) {
  char *end;
  *rate = strtod(text, &end);
  return end != text && *end == 0 && *rate >= 0.01 && *rate <= 10000;
}

static int parse_group(const char *text, gid_t *group) {
  uint32_t number;
  if (whole_number(text, UINT32_MAX - 1, &number)) {
    *group = number;
    return 1;
  }
  struct group *entry = getgrnam(text);
  if (entry)
    *group = entry->gr_gid;
  return entry != NULL;
}

static int take(struct options *options, const char *name, const char *value);

/* What a disk says of how its clip is to be played; where it is served is not the disk's to say. */
static int take_disk(struct options *options, const char *path) {
  char why[CLIP_ERROR_BYTES];
  struct clip_disk *disk = &options->disk;
  if (disk_read(disk, path, why) != 0)
    return fprintf(stderr, "ocellus-canned: cannot play %s: %s\n", path, why), 0;
  options->clip = path;
  for (int i = 0; i < disk->argument_count; i++) {
    const char *name = disk->arguments[i];
    if (strcmp(name, "--wait") == 0) {
      options->wait = 1;
      continue;
    }
    if ((strcmp(name, "--loops") != 0 && strcmp(name, "--fps") != 0 &&
         strcmp(name, "--rate") != 0) ||
        i + 1 == disk->argument_count)
      return usage("no argument for a disk to hold: ", name);
    if (!take(options, name, disk->arguments[++i]))
      return 0;
  }
  return 1;
}

/* Takes one option with its value. 1, or 0 after having said what is wrong. */
static int take(struct options *options, const char *name, const char *value) {
  if (options->clip && (strcmp(name, "--clip") == 0 || strcmp(name, "--disk") == 0))
    return usage("one clip can be played, this is another: ", value);
  if (strcmp(name, "--clip") == 0) {
    options->clip = value;
  } else if (strcmp(name, "--disk") == 0) {
    return take_disk(options, value);
  } else if (strcmp(name, "--socket") == 0) {
    options->socket = value;
  } else if (strcmp(name, "--ring-dir") == 0) {
    options->ring_dir = value;
  } else if (strcmp(name, "--stream") == 0) {
    if (!whole_number(value, DOOR_STREAMS_MAX - 1, &options->stream))
      return usage("--stream takes a number from 0 to 3, not ", value);
  } else if (strcmp(name, "--loops") == 0) {
    if (!whole_number(value, UINT32_MAX, &options->loops))
      return usage("--loops takes a number, 0 for ever, not ", value);
  } else if (strcmp(name, "--fps") == 0) {
    if (!parse_fps(value, &options->fps))
      return usage("--fps takes N or N/D from 1/10 to 480 frames a second, not ", value);
  } else if (strcmp(name, "--rate") == 0) {
    if (!parse_rate(value, &options->rate))
      return usage("--rate takes a number from 0.01 to 10000, not ", value);
  } else if (strcmp(name, "--ring-bytes") == 0) {
    if (!whole_number(value, RING_DATA_BYTES_MAX, &options->ring_bytes) ||
        !ring_layout_ok(options->ring_bytes, RING_SLOTS_DEFAULT))
      return usage("--ring-bytes takes a power of two from 4096 to 67108864, not ", value);
  } else if (strcmp(name, "--group") == 0) {
    if (!parse_group(value, &options->group))
      return usage("--group: there is no group ", value);
  } else {
    return usage("unknown option ", name);
  }
  return 1;
}

enum options_result options_parse(struct options *options, int argc, char **argv) {
  *options = (struct options){.group = (gid_t)-1, .rate = 1};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0) {
      fputs(HELP, stdout);
      return OPTIONS_HELP;
    }
    if (strcmp(argv[i], "--wait") == 0) {
      options->wait = 1;
      continue;
    }
    if (strcmp(argv[i], "--check") == 0) {
      options->check = 1;
      continue;
    }
    if (strncmp(argv[i], "--", 2) != 0)
      return usage("unexpected argument ", argv[i]), OPTIONS_USAGE;
    if (i + 1 == argc)
      return usage(argv[i], " is unknown or lacks its value"), OPTIONS_USAGE;
    if (!take(options, argv[i], argv[i + 1]))
      return OPTIONS_USAGE;
    i++;
  }
  if (!options->clip || (!options->socket && !options->check))
    return usage(options->clip ? "--socket" : "--clip", " is missing"), OPTIONS_USAGE;
  return OPTIONS_RUN;
}
