#define _GNU_SOURCE
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "command_line.h"
#include "host/clock.h"
#include "host/life.h"
#include "host/timers.h"
#include "journal.h"
#include "last.h"
#include "machine.h"
#include "watchdog.h"

#define STATUS_REBOOT 76        /* of the agent: native.d.ts, exit */
#define SIGN_WRITE_US 10000000u /* how often the last sign is kept for the next supervisor */
#define DESCRIPTORS_LOOKED_AT 1024
#define START_MARK_BYTES (REASON_BYTES + 32)

static struct child agent;
static struct child encoder;
static struct watchdog watchdog;
static struct timer step_timer;
static struct timer feed_timer;
static struct loop_watch signal_watch;
static int signal_pipe[2];
static uint64_t sign_us; /* the agent's last, of whichever of its processes */
static uint64_t sign_written_us;
static bool starving; /* the watchdog is not fed */
static bool stopping;
static bool rebooting;

/* ---- ending ---- */

static int over(void) { return care_over(&agent.care) && care_over(&encoder.care); }

static void stop(void) {
  if (stopping)
    return;
  stopping = true;
  /* The agent first: it seals what it has and says goodbye. The encoder's turn comes when it has ended: see step(). */
  if (care_stop(&agent.care, clock_us()) == CARE_TERMINATE)
    child_signal(&agent, SIGTERM);
}

static void mark(const char *reason) {
  char text[START_MARK_BYTES];
  snprintf(text, sizeof text, REASON_MARK "%s", reason);
  journal_mark(text);
}

/* ---- programs ---- */

static void tell_wait(const struct child *child, const char *why, uint64_t wait_us) {
  if (wait_us == 0)
    journal_say("%s ended: %s", child->command->name, why);
  else
    journal_say("%s ended: %s; it starts again in %llu ms", child->command->name, why,
                (unsigned long long)((wait_us + 999) / 1000));
}

static void begin(struct child *child) {
  char why[128];
  if (child_start(child, why, sizeof why))
    journal_say("%s started: %s", child->command->name, child->care.reason);
  else
    tell_wait(child, why, care_ended(&child->care, why, clock_us()));
}

static void tell_hang(void) {
  size_t bytes = strlen(agent.care.reason);
  if (agent.last[0] != '\0')
    snprintf(agent.care.reason + bytes, sizeof agent.care.reason - bytes, "; its last line: %s",
             agent.last);
  journal_say("agent is stopped: %s", agent.care.reason);
}

static void act(struct child *child, enum care_action action) {
  switch (action) {
  case CARE_START:
    begin(child);
    break;
  case CARE_TERMINATE: /* only what is watched: the agent */
    tell_hang();
    child_signal(child, SIGTERM);
    break;
  case CARE_KILL:
    journal_say("%s is killed: it does not end", child->command->name);
    child_signal(child, SIGKILL);
    break;
  default:
    break;
  }
}

/* Does what is due, and comes back when more is. */
static void step(void *owner) {
  (void)owner;
  struct child *const children[] = {&agent, &encoder};
  uint64_t due_us = UINT64_MAX;
  if (stopping && care_over(&agent.care) && care_stop(&encoder.care, clock_us()) == CARE_TERMINATE)
    child_signal(&encoder, SIGTERM);
  for (size_t i = 0; i < 2; i++) {
    struct child *child = children[i];
    enum care_action action;
    while ((action = care_step(&child->care, clock_us())) != CARE_NOTHING)
      act(child, action);
    if (care_due_us(&child->care) < due_us)
      due_us = care_due_us(&child->care);
  }
  uint64_t now_us = clock_us();
  timer_disarm(&step_timer);
  if (due_us != UINT64_MAX)
    timer_arm(&step_timer, due_us > now_us ? due_us - now_us : 0, step, NULL);
}

static void collect(struct child *child) {
  int status;
  char why[64];
  if (!child_collect(child, &status))
    return;
  if (child == &agent && WIFEXITED(status) && WEXITSTATUS(status) == STATUS_REBOOT && !stopping) {
    rebooting = true;
    stop();
  }
  child_tell_end(status, why, sizeof why);
  tell_wait(child, why, care_ended(&child->care, why, clock_us()));
}

/* What the agent holds, in RAM, outlives an encoder that hangs: only the encoder is started again. */
static void judge_encoder(char sign) {
  if (sign != LIFE_NO_PICTURES) {
    care_useful(&encoder.care);
    return;
  }
  if (care_useless(&encoder.care, "hung: the agent gets no pictures", sign_us) != CARE_TERMINATE)
    return;
  journal_say("encoder is stopped: %s", encoder.care.reason);
  child_signal(&encoder, SIGTERM);
  step(NULL); /* SIGKILL may be what is due next */
}

