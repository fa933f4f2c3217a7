/* Mounts the partition that keeps what a camera must not lose, a JFFS2 file system on NOR flash. */
#ifndef OCELLUS_CONFIG_CONFIG_H
#define OCELLUS_CONFIG_CONFIG_H

#include <stdbool.h>

/*
 * Mounts the MTD partition of this name on a directory. One that is erased becomes an empty file system.
 * JFFS2 refuses one without a valid node that is not erased either, which is what a cut leaves of the
 * first start, of a reset, or what others wrote there: it is erased first. Wherever there is a single
 * node nothing is erased. On failure says a sentence on standard error and in the kernel's log.
 */
bool config_mount(const char *partition, const char *directory);

#endif
