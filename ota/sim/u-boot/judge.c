// SPDX-License-Identifier: GPL-2.0+
/*
 * `serve`: U-Boot's sandbox as a judge of boots. It sees memory as a MIPS board does (KSEG0 and KSEG1, RAM from 0, one
 * memory-mapped NOR flash, all else a page that nobody minds), so that a board's own boot script runs as it stands. Each boot
 * is a child process that begins with the same memory, and ends where U-Boot would jump to the kernel, reset or prompt.
 *
 * Requests come on descriptor 3, as 32-bit words of this machine's order. First: physical address, bytes and bytes of an erase
 * block of the flash, and an environment ("name=value\0" each) after its bytes. Then boots: a number of pieces, each its kind,
 * offset, bytes and, of the first two kinds, data. What no piece covers is erased. Answers are lines of standard output that
 * begin with "judge: ", among what U-Boot says; the last of a boot is "judge: end".
 */
#include <asm/global_data.h>
#include <asm/judge.h>
#include <command.h>
#include <env.h>
#include <env_internal.h>
#include <flash.h>
#include <linux/errno.h>
#include <malloc.h>
#include <mapmem.h>
#include <os.h>
#include <search.h>

DECLARE_GLOBAL_DATA_PTR;

#define REQUESTS 3
/* Places in the sandbox's own RAM of 64 MiB, the upper part of which is U-Boot's. */
#define RAM_BYTES 0x2000000u
#define FLASH_AT RAM_BYTES
#define FLASH_BYTES_MOST 0x1000000u
#define NOBODY_AT (FLASH_AT + FLASH_BYTES_MOST)
#define NOBODY_BYTES 0x1000u

#define PIECES_MOST 64u
#define PIECE_BYTES_MOST 0x10000u
#define BLOCK_BYTES 512u
#define BOOT_S 10u

/* The last has no data: words of the flash that stay as they are whatever is programmed, as worn cells do. */
enum kind { IN_FLASH, ON_DISK, UNREADABLE_DISK, WORN_FLASH };

struct piece {
  u32 kind;
  u32 offset;
  u32 bytes;
  u8 data[PIECE_BYTES_MOST];
};

static struct {
  u32 physical;
  u32 bytes;
  u32 erase_bytes;
  u8 *now;
  u8 *before;
} flash;

static struct piece *pieces;
static u32 piece_count;

flash_info_t flash_info[CONFIG_SYS_MAX_FLASH_BANKS];

ulong judge_physical(ulong address) {
  ulong physical;

  if (address < 0x80000000ul || address > 0xbffffffful)
    return address;
  physical = address & 0x1fffffff;
  if (physical < RAM_BYTES)
    return physical;
  if (physical >= flash.physical && physical - flash.physical < flash.bytes)
    return FLASH_AT + physical - flash.physical;
  return NOBODY_AT + physical % NOBODY_BYTES;
}

/* Nothing yet: `serve` learns of the chip. */
unsigned long flash_init(void) { return 0; }

static bool worn(const u32 *word) {
  u32 i;

  for (i = 0; i < piece_count; i++) {
    u8 *from = flash.now + pieces[i].offset;

    if (pieces[i].kind == WORN_FLASH && (u8 *)word >= from && (u8 *)word < from + pieces[i].bytes)
      return true;
  }
  return false;
}

/* As the driver of CFI chips, 32 bits at once: it clears bits, and refuses before it would have to set one. */
int write_buff(flash_info_t *info, uchar *from, ulong to, ulong bytes) {
  u32 *words = (u32 *)to;
  ulong i;

  if (info == NULL || to % sizeof(u32) != 0 || bytes % sizeof(u32) != 0)
    return FL_ERR_ALIGN;
  for (i = 0; i < bytes / sizeof(u32); i++) {
    u32 word;

    memcpy(&word, from + i * sizeof(u32), sizeof(word));
    if ((words[i] & word) != word)
      return FL_ERR_NOT_ERASED;
    if (!worn(&words[i]))
      words[i] = word;
  }
  return FL_ERR_OK;
}

static int do_ide(struct cmd_tbl *command, int flags, int argc, char *const argv[]) {
  ulong first, count, bytes, i;
  u8 *to;

  if (argc != 5 || strcmp(argv[1], "read") != 0)
    return CMD_RET_USAGE;
  first = hextoul(argv[3], NULL) * BLOCK_BYTES;
  count = hextoul(argv[4], NULL);
  for (i = 0; i < piece_count; i++) {
    if (pieces[i].kind != UNREADABLE_DISK)
      continue;
    if (pieces[i].offset < first + count * BLOCK_BYTES &&
        first < (ulong)pieces[i].offset + pieces[i].bytes) {
      puts("0 blocks read: ERROR\n");
      return CMD_RET_FAILURE;
    }
  }
  bytes = count * BLOCK_BYTES;
  to = map_sysmem(hextoul(argv[2], NULL), bytes);
  /* No image of a request is longer, and a whole slot at each boot would be most of the time. */
  memset(to, 0xff, min(bytes, 2ul * PIECE_BYTES_MOST));
  for (i = 0; i < piece_count; i++) {
    ulong at = pieces[i].offset - first;

    if (pieces[i].kind != ON_DISK || pieces[i].offset < first)
      continue;
    if (at + pieces[i].bytes <= bytes)
      memcpy(to + at, pieces[i].data, pieces[i].bytes);
  }
  unmap_sysmem(to);
  printf("%lu blocks read: OK\n", count);
  return CMD_RET_SUCCESS;
}

