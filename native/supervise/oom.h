/* Whom the kernel ends when memory runs out: oom_score_adj of proc(5). */
#ifndef OCELLUS_SUPERVISE_OOM_H
#define OCELLUS_SUPERVISE_OOM_H

#include <stdbool.h>

#define OOM_NEVER "-1000"
#define OOM_AS_OTHERS "0"

/*
 * Sets the calling process's own, which its children inherit. Safe after fork. False with errno: only root may set less than
 * was.
 */
bool oom_adjust(const char *score);

#endif
