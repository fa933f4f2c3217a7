#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_time.h"
#include "privilege.h"

#ifndef OCELLUS_BUILD
#define OCELLUS_BUILD "0.1.0+unversioned"
#endif

#define QUEUE_BYTES_DEFAULT (8u << 20)
#define QUEUE_BYTES_MIN (256u << 10)
#define QUEUE_BYTES_MAX (1u << 30)
#define HEAP_BYTES_DEFAULT (4u << 20)
#define HEAP_BYTES_MIN (512u << 10)
#define HEAP_BYTES_MAX (256u << 20)
#define TURN_MS_DEFAULT 10000u
#define TURN_MS_MIN 50u
#define TURN_MS_MAX 600000u
#define LIFE_FD_MIN 3u
#define LIFE_FD_MAX 127u /* the process may have no more: privilege.c */

static const char help[] =
    "Usage: ocellus-camera (--bytecode FILE | --bundle FILE) --state DIR --door PATH [options]\n"
    "Runs a camera agent.\n"
    "\n"
    "  --bytecode FILE      the agent, compiled by the same engine\n"
    "  --bundle FILE        the agent as an ECMAScript module; for development\n"
    "  --state DIR          directory of the camera's durable state; made if missing\n"
    "  --door PATH          socket of the encoder\n"
    "  --provision FILE     provisioning file, read while the camera is not paired\n"
    "  --user NAME|UID:GID  whom to become; root must name an account that nothing else runs as\n"
    "  --board NAME         board the image is for (default: host)\n"
    "  --image-file FILE    holds the name of the image that this runs from\n"
    "  --command-line FILE  holds the kernel's command line: /proc/cmdline of a camera\n"
    "  --queue-bytes N      memory for sealed footage that waits (default: 8388608)\n"
    "  --heap-bytes N       limit of the engine's heap (default: 4194304)\n"
    "  --turn-ms N          limit of one turn of the agent (default: 10000)\n"
    "  --start-reason TEXT  why the supervisor starts the agent (default: start)\n"
    "  --life-fd N          descriptor that gets a byte for each sign of life; the supervisor's "
    "pipe\n"
    "  --log DIR            where the supervisor keeps the log; without it, only this run's is "
    "told\n"
    "  --reset              ask the agent to erase everything that belongs to its owner\n"
    "  --compile-to FILE    with --bundle: write bytecode to FILE and exit\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 stopped, 64 wrong usage, 70 defect, 71 cannot set up, 75 restart wanted,\n"
    "76 reboot wanted.\n";

static int usage(const char *what, const char *detail) {
  fprintf(stderr, "ocellus-camera: %s%s\nTry ocellus-camera --help.\n", what, detail);
  return EXIT_USAGE;
}

/* Digits only: strtoul alone would take signs and blanks. */
static bool read_number(const char *text, uint32_t least, uint32_t most, uint32_t *out) {
  if (*text == '\0' || strspn(text, "0123456789") != strlen(text))
    return false;
  errno = 0;
  unsigned long value = strtoul(text, NULL, 10);
  if (errno != 0 || value < least || value > most)
    return false;
  *out = (uint32_t)value;
  return true;
}

enum {
  OPTION_BYTECODE = 1,
  OPTION_BUNDLE,
  OPTION_COMPILE_TO,
  OPTION_STATE,
  OPTION_DOOR,
  OPTION_PROVISION,
  OPTION_USER,
  OPTION_BOARD,
  OPTION_IMAGE,
  OPTION_COMMAND_LINE,
  OPTION_QUEUE,
  OPTION_HEAP,
  OPTION_TURN,
  OPTION_REASON,
  OPTION_LIFE,
  OPTION_LOG,
  OPTION_RESET,
  OPTION_HELP,
  OPTION_VERSION
};

