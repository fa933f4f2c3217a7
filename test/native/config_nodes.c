/* Says of a block on standard input, at most 64 KB, whether there is a node of JFFS2 in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/nodes.h"

int main(void) {
  static uint8_t input[65536];
  size_t bytes = fread(input, 1, sizeof input, stdin);
  /* Exactly as large, so that sanitizers see what is read beyond. */
  uint8_t *block = malloc(bytes == 0 ? 1 : bytes);
  if (block == NULL)
    abort();
  memcpy(block, input, bytes);
  puts(nodes_any(block, bytes) ? "nodes" : "none");
  free(block);
  return 0;
}
