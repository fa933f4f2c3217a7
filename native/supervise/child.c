#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/clock.h"
#include "journal.h"
#include "oom.h"

/* Read in one go, so that a program that floods does not keep the loop from the others. */
#define READ_BYTES 4096
/* What is still read of a program that has ended: more than a pipe holds. */
#define LAST_READS 32
/* Above the numbers that a child is given. */
#define SPARE_FD 10

/* ---- the child's side: from here to execv only what is safe after fork ---- */

static void __attribute__((noreturn)) fail(const char *what) {
  fprintf(stderr, "cannot start it: %s: %s\n", what, strerror(errno));
  fflush(stderr);
  _exit(127);
}

static int moved(int fd) {
  int spare = fcntl(fd, F_DUPFD_CLOEXEC, SPARE_FD);
  if (spare < 0)
    _exit(127);
  return spare;
}

static void set_descriptors(int out, int life) {
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  out = moved(out);
  life = life < 0 ? -1 : moved(life);
  if (dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
    _exit(127);
  if ((null >= 0 && dup2(null, STDIN_FILENO) < 0) || (life >= 0 && dup2(life, LIFE_FD) < 0))
    fail("its descriptors");
}

/* All were held back since before the fork: our handler would take what is meant for the child. */
static void set_signals(const sigset_t *mask) {
  static const int ours[] = {SIGTERM, SIGINT, SIGCHLD, SIGPIPE};
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
    signal(ours[i], SIG_DFL);
  sigprocmask(SIG_SETMASK, mask, NULL);
}

static void __attribute__((noreturn)) become(const struct child *child, char **argv, int out,
                                             int life, pid_t parent, const sigset_t *mask) {
  set_descriptors(out, life);
  set_signals(mask);
  umask(022);
  oom_adjust(OOM_AS_OTHERS); /* refused only where ours could not be lowered either */
  if (!child->gives_up_root && !privilege_drop(&child->identity))
    _exit(127);
  /* Changing ids resets it: prctl(2). So the agent does the same for itself once it has given root up. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
    fail("PR_SET_PDEATHSIG");
  if (getppid() != parent)
    _exit(127);
  execv(argv[0], argv);
  fail(argv[0]);
}

/* ---- the supervisor's side ---- */

static void take_line(void *owner, const char *line, size_t bytes) {
  struct child *child = owner;
  journal_line(child->command->name, line, bytes);
  snprintf(child->last, sizeof child->last, "%.*s", (int)bytes, line);
}

/* False once nothing more will come, or nothing is there. */
static bool read_output(struct child *child) {
  char bytes[READ_BYTES];
  ssize_t count = read(child->out.fd, bytes, sizeof bytes);
  if (count < 0 && errno == EINTR)
    return true;
  if (count == 0)
    loop_remove(&child->out); /* it closed its end and may go on */
  if (count <= 0)
    return false;
  lines_take(&child->lines, bytes, (size_t)count, clock_us());
  return true;
}

static void on_output(void *owner, short revents) {
  (void)revents;
  read_output(owner);
}

static void on_life(void *owner, short revents) {
  struct child *child = owner;
  char bytes[256];
  (void)revents;
  ssize_t count = read(child->life.fd, bytes, sizeof bytes);
  if (count > 0)
    child->sign(child, bytes[count - 1]);
  else if (count == 0 || (errno != EINTR && errno != EAGAIN))
    loop_remove(&child->life);
}

static void watch(struct loop_watch *watch, int fd, void (*ready)(void *, short),
                  struct child *child) {
  *watch = (struct loop_watch){.fd = fd, .events = POLLIN, .ready = ready, .owner = child};
  loop_add(watch);
}

static void unwatch(struct loop_watch *watch) {
  loop_remove(watch);
  close(watch->fd);
}

/* The command's arguments and, for the agent, ours. `argv` has room for them (command_line.c). */
static void make_arguments(const struct child *child, char **argv) {
  const struct command *command = child->command;
  unsigned count = command->argc;
  memcpy(argv, command->argv, count * sizeof *argv);
  if (child->gives_up_root) {
    const char *ours[] = {"--user",    command->user, "--start-reason", child->care.reason,
                          "--life-fd", "3",           "--log",          child->log_directory};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
      argv[count++] = (char *)ours[i]; /* execv does not write there */
  }
  argv[count] = NULL;
}

static bool make_pipes(const struct child *child, int out[2], int life[2]) {
  life[0] = life[1] = -1;
  if (pipe2(out, O_CLOEXEC) != 0)
    return false;
  /* Only our ends must not block: the programs' standard error is theirs to wait for. */
  if (fcntl(out[0], F_SETFL, O_NONBLOCK) == 0 &&
      (!child->gives_up_root || pipe2(life, O_CLOEXEC | O_NONBLOCK) == 0))
    return true;
  close(out[0]);
  close(out[1]);
  return false;
}

bool child_start(struct child *child, char *why, size_t room) {
  char *argv[COMMAND_ARGUMENTS_MAX + 1];
  int out[2];
  int life[2];
  make_arguments(child, argv);
  if (!make_pipes(child, out, life)) {
    snprintf(why, room, "no pipe: %s", strerror(errno));
    return false;
  }
  pid_t parent = getpid();
  sigset_t all;
  sigset_t mask;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &mask);
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    become(child, argv, out[1], life[1], parent, &mask);
  }
  int error = errno;
  sigprocmask(SIG_SETMASK, &mask, NULL);
  close(out[1]);
  if (life[1] >= 0)
    close(life[1]);
  if (pid < 0) {
    close(out[0]);
    if (life[0] >= 0)
      close(life[0]);
    snprintf(why, room, "no process: %s", strerror(error));
    return false;
  }
  setpgid(pid, pid); /* whoever is first: a signal to the group must find it */
  child->pid = pid;
  child->last[0] = '\0';
  child->lines.sink = take_line;
  child->lines.owner = child;
  watch(&child->out, out[0], on_output, child);
  if (life[0] >= 0)
    watch(&child->life, life[0], on_life, child);
  return true;
}

void child_signal(const struct child *child, int number) {
  if (child->pid > 0)
    kill(number == SIGKILL ? -child->pid : child->pid, number);
}

bool child_collect(struct child *child, int *status) {
  siginfo_t info = {0};
  if (child->pid == 0 || waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid == 0)
    return false;
  /* Not collected yet, so the group's number is still its own. */
  kill(-child->pid, SIGKILL);
  if (waitpid(child->pid, status, 0) != child->pid)
    abort();
  child->pid = 0;
  for (int reads = 0; reads < LAST_READS && read_output(child); reads++)
    ;
  lines_end(&child->lines, clock_us());
  unwatch(&child->out);
  if (child->gives_up_root)
    unwatch(&child->life);
  return true;
}

void child_tell_end(int status, char *text, size_t room) {
  static const struct {
    int number;
    const char *name;
  } known[] = {{SIGKILL, "SIGKILL"}, {SIGTERM, "SIGTERM"}, {SIGSEGV, "SIGSEGV"},
               {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},   {SIGILL, "SIGILL"},
               {SIGFPE, "SIGFPE"},   {SIGSYS, "SIGSYS"},   {SIGINT, "SIGINT"}};
  if (WIFEXITED(status)) {
    snprintf(text, room, "exit status %d", WEXITSTATUS(status));
    return;
  }
  int number = WTERMSIG(status);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].number == number) {
      snprintf(text, room, "killed by %s", known[i].name);
      return;
    }
  snprintf(text, room, "killed by signal %d", number);
}
