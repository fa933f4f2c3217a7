#define _GNU_SOURCE /* setresuid, getresuid, setgroups */
#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

/* Linux 3.5; older kernel headers lack it. */
#ifndef PR_SET_NO_NEW_PRIVS
#define PR_SET_NO_NEW_PRIVS 38
#endif

#define DESCRIPTORS_MAX                                                                            \
  128 /* LOOP_WATCHES_MAX and a margin; the resolver's child closes them all */

static bool not_dumpable(void) {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
    return true;
  log_line(LOG_ERROR, "cannot forbid others to read memory: %s", strerror(errno));
  return false;
}

bool privilege_harden(void) {
  struct rlimit no_core = {0, 0};
  struct rlimit descriptors;
  umask(077);
  bool good = signal(SIGPIPE, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_CORE, &no_core) == 0 &&
              getrlimit(RLIMIT_NOFILE, &descriptors) == 0;
  if (good && descriptors.rlim_max > DESCRIPTORS_MAX) {
    descriptors = (struct rlimit){DESCRIPTORS_MAX, DESCRIPTORS_MAX};
    good = setrlimit(RLIMIT_NOFILE, &descriptors) == 0;
  }
  if (!good) {
    log_line(LOG_ERROR, "cannot set limits: %s", strerror(errno));
    return false;
  }
  return not_dumpable();
}

static bool read_id(const char **text, unsigned long *id) {
  char *end;
  if (**text < '0' || **text > '9')
    return false;
  errno = 0;
  *id = strtoul(*text, &end, 10);
  if (errno != 0 || *id >= 0xffffffffu) /* -1 means "leave as it is" to setresuid */
    return false;
  *text = end;
  return true;
}

static bool read_pair(const char *text, struct identity *identity) {
  unsigned long uid;
  unsigned long gid;
  if (!read_id(&text, &uid) || *text++ != ':' || !read_id(&text, &gid) || *text != '\0')
    return false;
  identity->uid = (uid_t)uid;
  identity->gid = (gid_t)gid;
  return true;
}

/* Whether root's group is among the supplementary ones; true where that cannot be told. */
static bool in_group_of_root(void) {
  int count = getgroups(0, NULL);
  gid_t *groups = count < 0 ? NULL : calloc((size_t)count + 1, sizeof *groups);
  if (groups == NULL)
    return true;
  count = getgroups(count, groups);
  bool found = count < 0;
  for (int i = 0; i < count; i++)
    found |= groups[i] == 0;
  free(groups);
  return found;
}

bool privilege_is_root(void) {
  return getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0 || in_group_of_root();
}

bool privilege_choose(struct identity *identity, const char *user) {
  bool root = privilege_is_root();
  *identity = (struct identity){.uid = getuid(), .gid = getgid(), .change = root};
  if (user == NULL)
    return !root;
  if (!read_pair(user, identity)) {
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL) {
      log_line(LOG_ERROR, "there is no user %s", user);
      return false;
    }
    identity->uid = entry->pw_uid;
    identity->gid = entry->pw_gid;
  }
  if (identity->uid == 0 || identity->gid == 0) {
    log_line(LOG_ERROR, "refusing to run as root: name another --user");
    return false;
  }
  if (!root && (identity->uid != getuid() || identity->gid != getgid())) {
    log_line(LOG_ERROR, "only root can become %s", user);
    return false;
  }
  return true;
}

/* Only for whom there are none is another user's identity all that he has: they may have come without
 * root (ambient ones), or stayed after it (SECBIT_NO_SETUID_FIXUP). */
static bool drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
  if (syscall(SYS_capset, &header, data) != 0 || syscall(SYS_capget, &header, data) != 0)
    return false;
  for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
    if (data[i].effective != 0 || data[i].permitted != 0 || data[i].inheritable != 0)
      return false;
  return true;
}

static bool is(const struct identity *identity) {
  uid_t uid[3];
  gid_t gid[3];
  if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0)
    return false;
  for (int i = 0; i < 3; i++)
    if (uid[i] != identity->uid || gid[i] != identity->gid)
      return false;
  if (identity->change && getgroups(0, NULL) != 0)
    return false;
  return setuid(0) != 0 && setgid(0) != 0;
}

bool privilege_drop(const struct identity *identity) {
  if (identity->change &&
      (setgroups(0, NULL) != 0 || setresgid(identity->gid, identity->gid, identity->gid) != 0 ||
       setresuid(identity->uid, identity->uid, identity->uid) != 0)) {
    log_line(LOG_ERROR, "cannot give up root: %s", strerror(errno));
    return false;
  }
  if (!drop_capabilities()) {
    log_line(LOG_ERROR, "cannot give up capabilities: %s", strerror(errno));
    return false;
  }
  if (!is(identity)) {
    log_line(LOG_ERROR, "root was not given up for good");
    return false;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    log_line(LOG_ERROR, "cannot forbid new privileges: %s", strerror(errno));
    return false;
  }
  return not_dumpable(); /* changing ids may have set it back: prctl(2) */
}
