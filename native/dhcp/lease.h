/*
 * What udhcpc was given, from the environment that it calls its script with (networking/udhcp/dhcpc.c of busybox):
 * interface, ip, subnet, router and dns (several, separated by blanks). Pure.
 *
 * The values are a stranger's: each is parsed as what it must be, and what else is there is not looked at.
 */
#ifndef OCELLUS_DHCP_LEASE_H
#define OCELLUS_DHCP_LEASE_H

#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>

#define LEASE_DNS_MAX 3 /* more are not asked: MAXNS of musl */
#define LEASE_TEXT_BYTES 256

struct lease {
  char interface[IFNAMSIZ];
  struct in_addr address;
  struct in_addr mask;
  struct in_addr router; /* INADDR_ANY: none */
  struct in_addr dns[LEASE_DNS_MAX];
  unsigned dns_count;
};

/* Gives a variable's value, or NULL. */
typedef const char *lease_lookup(const char *name);

/* Reads the interface's name. NULL; or what is wrong, one sentence. */
const char *lease_interface(char name[IFNAMSIZ], lease_lookup *get);

/* Reads a whole lease. Routers and name servers that cannot be are left out. NULL; or what is wrong, one sentence. */
const char *lease_read(struct lease *lease, lease_lookup *get);

/* The lease for people: "10.0.2.15/24, router 10.0.2.2, dns 10.0.2.3". */
void lease_tell(const struct lease *lease, char text[LEASE_TEXT_BYTES]);

/* resolv.conf. */
void lease_resolvers(const struct lease *lease, char text[LEASE_TEXT_BYTES]);

/* One line of /proc/net/route: whether it is a default route of this interface, and through which router. */
int lease_default_route(const char *line, const char *interface, struct in_addr *router);

#endif
