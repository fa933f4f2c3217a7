/* SPDX-License-Identifier: GPL-2.0+ */
#ifndef ASM_JUDGE_H
#define ASM_JUDGE_H

/* Where a MIPS board's address lies in the sandbox's RAM; others stay as they are. */
unsigned long judge_physical(unsigned long address);

/* Memory that child processes write for all. 0 if it could be had; pages of `at` are replaced. */
int os_judge_share(void *at, unsigned long bytes);

/* -1 in the child, which has neither input nor requests and is killed after some seconds; else 0, or how the child died. */
int os_judge_fork(unsigned int seconds);

#endif
