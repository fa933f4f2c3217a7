#define _GNU_SOURCE
#include "machine.h"

#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "journal.h"

/* In RAM: nothing of it outlives the machine's restart. */
static bool is_volatile(const char *type) {
  static const char *const types[] = {"rootfs", "proc",   "sysfs",  "tmpfs",
                                      "ramfs",  "pstore", "devpts", "devtmpfs"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp(type, types[i]) == 0)
      return true;
  return false;
}

static void make_read_only(void) {
  FILE *mounts = setmntent("/proc/self/mounts", "re");
  const struct mntent *entry;
  if (mounts == NULL) {
    journal_say("the mounts cannot be read, so they stay writable: %m");
    return;
  }
  while ((entry = getmntent(mounts)) != NULL) {
    if (is_volatile(entry->mnt_type) || hasmntopt(entry, "ro") != NULL)
      continue;
    if (mount(NULL, entry->mnt_dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
      journal_say("%s is read-only now", entry->mnt_dir);
    else
      journal_say("%s stays writable: %m", entry->mnt_dir);
  }
  endmntent(mounts);
}

void machine_restart(void) {
  sync();
  make_read_only();
  sync();
  reboot(RB_AUTOBOOT);
}
