/*
 * What the last boot left behind: the kernel's records in RAM, by pstore (Documentation/admin-guide/ramoops.rst of Linux),
 * and on tmpfs the supervisor's own trace, which only a supervisor of the same boot finds.
 *
 * pstore's files: `dmesg-ramoops-N`, one for each oops or panic, which stay in RAM until they are unlinked; and
 * `console-ramoops` or `console-ramoops-N`, the newest part of the kernel's log of the boot before. That one is a copy that
 * ramoops made as it began this boot's record in the same place: to unlink it erases this boot's, and the next boot would
 * not find it anyway.
 */
#ifndef OCELLUS_SUPERVISE_LAST_H
#define OCELLUS_SUPERVISE_LAST_H

#include <stdbool.h>
#include <stdint.h>

#include "reason.h"
#include "watchdog.h"

/* Bytes of the last boot's log that are kept, in the file `log.before` of the journal's directory. */
#define LAST_LOG_BYTES 16384

/* Finds out why the machine was started, keeps the last boot's log, and erases pstore's dumps. `pstore` NULL: there are
 * none. */
void last_boot_read(const char *pstore, const struct watchdog *watchdog, char reason[REASON_BYTES]);

/* Whether a supervisor has run before in this boot; then `sign_us` gets when the agent gave its last sign of life. */
bool last_sign_read(uint64_t now_us, uint64_t *sign_us);

/* Keeps the time of the agent's sign of life for a supervisor that comes after this one. */
void last_sign_write(uint64_t sign_us);

#endif
