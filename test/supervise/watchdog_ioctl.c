/*
 * A library for LD_PRELOAD: answers ioctls on plain files as a watchdog's device would, which reset the machine before,
 * and takes timeouts up to WATCHDOG_LONGEST_S only.
 */
#include <errno.h>
#include <linux/watchdog.h>
#include <stdarg.h>
#include <stdlib.h>

int ioctl(int fd, unsigned long request, ...);

int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  int *value = va_arg(arguments, int *);
  va_end(arguments);
  (void)fd;
  int longest = atoi(getenv("WATCHDOG_LONGEST_S"));
  switch (request) {
  case WDIOC_SETTIMEOUT:
    if (*value <= longest)
      return 0;
    errno = EINVAL;
    return -1;
  case WDIOC_GETTIMEOUT:
    *value = longest;
    return 0;
  case WDIOC_GETBOOTSTATUS:
    *value = getenv("WATCHDOG_MUTE") == NULL ? WDIOF_CARDRESET : 0;
    return 0;
  case WDIOC_GETSUPPORT:
    *(struct watchdog_info *)(void *)value = (struct watchdog_info){
        .options = WDIOF_SETTIMEOUT | (getenv("WATCHDOG_MUTE") == NULL ? WDIOF_CARDRESET : 0)};
    return 0;
  default:
    errno = ENOTTY;
    return -1;
  }
}
