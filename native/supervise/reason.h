/*
 * Why the machine was started: found in what the last boot left. Pure.
 *
 * The order matters: after a panic, and on some chips after each restart, the reset is made by the watchdog, so its flag
 * says nothing where there are better words.
 */
#ifndef OCELLUS_SUPERVISE_REASON_H
#define OCELLUS_SUPERVISE_REASON_H

#include <stdbool.h>
#include <stddef.h>

#define REASON_BYTES 200

/* The supervisor's last word in the kernel's log says what the next start's reason will be; the newest counts. With
 * nothing behind it, it takes an earlier one back. */
#define REASON_MARK "next start: "

/* Finds the panic, or else the oops, in one dump that the kernel left (dmesg-ramoops-N). `panic` gets the kernel's words
 * for it. False where there is neither. */
bool reason_of_dump(const char *text, size_t bytes, char panic[REASON_BYTES]);

/* The last boot. */
struct last_boot {
  const char *panic;   /* NULL: none */
  const char *console; /* newest part of the kernel's log, or NULL */
  size_t console_bytes;
  bool watchdog_reset;
  bool watchdog_mute; /* there is a watchdog, and it cannot say so */
};

/*
 * "kernel panic: …", what a mark says, "watchdog reset", or "power".
 *
 * RAM that kept a log was not without power for long. Where the watchdog is mute, a log that breaks off is therefore its
 * doing or that of a short loss of power, which DRAM outlives; one that ends in order, without our mark, is a "restart"
 * that somebody else asked for. The log's first line may be cut, so a mark is not taken from it.
 */
void reason_of_start(const struct last_boot *last, char reason[REASON_BYTES]);

#endif
