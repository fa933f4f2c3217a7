#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "journal.h"

#define FEEDS_A_TIMEOUT 4u
#define INTERVAL_US_MAX 10000000u

void watchdog_open(struct watchdog *watchdog, const char *path, uint32_t timeout_s) {
  *watchdog = (struct watchdog){.fd = -1, .timeout_s = timeout_s};
  if (path == NULL)
    return;
  watchdog->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (watchdog->fd < 0) {
    journal_say("the watchdog %s cannot be opened: %s; nothing resets a camera that hangs", path,
                strerror(errno));
    return;
  }
  int seconds = (int)timeout_s;
  if (ioctl(watchdog->fd, WDIOC_SETTIMEOUT, &seconds) != 0) {
    int error = errno;
    if (ioctl(watchdog->fd, WDIOC_GETTIMEOUT, &seconds) != 0)
      seconds = (int)timeout_s;
    journal_say("the watchdog's timeout cannot be set to %u s: %s; it is taken for %d s", timeout_s,
                strerror(error), seconds);
  }
  if (seconds > 0)
    watchdog->timeout_s = (uint32_t)seconds;
  int status = 0;
  if (ioctl(watchdog->fd, WDIOC_GETBOOTSTATUS, &status) == 0)
    watchdog->was_reset = (status & WDIOF_CARDRESET) != 0;
  struct watchdog_info info = {0};
  if (ioctl(watchdog->fd, WDIOC_GETSUPPORT, &info) == 0)
    watchdog->mute = !watchdog->was_reset && (info.options & WDIOF_CARDRESET) == 0;
}

uint64_t watchdog_interval_us(const struct watchdog *watchdog) {
  uint64_t interval = watchdog->timeout_s * UINT64_C(1000000) / FEEDS_A_TIMEOUT;
  return interval > INTERVAL_US_MAX ? INTERVAL_US_MAX : interval;
}

void watchdog_feed(const struct watchdog *watchdog) {
  static const char byte = '\0';
  if (watchdog->fd >= 0 && write(watchdog->fd, &byte, 1) < 0 && errno != EINTR)
    journal_say("the watchdog cannot be fed: %s", strerror(errno));
}
