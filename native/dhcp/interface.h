/* The network interface, which root alone may set. Behind an interface of its own: the tests' home is in test/native. */
#ifndef OCELLUS_DHCP_INTERFACE_H
#define OCELLUS_DHCP_INTERFACE_H

#include <stdbool.h>

#include "lease.h"

/* Gives it the lease's address and, through it, the default route. What is so already is left alone: connections go on
 * over a renewal. False after a line on standard error. */
bool interface_configure(const struct lease *lease);

/* Brings it up without an address. False after a line on standard error. */
bool interface_clear(const char *name);

#endif
