/*
 * linux310 PROGRAM ARGUMENT…: runs a program as a kernel of version 3.10 would as far as system calls go: those that came
 * later answer ENOSYS. Made for x86-64, where calls are numbered in the order they came; 3.10's last is
 * finit_module (313).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEWEST 313 /* finit_module */

int main(int argc, char **argv) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NEWEST, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("linux310");
    return 1;
  }
  if (syscall(SYS_getrandom, NULL, 0, 0) != -1 || errno != ENOSYS)
    return 1;
  execv(argv[1], argv + 1);
  perror(argv[1]);
  return 1;
}
