/* ocellus-config: mounts the config partition at the camera's start. */
#include <stdio.h>

#include "config.h"

#define DONE 0
#define USAGE 64
#define FAILED 71

int main(int argc, char **argv) {
  if (argc != 3) {
    fputs("Usage: ocellus-config PARTITION DIRECTORY\n"
          "Mounts an MTD partition as JFFS2; what a cut of its first use left there is erased "
          "first.\n",
          stderr);
    return USAGE;
  }
  return config_mount(argv[1], argv[2]) ? DONE : FAILED;
}
