/*
 * A program's process: started, listened to, signalled, collected. When and why is care.h's.
 *
 * It leads a process group of its own, which ends with it. Its standard output and error are one pipe to us; the agent
 * also has the writing end of a pipe for signs of life as descriptor LIFE_FD. It ends when the supervisor does.
 */
#ifndef OCELLUS_SUPERVISE_CHILD_H
#define OCELLUS_SUPERVISE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "care.h"
#include "command_line.h"
#include "host/loop.h"
#include "host/privilege.h"
#include "lines.h"

#define LIFE_FD 3
#define CHILD_LAST_BYTES 120

struct child {
  /* Given. */
  const struct command *command;
  struct identity identity; /* whom it runs as */
  bool gives_up_root; /* the agent: by itself, and gets the arguments of command_line.c's help */
  const char *log_directory;
  void (*sign)(struct child *child,
               char sign); /* the agent gave signs of life; the newest: host/life.h */
  /* Own. */
  struct care care;
  pid_t pid; /* 0: none */
  struct loop_watch out;
  struct loop_watch life;
  struct lines lines;
  char last[CHILD_LAST_BYTES]; /* the last line it wrote, cut */
};

/* Starts it; `care.reason` says why. Where that fails, says so in `why`. */
bool child_start(struct child *child, char *why, size_t room);

/* Sends a signal, SIGKILL to its whole group. */
void child_signal(const struct child *child, int number);

/* Collects it if it has ended, with all that it still wrote. True: it has; `status` is waitpid's. */
bool child_collect(struct child *child, int *status);

/* How it ended, for people: "exit status 1", "killed by SIGSEGV". */
void child_tell_end(int status, char *text, size_t room);

#endif
