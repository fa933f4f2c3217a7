/* The command line. */
#ifndef OCELLUS_SUPERVISE_COMMAND_LINE_H
#define OCELLUS_SUPERVISE_COMMAND_LINE_H

#include <stdint.h>

#define EXIT_STOPPED 0
#define EXIT_USAGE 64
#define EXIT_SETUP                                                                                 \
  71 /* what the command line names cannot be used, or the machine does not restart */

#define COMMAND_ARGUMENTS_MAX 64

/* A program to care for. Strings point into argv. */
struct command {
  const char *name;                      /* for messages: agent, encoder */
  const char *user;                      /* name or uid:gid */
  char *argv[COMMAND_ARGUMENTS_MAX + 1]; /* ends with NULL */
  unsigned argc;
};

/* Strings point into argv; NULL: not to be used. */
struct options {
  const char *run;
  const char *watchdog;
  const char *pstore;
  const char *kmsg;
  uint32_t watchdog_timeout_s;
  struct command agent;
  struct command encoder;
};

/* Reads the command line; prints help and mistakes itself.
 * -1: go on; otherwise the status to exit with. */
int command_line_read(struct options *options, int argc, char **argv);

#endif
