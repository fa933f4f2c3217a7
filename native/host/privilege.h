/*
 * Giving up what the program does not need: root, capabilities, new privileges, core dumps.
 *
 * Order in main.c: privilege_harden, privilege_choose, open what root alone may open,
 * privilege_drop. Every failure is one sentence in the log and a `false`; the caller then exits.
 */
#ifndef OCELLUS_HOST_PRIVILEGE_H
#define OCELLUS_HOST_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

/* Whom to become. */
struct identity {
  uid_t uid;
  gid_t gid;
  bool change; /* false: not started as root, nothing to change */
};

/* No core dumps, no other process looking into memory, files for the owner alone, no SIGPIPE, few
 * descriptors. */
bool privilege_harden(void);

/* Whether any of the process's ids is root's, supplementary groups included. */
bool privilege_is_root(void);

/* Reads --user: a name, uid:gid, or NULL to stay who we are (options_read has refused that to
 * root). Refuses root in any form, and another user where the program was not started as root. */
bool privilege_choose(struct identity *identity, const char *user);

/* Becomes that user for good, without supplementary groups and capabilities, and verifies it; then
 * sets no_new_privs. Who was not started as root stays in the groups that he is in, which only root
 * can leave: a developer's, on his own machine. */
bool privilege_drop(const struct identity *identity);

#endif
