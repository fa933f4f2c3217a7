/* JFFS2's nodes in an image of flash: Linux's include/uapi/linux/jffs2.h, in the byte order of this machine. */
#ifndef OCELLUS_CONFIG_NODES_H
#define OCELLUS_CONFIG_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a block holds a node that JFFS2 takes for one: of an inode or a name, not obsolete, with
 * checksums that fit. A node lies within one block, at a multiple of four bytes. */
bool nodes_any(const uint8_t *block, size_t bytes);

#endif
