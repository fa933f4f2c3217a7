/*
 * A QEMU plugin that counts the instructions of a user-mode run, by region (mark.h) and function.
 *
 *     qemu-mipsel -plugin count.so,out=FILE PROGRAM …
 *
 * FILE gets one line for each region and
 * function with a count: region, instructions, function name, separated by tabs. Functions are
 * those of the program's symbol table; "-" is code outside of any. A block counts for the function
 * it starts in.
 *
 * Counted is what was issued: a block's instructions, each time the block is entered. So the
 * skipped delay slot of a branch-likely counts, as it takes a cycle on the real core.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mark.h"
#include "qemu_plugin.h"

#define BUCKETS 4096u
#define HIGH_DESCRIPTOR 512

/* One function of the program. Never freed: translated code points at it until the end. */
struct function {
  struct function *next;
  char *name;
  _Atomic uint64_t instructions[MARK_REGIONS];
};

/* One translated block. Never freed, likewise. */
struct block {
  struct function *function;
  uint64_t instructions;
};

__attribute__((visibility("default"))) int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct function *functions[BUCKETS];
static pthread_mutex_t functions_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned region = MARK_CAMERA;
static FILE *out;

static void *must(void *memory) {
  if (memory == NULL)
    abort();
  return memory;
}

static struct function *find(const char *name) {
  uint32_t hash = 5381;
  for (const char *c = name; *c != '\0'; c++)
    hash = hash * 33 + (unsigned char)*c;
  struct function **bucket = &functions[hash % BUCKETS];
  for (struct function *each = *bucket; each != NULL; each = each->next) {
    if (strcmp(each->name, name) == 0)
      return each;
  }
  struct function *made = must(calloc(1, sizeof *made));
  made->name = must(strdup(name));
  made->next = *bucket;
  *bucket = made;
  return made;
}

/* Relaxed atomics: threads of the program run in parallel, and only sums are asked for. */
static void executed(unsigned vcpu, void *data) {
  (void)vcpu;
  const struct block *block = data;
  unsigned now = atomic_load_explicit(&region, memory_order_relaxed);
  atomic_fetch_add_explicit(&block->function->instructions[now], block->instructions,
                            memory_order_relaxed);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  const char *name = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(tb, 0));
  struct block *block = must(malloc(sizeof *block));
  block->instructions = qemu_plugin_tb_n_insns(tb);
  pthread_mutex_lock(&functions_lock);
  block->function = find(name != NULL ? name : "-");
  pthread_mutex_unlock(&functions_lock);
  qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void called(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2,
                   uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
  (void)id, (void)vcpu, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
  if (number != MARK_SYSCALL || (uint32_t)a1 != MARK_MAGIC)
    return;
  if (a2 >= MARK_REGIONS)
    abort();
  atomic_store_explicit(&region, (unsigned)a2, memory_order_relaxed);
}

static void ended(qemu_plugin_id_t id, void *data) {
  (void)id, (void)data;
  for (unsigned r = 0; r < MARK_REGIONS; r++) {
    for (unsigned b = 0; b < BUCKETS; b++) {
      for (const struct function *each = functions[b]; each != NULL; each = each->next) {
        uint64_t count = atomic_load_explicit(&each->instructions[r], memory_order_relaxed);
        if (count > 0)
          fprintf(out, "%u\t%" PRIu64 "\t%s\n", r, count, each->name);
      }
    }
  }
  // A short file must not pass for a small count.
  if (ferror(out) || fclose(out) != 0)
    abort();
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info;
  if (argc != 1 || strncmp(argv[0], "out=", 4) != 0) {
    fprintf(stderr, "count: give out=FILE\n");
    return 1;
  }
  // Opened now, since the program may give up the right to, and moved out of the way, so that its
  // own descriptors have the numbers they have without the plugin.
  int fd = open(argv[0] + 4, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
  out = high < 0 ? NULL : fdopen(high, "w");
  if (out == NULL) {
    perror(argv[0] + 4);
    return 1;
  }
  close(fd);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  qemu_plugin_register_atexit_cb(id, ended, NULL);
  return 0;
}
