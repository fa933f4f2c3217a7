/*
 * Drives what of ocellus-supervise and ocellus-dhcp is pure: each line of input is one call, each line of output its
 * result.
 *
 *   care WATCHED REASON    a program to care for from now on, with the camera's limits of time
 *   at US                  the time from here on
 *   step, due, sign, stop, over, reason, useful
 *   ended WHY, useless REASON
 *   take HEX               bytes of a program's output; the lines that come out, joined by '|'
 *   end                    the program has ended; likewise
 *   dump HEX               what a dump of the kernel says
 *   start PANIC WATCHDOG CONSOLE   the reason of a start; "-": no panic, no console; the console in hexadecimal
 *   route INTERFACE HEX    the router of a line of /proc/net/route
 */
#include <arpa/inet.h>
#include <inttypes.h>

#include "dhcp/lease.h"
#include "supervise/care.h"
#include "supervise/lines.h"
#include "supervise/reason.h"
#include "support/dialogue.h"

static uint64_t at_us;
static struct care care;
static char said[LINE_BYTES];
static uint8_t bytes[LINE_BYTES];

static void take_line(void *owner, const char *line, size_t count) {
  size_t at = strlen(said);
  (void)owner;
  snprintf(said + at, sizeof said - at, "%s%.*s", at == 0 ? "" : "|", (int)count, line);
}

static struct lines lines = {.sink = take_line};

static const char *action_name(enum care_action action) {
  static const char *const names[] = {"nothing", "start", "terminate", "kill"};
  return names[action];
}

static int drive_care(const char *words[]) {
  const char *command = words[0];
  if (strcmp(command, "care") == 0)
    care_init(&care, &CARE_TIMES, words[1][0] == '1', words[2], at_us), say("ok");
  else if (strcmp(command, "at") == 0)
    at_us = strtoull(words[1], NULL, 10), say("ok");
  else if (strcmp(command, "step") == 0)
    say("%s", action_name(care_step(&care, at_us)));
  else if (strcmp(command, "due") == 0 && care_due_us(&care) == UINT64_MAX)
    say("never");
  else if (strcmp(command, "due") == 0)
    say("%" PRIu64, care_due_us(&care));
  else if (strcmp(command, "sign") == 0)
    care_sign(&care, at_us), say("ok");
  else if (strcmp(command, "stop") == 0)
    say("%s", action_name(care_stop(&care, at_us)));
  else if (strcmp(command, "over") == 0)
    say("%d", care_over(&care));
  else if (strcmp(command, "reason") == 0)
    say("%s", care.reason);
  else if (strcmp(command, "ended") == 0)
    say("%" PRIu64, care_ended(&care, words[1], at_us));
  else if (strcmp(command, "useless") == 0)
    say("%s", action_name(care_useless(&care, words[1], at_us)));
  else if (strcmp(command, "useful") == 0)
    care_useful(&care), say("ok");
  else
    return 0;
  return 1;
}

static int drive_lines(const char *words[]) {
  said[0] = '\0';
  if (strcmp(words[0], "take") == 0)
    lines_take(&lines, (char *)bytes, unhex(words[1], bytes, sizeof bytes), at_us);
  else if (strcmp(words[0], "end") == 0)
    lines_end(&lines, at_us);
  else
    return 0;
  say("%s", said);
  return 1;
}

static int drive_reasons(const char *words[]) {
  char reason[REASON_BYTES];
  if (strcmp(words[0], "dump") == 0) {
    uint32_t count = unhex(words[1], bytes, sizeof bytes);
    say("%s", reason_of_dump((char *)bytes, count, reason) ? reason : "nothing");
    return 1;
  }
  if (strcmp(words[0], "start") != 0)
    return 0;
  struct last_boot last = {.watchdog_reset = words[2][0] == '1',
                           .watchdog_mute = words[2][0] == '?'};
  if (strcmp(words[1], "-") != 0)
    last.panic = words[1];
  if (strcmp(words[3], "-") != 0) {
    last.console = (char *)bytes;
    last.console_bytes = unhex(words[3], bytes, sizeof bytes);
  }
  reason_of_start(&last, reason);
  say("%s", reason);
  return 1;
}

static int drive_routes(const char *words[]) {
  char line[512];
  struct in_addr router;
  char text[INET_ADDRSTRLEN];
  if (strcmp(words[0], "route") != 0)
    return 0;
  line[unhex(words[2], (uint8_t *)line, sizeof line - 1)] = '\0';
  int found = lease_default_route(line, words[1], &router);
  say("%s", found ? inet_ntop(AF_INET, &router, text, sizeof text) : "none");
  return 1;
}

int main(void) {
  static char line[LINE_BYTES];
  while (read_line(line)) {
    const char *words[WORDS_MAX];
    split(line, words);
    if (!drive_care(words) && !drive_lines(words) && !drive_reasons(words) && !drive_routes(words))
      say("what?");
  }
  return 0;
}