static void on_sign(struct child *child, char sign) {
  sign_us = clock_us();
  care_sign(&child->care, sign_us);
  judge_encoder(sign);
  if (sign_us - sign_written_us < SIGN_WRITE_US)
    return;
  sign_written_us = sign_us;
  last_sign_write(sign_us);
}

/* ---- watchdog ---- */

static void feed(void *owner) {
  (void)owner;
  bool silent = clock_us() - sign_us > agent.care.times->silence_us;
  if (silent != starving) {
    starving = silent;
    mark(silent ? "watchdog reset: the agent gave no sign of life" : "");
  }
  if (!silent)
    watchdog_feed(&watchdog);
  timer_arm(&feed_timer, watchdog_interval_us(&watchdog), feed, NULL);
}

/* ---- signals ---- */

static void on_signal(int number) {
  int error = errno;
  char byte = (char)number;
  ssize_t ignored = write(signal_pipe[1], &byte, 1); /* full: one is waiting already */
  (void)ignored;
  errno = error;
}

static void take_signals(void *owner, short revents) {
  char bytes[64];
  ssize_t count;
  (void)owner;
  (void)revents;
  while ((count = read(signal_pipe[0], bytes, sizeof bytes)) > 0)
    for (ssize_t i = 0; i < count; i++)
      if (bytes[i] != SIGCHLD)
        stop();
  collect(&agent);
  collect(&encoder);
  step(NULL);
}

static bool watch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
  sigemptyset(&action.sa_mask);
  if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0 || sigaction(SIGTERM, &action, NULL) != 0 ||
      sigaction(SIGINT, &action, NULL) != 0 || sigaction(SIGCHLD, &action, NULL) != 0 ||
      signal(SIGPIPE, SIG_IGN) == SIG_ERR)
    return false;
  signal_watch = (struct loop_watch){.fd = signal_pipe[0], .events = POLLIN, .ready = take_signals};
  loop_add(&signal_watch);
  return true;
}

/* ---- start ---- */

/* Another supervisor ran before in this boot, and the agent has been silent for too long under both: each end of one fed the
 * watchdog (watchdog.h), so it may never bite. */
static void restart_silent_machine(void) {
  mark("restart by the supervisor: it ended, and the agent gave no sign of life");
  machine_restart();
  journal_say("the machine does not restart: %s; the watchdog is fed no more", strerror(errno));
}

/* Before the watchdog is opened. Whether this is the boot's first supervisor; kept before anything that might end it. */
static bool begin_boot(uint64_t silence_us) {
  uint64_t now_us = clock_us();
  if (!last_sign_read(now_us, &sign_us)) {
    sign_us = now_us;
    last_sign_write(sign_us);
    return true;
  }
  if (now_us - sign_us > silence_us)
    restart_silent_machine();
  return false;
}

/* Of whoever started this: the programs are to have none but their own. */
static void close_inherited(void) {
  for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_LOOKED_AT; fd++)
    close(fd);
}

static bool set_up(const struct options *options, const struct care_times *times) {
  char reason[REASON_BYTES];
  umask(022);
  close_inherited();
  agent = (struct child){.command = &options->agent, .gives_up_root = true, .sign = on_sign};
  agent.log_directory = options->run;
  encoder = (struct child){.command = &options->encoder};
  if (!privilege_choose(&agent.identity, options->agent.user) ||
      !privilege_choose(&encoder.identity, options->encoder.user) || !watch_signals())
    return false;
  journal_open(options->run, options->kmsg, agent.identity.gid);
  bool first = begin_boot(times->silence_us);
  watchdog_open(&watchdog, options->watchdog, options->watchdog_timeout_s);
  if (first)
    last_boot_read(options->pstore, &watchdog, reason);
  else
    snprintf(reason, sizeof reason, "crash: the supervisor ended");
  journal_say("this start's reason: %s", reason);
  uint64_t now_us = clock_us();
  care_init(&agent.care, times, true, reason, now_us);
  care_init(&encoder.care, times, false, reason, now_us);
  return true;
}

int supervise(int argc, char **argv, const struct care_times *times) {
  struct options options;
  int status = command_line_read(&options, argc, argv);
  if (status >= 0)
    return status;
  if (!set_up(&options, times))
    return EXIT_SETUP;
  feed(NULL);
  step(NULL);
  while (!over())
    loop_pass(over);
  if (!rebooting) {
    journal_say("stopped");
    return EXIT_STOPPED;
  }
  mark("reboot command");
  machine_restart();
  journal_say("the machine does not restart: %s", strerror(errno));
  mark("");
  return EXIT_SETUP;
}
