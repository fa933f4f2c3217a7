/*
 * Init of an initramfs of tests: mounts images of the config partition, one after the other, as the
 * camera's start does, with its own reading and writing of state, and prints what it finds.
 *
 * IMAGES, a disk, holds little-endian 32-bit words. For each image: its number, whether later ones start from it
 * (1) or from what was before it (0), how many patches, and each patch: offset, bytes, then those bytes
 * and up to three more to a whole word. A number of END ends it. The first image starts from 0xff.
 *
 * Lines printed, for each image one before a write and one after it:
 *
 *     file DIGEST HEX                   contents, before the first line that names them
 *     found NUMBER first|again NAME=DIGEST|!ERROR …      every entry of the directory, sorted
 *     failed NUMBER WHAT ERROR
 *     done
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "config/config.h"
#include "host/state.h"

#define IMAGES "/dev/sdb"
/* A disk as large as the partition. */
#define WORK "/dev/sdc"
#define CONFIG_BYTES (1 << 20)
#define ERASE_BYTES "65536"
#define END 0xffffffffu
#define DIGEST_BYTES 8
#define KNOWN_MOST 16384
#define ENTRIES_MOST 64
#define CONFIG "/config"
#define STATE CONFIG "/state"
#define PROBE "probe"

/* The agent's user, as the image's /etc/passwd has it. */
static const struct identity agent = {.uid = 100, .gid = 100, .change = true};

static uint8_t base[CONFIG_BYTES];
static uint8_t image[CONFIG_BYTES];
static uint8_t content[STATE_FILE_BYTES];
static uint8_t known[KNOWN_MOST][DIGEST_BYTES];
static size_t known_count;

static void give_up(const char *what) {
  printf("gave up: %s: %s\n", what, strerror(errno));
  fflush(stdout);
  for (;;)
    pause();
}

static void read_bytes(FILE *from, void *to, size_t bytes) {
  if (fread(to, 1, bytes, from) != bytes)
    give_up("reading the images");
}

static uint32_t read_word(FILE *from) {
  uint32_t word;
  read_bytes(from, &word, sizeof word);
  return word;
}

/* False at the end. */
static bool next_image(FILE *from, uint32_t *number) {
  *number = read_word(from);
  if (*number == END)
    return false;
  uint32_t keep = read_word(from);
  uint32_t patches = read_word(from);
  memcpy(image, base, sizeof image);
  for (uint32_t i = 0; i < patches; i++) {
    uint32_t offset = read_word(from);
    uint32_t bytes = read_word(from);
    if (offset > CONFIG_BYTES || bytes > CONFIG_BYTES - offset)
      give_up("a patch beyond the end");
    read_bytes(from, image + offset, bytes);
    uint32_t padding;
    read_bytes(from, &padding, -bytes & 3);
  }
  if (keep != 0)
    memcpy(base, image, sizeof base);
  return true;
}

static void put_image(int disk) {
  for (size_t at = 0; at < sizeof image;) {
    ssize_t put = pwrite(disk, image + at, sizeof image - at, (off_t)at);
    if (put <= 0)
      give_up("writing the image");
    at += (size_t)put;
  }
}

/* The contents' digest in hex; prints them where they are new. */
static const char *digest_of(size_t bytes) {
  static char text[2 * DIGEST_BYTES + 1];
  static char hex[2 * STATE_FILE_BYTES + 1];
  uint8_t digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(digest, content, bytes);
  sodium_bin2hex(text, sizeof text, digest, DIGEST_BYTES);
  for (size_t i = 0; i < known_count; i++)
    if (memcmp(known[i], digest, DIGEST_BYTES) == 0)
      return text;
  if (known_count == KNOWN_MOST)
    give_up("too many different files");
  memcpy(known[known_count++], digest, DIGEST_BYTES);
  printf("file %s %s\n", text, sodium_bin2hex(hex, sizeof hex, content, bytes));
  return text;
}

static int is_entry(const struct dirent *entry) {
  return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static void look(uint32_t number, const char *when) {
  struct dirent **entries;
  int count = scandir(STATE, &entries, is_entry, alphasort);
  if (count < 0) {
    printf("failed %u list %s\n", number, strerror(errno));
    return;
  }
  static char line[ENTRIES_MOST * 300];
  int at = snprintf(line, sizeof line, "found %u %s", number, when);
  for (int i = 0; i < count && i < ENTRIES_MOST; i++) {
    const char *name = entries[i]->d_name;
    size_t bytes;
    enum state_result result =
        state_name_ok(name, strlen(name)) ? state_read(name, content, &bytes) : STATE_ABSENT;
    at += snprintf(line + at, sizeof line - (size_t)at, " %s=%s%s", name,
                   result == STATE_OK ? "" : "!",
                   result == STATE_OK   ? digest_of(bytes)
                   : result == STATE_IO ? strerror(errno)
                                        : "no-state-file");
  }
  puts(line);
  for (int i = 0; i < count; i++)
    free(entries[i]);
  free(entries);
}

/* As the camera's start does it. */
static bool open_config(uint32_t number) {
  if (!config_mount("cut", CONFIG)) {
    printf("failed %u mount\n", number);
    return false;
  }
  if (state_open(STATE, &agent))
    return true;
  printf("failed %u open %s\n", number, strerror(errno));
  umount2(CONFIG, MNT_DETACH);
  return false;
}

static void close_config(void) {
  state_close();
  if (umount(CONFIG) != 0)
    give_up("unmounting");
}

static void check(uint32_t number) {
  if (!open_config(number))
    return;
  look(number, "first");
  /* What is written after a cut must last too: twice, so that it also replaces something. */
  for (uint8_t i = 0; i < 2; i++)
    if (state_write(PROBE, &i, sizeof i) != STATE_OK)
      printf("failed %u write %s\n", number, strerror(errno));
  close_config();
  if (!open_config(number))
    return;
  look(number, "again");
  close_config();
}

static void set(const char *path, const char *value) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, value, strlen(value)) < 0)
    give_up(path);
  close(fd);
}

static void prepare(void) {
  if (mount("dev", "/dev", "devtmpfs", 0, NULL) != 0 ||
      mount("sys", "/sys", "sysfs", 0, NULL) != 0 || mount("proc", "/proc", "proc", 0, NULL) != 0)
    give_up("mounting");
  /* It says a lot of images that are torn, in the middle of our lines. */
  klogctl(8, NULL, 1);
  /* The disk is only memory here. */
  set("/proc/sys/vm/dirty_writeback_centisecs", "0");
  set("/sys/module/block2mtd/parameters/block2mtd", WORK "," ERASE_BYTES ",cut");
}

int main(void) {
  /* Of a console nobody waits for each character. */
  static char buffer[65536];
  setvbuf(stdout, buffer, _IOLBF, sizeof buffer);
  prepare();
  FILE *images = fopen(IMAGES, "rbe");
  int disk = open(WORK, O_WRONLY | O_CLOEXEC);
  if (images == NULL || disk < 0 || sodium_init() < 0)
    give_up("opening the disks");
  memset(base, 0xff, sizeof base);
  uint32_t number;
  while (next_image(images, &number)) {
    put_image(disk);
    check(number);
  }
  puts("done");
  fflush(stdout);
  for (;;)
    pause();
}
