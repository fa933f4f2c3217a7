/*
 * The engine and its turns.
 *
 * A turn is one call from the loop into JavaScript with all jobs (promise reactions) that follow
 * from it. A turn ends the process with EXIT_DEFECT where it throws, leaves a rejection unhandled,
 * takes longer than options.turn_ms, or hits the heap limit, which also holds where the agent
 * caught that exception: what was left half done then cannot be known.
 */
#ifndef OCELLUS_HOST_RUNTIME_H
#define OCELLUS_HOST_RUNTIME_H

#include <quickjs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

#if defined(__SANITIZE_ADDRESS__) /* gcc */
#define RUNTIME_STACK_FACTOR 4u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) /* clang */
#define RUNTIME_STACK_FACTOR 4u
#endif
#endif
#ifndef RUNTIME_STACK_FACTOR
#define RUNTIME_STACK_FACTOR 1u /* sanitizers put guards around every local, so calls need more */
#endif
#define RUNTIME_STACK_BYTES (RUNTIME_STACK_FACTOR * (256u << 10))

/* Makes runtime and context, without eval and without ArrayBuffer.prototype.transfer. The options
 * are kept. NULL where the heap limit is too small even for that. */
JSContext *runtime_open(const struct options *options);

/* Frees everything; whoever holds JavaScript values has let go of them before. */
void runtime_close(void);

/* Calls a function as a turn. `arguments` are consumed, the others are not. Returns false where
 * the process is to end. */
bool runtime_call(JSValueConst function, JSValueConst this, int count, JSValue *arguments);

/* Evaluates a compiled module (consumed) as the first turn. */
bool runtime_evaluate(JSValue module);

/* Ends the process after this turn. The first reason wins. `what` goes into the log and, for
 * EXIT_DEFECT, into the state file "defect" for the next start; NULL: nothing to say. */
void runtime_exit(int status, const char *what);

/* Whether the process is to end. */
int runtime_exiting(void);
int runtime_status(void);

/* Throws what no JavaScript can catch. Returns JS_EXCEPTION. */
JSValue runtime_unwind(JSContext *ctx);

/* Bytes that the engine has allocated. */
size_t runtime_heap_bytes(void);

#endif
