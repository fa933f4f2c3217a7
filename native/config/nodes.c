#include "nodes.h"

#include <linux/jffs2.h>
#include <string.h>

#define ALIGNED 4

/* As the kernel's crc32(0, …): IEEE 802.3 without an inversion. */
static uint32_t crc32(const void *data, size_t bytes) {
  const uint8_t *byte = data;
  uint32_t crc = 0;
  while (bytes-- > 0) {
    crc ^= *byte++;
    for (int bit = 0; bit < 8; bit++)
      crc = (crc >> 1) ^ (0xedb88320u & -(crc & 1));
  }
  return crc;
}

static bool is_inode(const uint8_t *at, size_t bytes) {
  struct jffs2_raw_inode inode;
  if (bytes < sizeof inode)
    return false;
  memcpy(&inode, at, sizeof inode);
  return crc32(&inode, sizeof inode - 8) == inode.node_crc.v32;
}

static bool is_name(const uint8_t *at, size_t bytes) {
  struct jffs2_raw_dirent name;
  if (bytes < sizeof name)
    return false;
  memcpy(&name, at, sizeof name);
  return bytes - sizeof name >= name.nsize && crc32(&name, sizeof name - 8) == name.node_crc.v32 &&
         crc32(at + sizeof name, name.nsize) == name.name_crc.v32;
}

static bool is_node(const uint8_t *at, size_t bytes) {
  struct jffs2_unknown_node node;
  memcpy(&node, at, sizeof node);
  if (node.magic.v16 != JFFS2_MAGIC_BITMASK || crc32(&node, sizeof node - 4) != node.hdr_crc.v32)
    return false;
  return (node.nodetype.v16 == JFFS2_NODETYPE_INODE && is_inode(at, bytes)) ||
         (node.nodetype.v16 == JFFS2_NODETYPE_DIRENT && is_name(at, bytes));
}

bool nodes_any(const uint8_t *block, size_t bytes) {
  for (size_t at = 0; at + sizeof(struct jffs2_unknown_node) <= bytes; at += ALIGNED)
    if (is_node(block + at, bytes - at))
      return true;
  return false;
}