U_BOOT_CMD(ide, 5, 0, do_ide, "the disk of the judged board", "read addr blk# cnt");

static bool took(void *to, u32 bytes) {
  u32 have = 0;

  while (have < bytes) {
    ssize_t more = os_read(REQUESTS, (u8 *)to + have, bytes - have);

    if (more <= 0)
      return false;
    have += more;
  }
  return true;
}

static void refuse(const char *why) {
  printf("judge: bad request: %s\n", why);
  os_exit(1);
}

static void learn(void) {
  u32 head[4];
  char *variables;
  u32 i;

  if (!took(head, sizeof(head)))
    refuse("no board");
  flash.physical = head[0];
  flash.bytes = head[1];
  flash.erase_bytes = head[2];
  if (flash.bytes > FLASH_BYTES_MOST || flash.erase_bytes == 0 ||
      flash.bytes / flash.erase_bytes > CONFIG_SYS_MAX_FLASH_SECT || head[3] > PIECE_BYTES_MOST)
    refuse("a board that is too large");
  flash.now = gd->arch.ram_buf + FLASH_AT;
  flash.before = os_malloc(flash.bytes);
  pieces = os_malloc(PIECES_MOST * sizeof(struct piece));
  variables = os_malloc(head[3] + 1);
  if (flash.before == NULL || pieces == NULL || variables == NULL ||
      os_judge_share(flash.now, flash.bytes) != 0)
    refuse("no memory");
  memset(flash.now, 0xff, flash.bytes);
  memset(flash.before, 0xff, flash.bytes);
  flash_info[0].size = flash.bytes;
  flash_info[0].sector_count = flash.bytes / flash.erase_bytes;
  for (i = 0; i < flash_info[0].sector_count; i++)
    flash_info[0].start[i] = (ulong)flash.now + i * flash.erase_bytes;
  if (!took(variables, head[3]) ||
      himport_r(&env_htab, variables, head[3], '\0', 0, 0, 0, NULL) == 0)
    refuse("no environment");
}

static void lay_out(void) {
  u32 i;

  if (piece_count > PIECES_MOST)
    refuse("too many pieces");
  for (i = 0; i < piece_count; i++) {
    struct piece *piece = &pieces[i];

    if (!took(piece, 3 * sizeof(u32)))
      refuse("a piece breaks off");
    if (piece->kind == UNREADABLE_DISK || piece->kind == WORN_FLASH)
      continue;
    if (piece->bytes > PIECE_BYTES_MOST || !took(piece->data, piece->bytes))
      refuse("a piece is too long or breaks off");
    if (piece->kind != IN_FLASH)
      continue;
    if (piece->offset > flash.bytes || piece->bytes > flash.bytes - piece->offset)
      refuse("a piece leaves the flash");
    memcpy(flash.now + piece->offset, piece->data, piece->bytes);
    memcpy(flash.before + piece->offset, piece->data, piece->bytes);
  }
}

/* Says which words of the flash changed, and leaves it erased. */
static void clean_up(void) {
  u32 *now = (u32 *)flash.now;
  u32 *before = (u32 *)flash.before;
  u32 i;

  if (memcmp(now, before, flash.bytes) != 0) {
    for (i = 0; i < flash.bytes / sizeof(u32); i++) {
      if (now[i] == before[i])
        continue;
      printf("judge: word %x %x %x\n", i * (u32)sizeof(u32), before[i], now[i]);
      now[i] = 0xffffffff;
    }
  }
  for (i = 0; i < piece_count; i++) {
    if (pieces[i].kind != IN_FLASH)
      continue;
    memset(flash.now + pieces[i].offset, 0xff, pieces[i].bytes);
    memset(flash.before + pieces[i].offset, 0xff, pieces[i].bytes);
  }
}

static int do_serve(struct cmd_tbl *command, int flags, int argc, char *const argv[]) {
  learn();
  puts("judge: ready\n");
  while (took(&piece_count, sizeof(piece_count))) {
    int ended;

    lay_out();
    ended = os_judge_fork(BOOT_S);
    if (ended < 0) {
      run_command_list(env_get("bootcmd"), -1, 0);
      puts("\njudge: prompt\n");
      os_exit(0);
    }
    if (ended != 0)
      printf("\njudge: died %d\n", ended);
    clean_up();
    puts("judge: end\n");
  }
  os_exit(0);
}

U_BOOT_CMD(serve, 1, 0, do_serve, "judge boots", "");
