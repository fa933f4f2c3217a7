/*
 * ocellus-supervise as it is, but for two things: its limits of time are those in OCELLUS_TIMES_MS (first and longest
 * back-off, healthy, hung, hung after a start, stop, silence, useless and its longest), and in place of a restart of the machine it makes the file
 * OCELLUS_RESTARTED and ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervise/machine.h"
#include "supervise/supervise.h"

void machine_restart(void) {
  const char *path = getenv("OCELLUS_RESTARTED");
  int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd >= 0)
    _exit(0);
  errno = EPERM;
}

int main(int argc, char **argv) {
  unsigned ms[9];
  const char *times = getenv("OCELLUS_TIMES_MS");
  if (times == NULL || sscanf(times, "%u,%u,%u,%u,%u,%u,%u,%u,%u", &ms[0], &ms[1], &ms[2], &ms[3],
                              &ms[4], &ms[5], &ms[6], &ms[7], &ms[8]) != 9) {
    fputs("OCELLUS_TIMES_MS is nine numbers\n", stderr);
    return 1;
  }
  const struct care_times given = {
      .back_off_first_us = ms[0] * UINT64_C(1000),
      .back_off_max_us = ms[1] * UINT64_C(1000),
      .healthy_us = ms[2] * UINT64_C(1000),
      .hung_us = ms[3] * UINT64_C(1000),
      .hung_first_us = ms[4] * UINT64_C(1000),
      .stop_us = ms[5] * UINT64_C(1000),
      .silence_us = ms[6] * UINT64_C(1000),
      .useless_us = ms[7] * UINT64_C(1000),
      .useless_max_us = ms[8] * UINT64_C(1000),
  };
  return supervise(argc, argv, &given);
}
