#define _GNU_SOURCE
#include "interface.h"

#include <errno.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool fails(const char *name, const char *what) {
  fprintf(stderr, "ocellus-dhcp: %s: cannot set %s: %s\n", name, what, strerror(errno));
  return false;
}

static struct ifreq request(const char *name) {
  struct ifreq request = {0};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  return request;
}

static void put(struct sockaddr *out, struct in_addr address) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = address};
  memcpy(out, &in, sizeof in);
}

static bool has(int socket, const char *name, unsigned long what, struct in_addr address) {
  struct ifreq asked = request(name);
  struct sockaddr_in in;
  if (ioctl(socket, (int)what, &asked) != 0)
    return false;
  memcpy(&in, &asked.ifr_addr, sizeof in);
  return in.sin_addr.s_addr == address.s_addr;
}

static bool set(int socket, const char *name, unsigned long what, struct in_addr address) {
  struct ifreq wanted = request(name);
  put(&wanted.ifr_addr, address);
  return ioctl(socket, (int)what, &wanted) == 0;
}

static bool up(int socket, const char *name) {
  struct ifreq flags = request(name);
  if (ioctl(socket, SIOCGIFFLAGS, &flags) != 0)
    return false;
  if (flags.ifr_flags & IFF_UP)
    return true;
  flags.ifr_flags |= IFF_UP;
  return ioctl(socket, SIOCSIFFLAGS, &flags) == 0;
}

static bool route(int socket, unsigned long what, const char *name, struct in_addr router) {
  char device[IFNAMSIZ];
  struct rtentry entry = {.rt_flags = RTF_UP, .rt_dev = device};
  snprintf(device, sizeof device, "%s", name);
  put(&entry.rt_dst, (struct in_addr){INADDR_ANY});
  put(&entry.rt_genmask, (struct in_addr){INADDR_ANY});
  put(&entry.rt_gateway, router);
  if (router.s_addr != INADDR_ANY)
    entry.rt_flags |= RTF_GATEWAY;
  return ioctl(socket, (int)what, &entry) == 0;
}

/* Removes default routes through other routers. Returns whether there is one through this. */
static bool clean_routes(int socket, const struct lease *lease) {
  char line[256];
  bool there = false;
  FILE *routes = fopen("/proc/net/route", "re");
  if (routes == NULL)
    return false;
  while (fgets(line, sizeof line, routes) != NULL) {
    struct in_addr router;
    if (!lease_default_route(line, lease->interface, &router))
      continue;
    if (router.s_addr == lease->router.s_addr)
      there = true;
    else if (!route(socket, SIOCDELRT, lease->interface, router))
      fails(lease->interface, "an end to an old route");
  }
  fclose(routes);
  return there;
}

static bool configure(int socket, const struct lease *lease) {
  const char *name = lease->interface;
  struct in_addr broadcast = {lease->address.s_addr | ~lease->mask.s_addr};
  if (!up(socket, name))
    return fails(name, "it up");
  if (!has(socket, name, SIOCGIFADDR, lease->address) ||
      !has(socket, name, SIOCGIFNETMASK, lease->mask)) {
    if (!set(socket, name, SIOCSIFADDR, lease->address))
      return fails(name, "its address");
    if (!set(socket, name, SIOCSIFNETMASK, lease->mask) ||
        !set(socket, name, SIOCSIFBRDADDR, broadcast))
      return fails(name, "its network");
  }
  if (clean_routes(socket, lease) || lease->router.s_addr == INADDR_ANY ||
      route(socket, SIOCADDRT, name, lease->router) || errno == EEXIST)
    return true;
  return fails(name, "the default route");
}

bool interface_configure(const struct lease *lease) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return fails(lease->interface, "anything");
  bool good = configure(fd, lease);
  close(fd);
  return good;
}

bool interface_clear(const char *name) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return fails(name, "anything");
  bool good = (set(fd, name, SIOCSIFADDR, (struct in_addr){INADDR_ANY}) && up(fd, name)) ||
              fails(name, "it up without an address");
  close(fd);
  return good;
}
