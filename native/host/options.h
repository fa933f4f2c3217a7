/* The command line. */
#ifndef OCELLUS_HOST_OPTIONS_H
#define OCELLUS_HOST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Exit codes of the program; the other two come from the agent (native.d.ts, exit). */
#define EXIT_STOPPED 0
#define EXIT_USAGE 64 /* the command line is wrong */
#define EXIT_SETUP                                                                                 \
  71                   /* what the command line names cannot be opened, or root cannot be dropped  \
                        */
#define EXIT_DEFECT 70 /* uncaught exception, unhandled rejection, a limit was hit */

/* Strings point into argv. */
struct options {
  const char *bytecode; /* exactly one of bytecode and bundle is set */
  const char *bundle;
  const char *compile_to; /* with bundle: write bytecode there and end */
  const char *state;
  const char *door;
  const char *provision; /* NULL: none */
  const char *user;      /* NULL: stays who started it, which is not root then */
  const char *board;
  const char *image_file;   /* NULL: runs from no image */
  const char *command_line; /* file; NULL: not told */
  const char *start_reason;
  const char *log;  /* directory of the supervisor's log; NULL: none */
  uint32_t life_fd; /* 0: none */
  uint32_t queue_bytes;
  uint32_t heap_bytes;
  uint32_t turn_ms;
  bool reset;
};

/* Reads the command line; prints help, version and mistakes itself.
 * -1: go on; otherwise the status to exit with. */
int options_read(struct options *options, int argc, char **argv);

/* Build string of the program, from the build recipe (OCELLUS_BUILD), and the oldest time that it believes (build_time.h). */
const char *options_build(void);
int64_t options_build_time_s(void);

#endif
