/* ocellus-dhcp as it is, but that what it would do to the interface is only said: "configure eth0 10.0.2.15/24, …". The
 * path of resolv.conf comes from OCELLUS_RESOLV_CONF. */
#include <stdio.h>
#include <stdlib.h>

#include "dhcp/dhcp.h"
#include "dhcp/interface.h"

bool interface_configure(const struct lease *lease) {
  char text[LEASE_TEXT_BYTES];
  lease_tell(lease, text);
  printf("configure %s %s\n", lease->interface, text);
  return true;
}

bool interface_clear(const char *name) {
  printf("clear %s\n", name);
  return true;
}

int main(int argc, char **argv) {
  const char *resolv_conf = getenv("OCELLUS_RESOLV_CONF");
  return resolv_conf == NULL ? 1 : dhcp(argc, argv, resolv_conf);
}
