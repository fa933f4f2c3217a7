/*
 * Looking up host names without stopping the loop.
 *
 * getaddrinfo() is the only resolver that every C library has, and it waits for as long as it
 * likes. So a child process asks and writes what it learns into a pipe; a thread would do as well,
 * but this program has none, and a child that hangs can be killed. The child closes every
 * descriptor but the pipe's (a copy of a socket would keep its connection from ending), and sees
 * nothing of what its parent does later.
 */
#ifndef OCELLUS_HOST_RESOLVE_H
#define OCELLUS_HOST_RESOLVE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "loop.h"

#define RESOLVE_ADDRESSES_MAX 8

/* An address with its port. */
union resolve_address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

struct resolve_result {
  int error; /* 0, or EAI_* */
  uint32_t count;
  union resolve_address addresses[RESOLVE_ADDRESSES_MAX];
};

/* One question. A member of whoever asks, who cancels it before it goes away. Zero: none asked. */
struct resolve {
  pid_t child; /* while asking */
  struct loop_watch watch;
  void (*done)(void *owner, const struct resolve_result *result);
  void *owner;
};

/* Reads a numeric address, IPv4 or IPv6. False: it is a name. */
bool resolve_numeric(const char *host, uint16_t port, union resolve_address *address);

/* Asks; `done` comes from the loop. False where no child could be made (errno). */
bool resolve_ask(struct resolve *resolve, const char *host, uint16_t port,
                 void (*done)(void *owner, const struct resolve_result *result), void *owner);

/* Kills the child, if any. */
void resolve_cancel(struct resolve *resolve);

#endif