static const struct option known[] = {
    {"bytecode", required_argument, NULL, OPTION_BYTECODE},
    {"bundle", required_argument, NULL, OPTION_BUNDLE},
    {"compile-to", required_argument, NULL, OPTION_COMPILE_TO},
    {"state", required_argument, NULL, OPTION_STATE},
    {"door", required_argument, NULL, OPTION_DOOR},
    {"provision", required_argument, NULL, OPTION_PROVISION},
    {"user", required_argument, NULL, OPTION_USER},
    {"board", required_argument, NULL, OPTION_BOARD},
    {"image-file", required_argument, NULL, OPTION_IMAGE},
    {"command-line", required_argument, NULL, OPTION_COMMAND_LINE},
    {"queue-bytes", required_argument, NULL, OPTION_QUEUE},
    {"heap-bytes", required_argument, NULL, OPTION_HEAP},
    {"turn-ms", required_argument, NULL, OPTION_TURN},
    {"start-reason", required_argument, NULL, OPTION_REASON},
    {"life-fd", required_argument, NULL, OPTION_LIFE},
    {"log", required_argument, NULL, OPTION_LOG},
    {"reset", no_argument, NULL, OPTION_RESET},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

/* -1: taken; otherwise the status to exit with. */
static int take(struct options *options, int option) {
  switch (option) {
  case OPTION_BYTECODE:
    options->bytecode = optarg;
    return -1;
  case OPTION_BUNDLE:
    options->bundle = optarg;
    return -1;
  case OPTION_COMPILE_TO:
    options->compile_to = optarg;
    return -1;
  case OPTION_STATE:
    options->state = optarg;
    return -1;
  case OPTION_DOOR:
    options->door = optarg;
    return -1;
  case OPTION_PROVISION:
    options->provision = optarg;
    return -1;
  case OPTION_USER:
    options->user = optarg;
    return -1;
  case OPTION_BOARD:
    options->board = optarg;
    return -1;
  case OPTION_IMAGE:
    options->image_file = optarg;
    return -1;
  case OPTION_COMMAND_LINE:
    options->command_line = optarg;
    return -1;
  case OPTION_REASON:
    options->start_reason = optarg;
    return -1;
  case OPTION_LIFE:
    if (read_number(optarg, LIFE_FD_MIN, LIFE_FD_MAX, &options->life_fd))
      return -1;
    return usage("--life-fd takes 3 to 127, not ", optarg);
  case OPTION_LOG:
    options->log = optarg;
    return -1;
  case OPTION_RESET:
    options->reset = true;
    return -1;
  case OPTION_QUEUE:
    if (read_number(optarg, QUEUE_BYTES_MIN, QUEUE_BYTES_MAX, &options->queue_bytes))
      return -1;
    return usage("--queue-bytes takes 262144 to 1073741824, not ", optarg);
  case OPTION_HEAP:
    if (read_number(optarg, HEAP_BYTES_MIN, HEAP_BYTES_MAX, &options->heap_bytes))
      return -1;
    return usage("--heap-bytes takes 524288 to 268435456, not ", optarg);
  case OPTION_TURN:
    if (read_number(optarg, TURN_MS_MIN, TURN_MS_MAX, &options->turn_ms))
      return -1;
    return usage("--turn-ms takes 50 to 600000, not ", optarg);
  case OPTION_HELP:
    fputs(help, stdout);
    return EXIT_STOPPED;
  case OPTION_VERSION:
    printf("ocellus-camera %s\n", options_build());
    return EXIT_STOPPED;
  default:
    return usage("wrong command line", "");
  }
}

int options_read(struct options *options, int argc, char **argv) {
  *options = (struct options){
      .board = "host",
      .start_reason = "start",
      .queue_bytes = QUEUE_BYTES_DEFAULT,
      .heap_bytes = HEAP_BYTES_DEFAULT,
      .turn_ms = TURN_MS_DEFAULT,
  };
  int option;
  while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
    int status = take(options, option);
    if (status >= 0)
      return status;
  }
  if (optind < argc)
    return usage("unexpected argument ", argv[optind]);
  if ((options->bytecode == NULL) == (options->bundle == NULL))
    return usage("exactly one of --bytecode and --bundle is needed", "");
  if (options->compile_to != NULL) {
    if (options->bundle == NULL)
      return usage("--compile-to goes with --bundle", "");
    return -1;
  }
  if (options->state == NULL)
    return usage("--state is missing", "");
  if (options->door == NULL)
    return usage("--door is missing", "");
  if (options->user == NULL && privilege_is_root())
    return usage("started as root it needs --user, an account of its own to become", "");
  return -1;
}

const char *options_build(void) { return OCELLUS_BUILD; }

int64_t options_build_time_s(void) { return OCELLUS_BUILD_TIME_S; }
