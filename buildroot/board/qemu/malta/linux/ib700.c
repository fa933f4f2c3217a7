// SPDX-License-Identifier: GPL-2.0
/*
 * The watchdog "iBASE 700" on Malta's ISA bus. QEMU has one other that could be plugged in, i6300esb, and it cannot be
 * armed there: it wants one byte written to its configuration, and Malta's host bridge writes words.
 *
 * Linux's own driver, ib700wdt, is for x86 and predates the watchdog core. Here the core feeds the hardware, whose longest
 * time is short, for as long as the timeout asked for has not passed; and from the start of the kernel on until
 * watchdog.open_timeout.
 */
#include <linux/init.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/watchdog.h>

/* Writing to the second starts it anew, for 30 s less two for each 1; to the first, stops it. */
#define PORT_STOP 0x441
#define PORT_START 0x443
#define LONGEST_MS 30000

static int ib700_feed(struct watchdog_device *device) {
  outb(0, PORT_START);
  return 0;
}

static const struct watchdog_info ib700_info = {
    .identity = "iBASE 700",
    .options = WDIOF_KEEPALIVEPING | WDIOF_SETTIMEOUT,
};

/* Without a way to stop it: nobody is to. */
static const struct watchdog_ops ib700_ops = {
    .start = ib700_feed,
    .ping = ib700_feed,
};

static struct watchdog_device ib700 = {
    .info = &ib700_info,
    .ops = &ib700_ops,
    .timeout = 60,
    .min_timeout = 1,
    .max_hw_heartbeat_ms = LONGEST_MS,
    .status = WATCHDOG_NOWAYOUT_INIT_STATUS,
};

static int __init ib700_init(void) {
  if (!request_region(PORT_STOP, PORT_START - PORT_STOP + 1, "ib700"))
    return -EBUSY;
  ib700_feed(&ib700);
  set_bit(WDOG_HW_RUNNING, &ib700.status);
  return watchdog_register_device(&ib700);
}
device_initcall(ib700_init);
