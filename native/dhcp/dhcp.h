/* udhcpc's script, but for the interface (interface.h) and where resolv.conf is. */
#ifndef OCELLUS_DHCP_DHCP_H
#define OCELLUS_DHCP_DHCP_H

/* Does what udhcpc wants done. Returns the status to exit with: 0, 64 wrong usage, 71 it could not be done. */
int dhcp(int argc, char **argv, const char *resolv_conf);

#endif
