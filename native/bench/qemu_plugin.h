/*
 * The part of QEMU's plugin interface that count.c uses, declared from its documentation ("QEMU TCG
 * Plugins" in QEMU's developer manual, interface version 1: QEMU 6.0 to 8.x). Debian ships QEMU
 * with plugins enabled and without the header. The symbols are exported by qemu-mipsel itself.
 */
#ifndef OCELLUS_BENCH_QEMU_PLUGIN_H
#define OCELLUS_BENCH_QEMU_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#define QEMU_PLUGIN_VERSION 1

typedef uint64_t qemu_plugin_id_t;

/* What QEMU tells a plugin when it is loaded; further members follow that are not used here. */
typedef struct {
  const char *target_name; /* "mipsel" */
  struct {
    int min; /* oldest interface version this QEMU takes */
    int cur;
  } version;
} qemu_info_t;

/* A translated block, and one of its instructions; valid during the translation callback only. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;

/* Whether a callback looks at guest registers. */
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS = 0 };

/* To be defined by the plugin. `install`: 0, or anything else to refuse. */
extern int qemu_plugin_version;
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*callback)(qemu_plugin_id_t id,
                                                            struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                          void (*callback)(unsigned vcpu, void *data),
                                          enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id,
                                          void (*callback)(qemu_plugin_id_t id, unsigned vcpu,
                                                           int64_t number, uint64_t a1, uint64_t a2,
                                                           uint64_t a3, uint64_t a4, uint64_t a5,
                                                           uint64_t a6, uint64_t a7, uint64_t a8));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
                                    void (*callback)(qemu_plugin_id_t id, void *data), void *data);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
/* Name of the function it stands in, or NULL. Borrowed, for the length of the callback. */
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *instruction);

#endif
