#include "lease.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t\n"

/* An address that one host can have: not "this network", loopback, multicast or reserved. */
static bool is_host(struct in_addr address) {
  uint32_t first = ntohl(address.s_addr) >> 24;
  return first != 0 && first != 127 && first < 224;
}

static bool is_mask(struct in_addr mask) {
  uint32_t hosts = ~ntohl(mask.s_addr);
  return mask.s_addr != 0 && (hosts & (hosts + 1)) == 0;
}

/* As the kernel has it for an address without one: by its class. */
static struct in_addr default_mask(struct in_addr address) {
  uint32_t bits = ntohl(address.s_addr);
  uint32_t mask = IN_CLASSA(bits) ? IN_CLASSA_NET : IN_CLASSB(bits) ? IN_CLASSB_NET : IN_CLASSC_NET;
  return (struct in_addr){htonl(mask)};
}

/* Neither the network's own number nor its broadcast address, where the mask leaves room for these. */
static bool is_of_network(struct in_addr address, struct in_addr mask) {
  uint32_t hosts = ~ntohl(mask.s_addr);
  uint32_t host = ntohl(address.s_addr) & hosts;
  return hosts <= 1 || (host != 0 && host != hosts);
}

/* The next word of a list, as an address. False at the end; a word that is none gives INADDR_ANY. */
static bool next_address(const char **at, struct in_addr *address) {
  char word[INET_ADDRSTRLEN];
  *at += strspn(*at, BLANKS);
  size_t bytes = strcspn(*at, BLANKS);
  if (bytes == 0)
    return false;
  address->s_addr = INADDR_ANY;
  if (bytes < sizeof word) {
    memcpy(word, *at, bytes);
    word[bytes] = '\0';
    if (inet_pton(AF_INET, word, address) != 1)
      address->s_addr = INADDR_ANY;
  }
  *at += bytes;
  return true;
}

const char *lease_interface(char name[IFNAMSIZ], lease_lookup *get) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  const char *value = get("interface");
  size_t bytes = value == NULL ? 0 : strlen(value);
  if (bytes == 0 || bytes >= IFNAMSIZ || strspn(value, allowed) != bytes)
    return "udhcpc names no interface.";
  memcpy(name, value, bytes + 1);
  return NULL;
}

static void read_router(struct lease *lease, const char *list) {
  struct in_addr router;
  while (lease->router.s_addr == INADDR_ANY && list != NULL && next_address(&list, &router)) {
    bool near = ((router.s_addr ^ lease->address.s_addr) & lease->mask.s_addr) == 0;
    if (is_host(router) && near && is_of_network(router, lease->mask) &&
        router.s_addr != lease->address.s_addr)
      lease->router = router;
  }
}

static void read_resolvers(struct lease *lease, const char *list) {
  struct in_addr dns;
  while (lease->dns_count < LEASE_DNS_MAX && list != NULL && next_address(&list, &dns))
    if (is_host(dns))
      lease->dns[lease->dns_count++] = dns;
}

const char *lease_read(struct lease *lease, lease_lookup *get) {
  *lease = (struct lease){.dns_count = 0};
  const char *mistake = lease_interface(lease->interface, get);
  if (mistake != NULL)
    return mistake;
  const char *ip = get("ip");
  if (ip == NULL || inet_pton(AF_INET, ip, &lease->address) != 1 || !is_host(lease->address))
    return "The lease has no address that a host can have.";
  const char *subnet = get("subnet");
  lease->mask = default_mask(lease->address);
  if (subnet != NULL && (inet_pton(AF_INET, subnet, &lease->mask) != 1 || !is_mask(lease->mask)))
    return "The lease has a subnet mask that is none.";
  if (!is_of_network(lease->address, lease->mask))
    return "The lease's address is its network's own.";
  read_router(lease, get("router"));
  read_resolvers(lease, get("dns"));
  return NULL;
}

static void append(char *text, const char *before, struct in_addr address, const char *after) {
  char word[INET_ADDRSTRLEN];
  size_t at = strlen(text);
  inet_ntop(AF_INET, &address, word, sizeof word);
  snprintf(text + at, LEASE_TEXT_BYTES - at, "%s%s%s", before, word, after);
}

void lease_tell(const struct lease *lease, char text[LEASE_TEXT_BYTES]) {
  char bits[8];
  snprintf(bits, sizeof bits, "/%d", __builtin_popcount(lease->mask.s_addr));
  text[0] = '\0';
  append(text, "", lease->address, bits);
  if (lease->router.s_addr != INADDR_ANY)
    append(text, ", router ", lease->router, "");
  for (unsigned i = 0; i < lease->dns_count; i++)
    append(text, ", dns ", lease->dns[i], "");
}

void lease_resolvers(const struct lease *lease, char text[LEASE_TEXT_BYTES]) {
  text[0] = '\0';
  for (unsigned i = 0; i < lease->dns_count; i++)
    append(text, "nameserver ", lease->dns[i], "\n");
}

int lease_default_route(const char *line, const char *interface, struct in_addr *router) {
  char name[64];
  unsigned destination, gateway, flags, mask;
  /* Iface Destination Gateway Flags RefCnt Use Metric Mask: numbers of the machine's byte order */
  if (sscanf(line, "%63s %x %x %x %*d %*d %*d %x", name, &destination, &gateway, &flags, &mask) !=
      5)
    return 0;
  router->s_addr = gateway;
  return strcmp(name, interface) == 0 && destination == 0 && mask == 0;
}
