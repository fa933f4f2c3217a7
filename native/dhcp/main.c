/* ocellus-dhcp: what udhcpc calls in place of a shell script, for a camera that has no shell. */
#include "dhcp.h"

int main(int argc, char **argv) { return dhcp(argc, argv, "/run/resolv.conf"); }
