/*
 * The hardware watchdog, by the kernel's interface (Documentation/watchdog/watchdog-api.rst of Linux):
 *
 * - it runs from the moment its device is opened, and resets the machine once nothing was written for its timeout;
 * - any write feeds it (WDIOC_KEEPALIVE does the same); we write one zero byte, which a plain file counts for tests;
 * - closing the device disarms it only after a 'V' was written ("magic close"), and with CONFIG_WATCHDOG_NOWAYOUT never.
 *   We write none and never close it ourselves;
 * - closing a watchdog that cannot be stopped feeds it (watchdog_release of Linux): a supervisor that ends gets a timeout
 *   for the next one to come, and one that ends again and again feeds for ever. So who comes next looks at the time of the
 *   agent's last sign before it opens the device (supervise.c);
 * - WDIOC_SETTIMEOUT sets the timeout in seconds and gives the one that the hardware can do;
 * - WDIOC_GETBOOTSTATUS has WDIOF_CARDRESET set where the watchdog reset the machine before this boot; a driver that can
 *   know that has the bit among WDIOC_GETSUPPORT's options.
 */
#ifndef OCELLUS_SUPERVISE_WATCHDOG_H
#define OCELLUS_SUPERVISE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

struct watchdog {
  int fd; /* -1: there is none */
  uint32_t timeout_s;
  bool was_reset; /* it reset the machine before this boot */
  bool mute;      /* its driver cannot know whether it did */
};

/* Opens, that is arms, the watchdog. `path` NULL: there is to be none. Says in the log what fails; without a watchdog
 * the camera goes on. */
void watchdog_open(struct watchdog *watchdog, const char *path, uint32_t timeout_s);

/* How often to feed it. */
uint64_t watchdog_interval_us(const struct watchdog *watchdog);

void watchdog_feed(const struct watchdog *watchdog);

#endif
