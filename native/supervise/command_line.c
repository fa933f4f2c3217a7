#include "command_line.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCHDOG_TIMEOUT_S_DEFAULT 60u
#define WATCHDOG_TIMEOUT_S_MAX 2046u /* longer than any chip's longest */

/* What the supervisor itself appends to the agent's command line: see child.c. */
#define APPENDED_MAX 8

static const char help[] =
    "Usage: ocellus-supervise [options] -- agent USER PROGRAM [ARG]... "
    "-- encoder USER PROGRAM [ARG]...\n"
    "Keeps a camera's agent and encoder running, keeps their log, feeds the watchdog, restarts\n"
    "the machine. Started as root, again by init should it end.\n"
    "\n"
    "The agent is started as who starts this, gives root up by itself, and gets these arguments\n"
    "too: --user USER --start-reason TEXT --life-fd 3 --log DIR. The encoder is started as USER.\n"
    "USER is a name or UID:GID.\n"
    "\n"
    "  --run DIR               directory on tmpfs for the log; made if missing (default:\n"
    "                          /run/ocellus)\n"
    "  --watchdog FILE         the hardware watchdog's device; armed, and never disarmed\n"
    "  --watchdog-timeout-s N  after so long unfed it resets the machine (default: 60)\n"
    "  --pstore DIR            what RAM kept of the last boot is read from here\n"
    "  --kmsg FILE             the kernel's log: lines go there too; without it, to standard "
    "error\n"
    "  --help\n"
    "\n"
    "Exit status: 0 stopped by SIGTERM, 64 wrong usage, 71 cannot set up.\n";

static int usage(const char *what, const char *detail) {
  fprintf(stderr, "ocellus-supervise: %s%s\nTry ocellus-supervise --help.\n", what, detail);
  return EXIT_USAGE;
}

static bool read_seconds(const char *text, uint32_t *out) {
  if (*text == '\0' || strspn(text, "0123456789") != strlen(text))
    return false;
  errno = 0;
  unsigned long value = strtoul(text, NULL, 10);
  if (errno != 0 || value < 1 || value > WATCHDOG_TIMEOUT_S_MAX)
    return false;
  *out = (uint32_t)value;
  return true;
}

/* Takes one command, up to "--" or the end. Returns where the next begins, or NULL after usage(). */
static char **take_command(struct command *command, const char *name, char **at) {
  if (*at == NULL || strcmp(*at, name) != 0) {
    usage("a command is missing: -- ", name);
    return NULL;
  }
  command->name = *at++;
  if (*at == NULL || strcmp(*at, "--") == 0) {
    usage("the user is missing of ", name);
    return NULL;
  }
  command->user = *at++;
  while (*at != NULL && strcmp(*at, "--") != 0) {
    if (command->argc == COMMAND_ARGUMENTS_MAX - APPENDED_MAX) {
      usage("too many arguments for ", name);
      return NULL;
    }
    command->argv[command->argc++] = *at++;
  }
  if (command->argc == 0 || command->argv[0][0] == '\0') {
    usage("the program is missing of ", name);
    return NULL;
  }
  return *at == NULL ? at : at + 1;
}

enum {
  OPTION_RUN = 1,
  OPTION_WATCHDOG,
  OPTION_TIMEOUT,
  OPTION_PSTORE,
  OPTION_KMSG,
  OPTION_HELP,
};

static const struct option known[] = {
    {"run", required_argument, NULL, OPTION_RUN},
    {"watchdog", required_argument, NULL, OPTION_WATCHDOG},
    {"watchdog-timeout-s", required_argument, NULL, OPTION_TIMEOUT},
    {"pstore", required_argument, NULL, OPTION_PSTORE},
    {"kmsg", required_argument, NULL, OPTION_KMSG},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* -1: taken; otherwise the status to exit with. */
static int take(struct options *options, int option) {
  switch (option) {
  case OPTION_RUN:
    options->run = optarg;
    return -1;
  case OPTION_WATCHDOG:
    options->watchdog = optarg;
    return -1;
  case OPTION_TIMEOUT:
    if (read_seconds(optarg, &options->watchdog_timeout_s))
      return -1;
    return usage("--watchdog-timeout-s takes 1 to 2046, not ", optarg);
  case OPTION_PSTORE:
    options->pstore = optarg;
    return -1;
  case OPTION_KMSG:
    options->kmsg = optarg;
    return -1;
  case OPTION_HELP:
    fputs(help, stdout);
    return EXIT_STOPPED;
  default:
    return usage("wrong command line", "");
  }
}

int command_line_read(struct options *options, int argc, char **argv) {
  *options = (struct options){
      .run = "/run/ocellus",
      .watchdog_timeout_s = WATCHDOG_TIMEOUT_S_DEFAULT,
  };
  int option;
  while ((option = getopt_long(argc, argv, "+", known, NULL)) != -1) {
    int status = take(options, option);
    if (status >= 0)
      return status;
  }
  char **at = take_command(&options->agent, "agent", argv + optind);
  if (at == NULL || (at = take_command(&options->encoder, "encoder", at)) == NULL)
    return EXIT_USAGE;
  if (*at != NULL)
    return usage("unexpected argument ", *at);
  return -1;
}
