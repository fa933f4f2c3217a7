#define _GNU_SOURCE
#include "resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SECONDS 60 /* should its parent forget it */

bool resolve_numeric(const char *host, uint16_t port, union resolve_address *address) {
  memset(address, 0, sizeof *address);
  if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons(port);
    return true;
  }
  if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons(port);
    return true;
  }
  return false;
}

/* ---- the child ---- */

static void close_all_but(int kept) {
  struct rlimit limit;
  int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (int)limit.rlim_cur : 1024;
  for (int fd = 0; fd < end; fd++)
    if (fd != kept)
      close(fd);
}

static void collect(const struct addrinfo *list, struct resolve_result *result) {
  for (; list != NULL && result->count < RESOLVE_ADDRESSES_MAX; list = list->ai_next) {
    if (list->ai_addrlen > sizeof *result->addresses ||
        (list->ai_family != AF_INET && list->ai_family != AF_INET6))
      continue;
    memcpy(&result->addresses[result->count++], list->ai_addr, list->ai_addrlen);
  }
}

static void __attribute__((noreturn)) ask(const char *host, uint16_t port, int out) {
  static struct resolve_result result;
  char service[8];
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
  struct addrinfo *list = NULL;
  signal(SIGTERM, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  alarm(CHILD_SECONDS);
  close_all_but(out);
  snprintf(service, sizeof service, "%u", port);
  result.error = getaddrinfo(host, service, &hints, &list);
  if (result.error == 0)
    collect(list, &result);
  ssize_t written = write(out, &result, sizeof result); /* fits into any pipe */
  _exit(written == (ssize_t)sizeof result ? 0 : 1);
}

/* ---- the parent ---- */

static void reap(struct resolve *resolve) {
  loop_remove(&resolve->watch);
  close(resolve->watch.fd);
  kill(resolve->child, SIGKILL); /* it is done, or is to be */
  while (waitpid(resolve->child, NULL, 0) < 0 && errno == EINTR)
    ;
  resolve->child = 0;
}

static void on_pipe(void *owner, short revents) {
  struct resolve *resolve = owner;
  struct resolve_result result;
  (void)revents;
  ssize_t got = read(resolve->watch.fd, &result, sizeof result);
  if (got < 0 && (errno == EINTR || errno == EAGAIN))
    return;
  reap(resolve);
  if (got != (ssize_t)sizeof result || result.count > RESOLVE_ADDRESSES_MAX ||
      (result.error == 0 && result.count == 0))
    result = (struct resolve_result){.error = EAI_FAIL};
  resolve->done(resolve->owner, &result);
}

bool resolve_ask(struct resolve *resolve, const char *host, uint16_t port,
                 void (*done)(void *owner, const struct resolve_result *result), void *owner) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return false;
  pid_t child = fork();
  if (child == 0)
    ask(host, port, ends[1]);
  close(ends[1]);
  if (child < 0) {
    close(ends[0]);
    return false;
  }
  *resolve = (struct resolve){.child = child, .done = done, .owner = owner};
  resolve->watch =
      (struct loop_watch){.fd = ends[0], .events = POLLIN, .ready = on_pipe, .owner = resolve};
  loop_add(&resolve->watch);
  return true;
}

void resolve_cancel(struct resolve *resolve) {
  if (resolve->child > 0)
    reap(resolve);
}
