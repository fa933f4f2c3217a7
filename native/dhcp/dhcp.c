#define _GNU_SOURCE
#include "dhcp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interface.h"
#include "lease.h"

#define DONE 0
#define USAGE 64
#define FAILED 71

static const char usage[] =
    "Usage: ocellus-dhcp (deconfig | bound | renew | nak | leasefail)\n"
    "udhcpc's script (udhcpc -s): gives the interface what udhcpc was given, which is in the\n"
    "environment, and writes /run/resolv.conf.\n";

static const char *variable(const char *name) { return getenv(name); }

static int complain(const char *text) {
  fprintf(stderr, "ocellus-dhcp: %s\n", text);
  return FAILED;
}

/* In one step, for whoever looks a name up meanwhile. */
static bool write_resolvers(const char *path, const char *text) {
  char whole[PATH_MAX];
  size_t bytes = strlen(text);
  snprintf(whole, sizeof whole, "%s.new", path);
  unlink(whole);
  int fd = open(whole, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0)
    return false;
  bool good = fchmod(fd, 0644) == 0 && write(fd, text, bytes) == (ssize_t)bytes;
  close(fd);
  return good && rename(whole, path) == 0;
}

static int bound(const char *resolv_conf) {
  struct lease lease;
  char text[LEASE_TEXT_BYTES];
  const char *mistake = lease_read(&lease, variable);
  if (mistake != NULL)
    return complain(mistake);
  if (!interface_configure(&lease))
    return FAILED;
  lease_resolvers(&lease, text);
  if (!write_resolvers(resolv_conf, text)) {
    fprintf(stderr, "ocellus-dhcp: cannot write %s: %s\n", resolv_conf, strerror(errno));
    return FAILED;
  }
  lease_tell(&lease, text);
  fprintf(stderr, "ocellus-dhcp: %s: %s\n", lease.interface, text);
  return DONE;
}

static int deconfigure(const char *resolv_conf) {
  char name[IFNAMSIZ];
  const char *mistake = lease_interface(name, variable);
  if (mistake != NULL)
    return complain(mistake);
  unlink(resolv_conf); /* the name servers of a network that may not be this one any more */
  return interface_clear(name) ? DONE : FAILED;
}

int dhcp(int argc, char **argv, const char *resolv_conf) {
  const char *event = argc == 2 ? argv[1] : "";
  if (strcmp(event, "bound") == 0 || strcmp(event, "renew") == 0)
    return bound(resolv_conf);
  if (strcmp(event, "deconfig") == 0)
    return deconfigure(resolv_conf);
  if (strcmp(event, "nak") == 0)
    return complain("the server refused the address."), DONE;
  if (strcmp(event, "leasefail") == 0)
    return complain("no server gives an address; it is asked again."), DONE;
  fputs(usage, stderr);
  return USAGE;
}
