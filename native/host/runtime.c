#define _GNU_SOURCE
#include "runtime.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "state.h"

static const struct options *options;
static JSRuntime *runtime;
static JSContext *context;
static JSMallocState *heap; /* the engine's own account; lives as long as the runtime */
static bool heap_exhausted;
static bool overdue;
static uint64_t deadline_us;
static bool exiting;
static int exit_status;

/* Promises rejected without a handler so far, in this turn. */
struct rejection {
  struct rejection *next;
  JSValue promise;
  JSValue reason;
};
static struct rejection *rejections;

/* ---- the heap ---- */

/* The system's allocator with an account of its own: it can be read without walking the heap as
 * JS_ComputeMemoryUsage does, and hitting the limit is noticed. Each block is preceded by its size, since
 * to ask the allocator for it (malloc_usable_size) costs musl some 60 instructions each time: measured,
 * 1.6 of the 144 instructions that a byte of footage cost. */

/* As long as the alignment of what follows it. The account counts it too, not what the allocator
 * rounds up to. */
struct header {
  _Alignas(max_align_t) size_t bytes;
};

static struct header *header_of(void *block) { return (struct header *)block - 1; }

static bool fits(const JSMallocState *state, size_t more) {
  if (more <= state->malloc_limit && state->malloc_size <= state->malloc_limit - more)
    return true;
  heap_exhausted = true;
  return false;
}

static void *heap_malloc(JSMallocState *state, size_t size) {
  heap = state;
  struct header *header = NULL;
  if (size <= SIZE_MAX - sizeof(struct header)) {
    size += sizeof(struct header);
    if (!fits(state, size))
      return NULL;
    header = malloc(size);
  }
  if (header == NULL) {
    heap_exhausted = true;
    return NULL;
  }
  header->bytes = size;
  state->malloc_count++;
  state->malloc_size += size;
  return header + 1;
}

static void heap_free(JSMallocState *state, void *block) {
  if (block == NULL)
    return;
  state->malloc_count--;
  state->malloc_size -= header_of(block)->bytes;
  free(header_of(block));
}

static void *heap_realloc(JSMallocState *state, void *block, size_t size) {
  if (block == NULL)
    return size == 0 ? NULL : heap_malloc(state, size);
  if (size == 0) {
    heap_free(state, block);
    return NULL;
  }
  size_t before = header_of(block)->bytes;
  if (size > SIZE_MAX - sizeof(struct header)) {
    heap_exhausted = true;
    return NULL;
  }
  size += sizeof(struct header);
  if (size > before && !fits(state, size - before))
    return NULL;
  struct header *moved = realloc(header_of(block), size);
  if (moved == NULL) {
    heap_exhausted = true;
    return NULL;
  }
  moved->bytes = size;
  state->malloc_size += size - before;
  return moved + 1;
}

/* What may be used of a block: what was asked for. */
static size_t heap_usable(const void *block) {
  return ((const struct header *)block - 1)->bytes - sizeof(struct header);
}

size_t runtime_heap_bytes(void) { return heap == NULL ? 0 : heap->malloc_size; }

/* ---- ending ---- */

void runtime_exit(int status, const char *what) {
  if (exiting)
    return;
  exiting = true;
  exit_status = status;
  if (what == NULL)
    return;
  log_line(status == EXIT_DEFECT ? LOG_ERROR : LOG_INFO, "%s", what);
  if (status == EXIT_DEFECT) {
    size_t bytes = strnlen(what, LOG_TEXT_BYTES);
    if (state_write("defect", (const uint8_t *)what, bytes) != STATE_OK)
      log_line(LOG_WARNING, "the defect could not be written to the state directory");
  }
}

int runtime_exiting(void) { return exiting; }

int runtime_status(void) { return exit_status; }

JSValue runtime_unwind(JSContext *ctx) {
  JS_ThrowInternalError(ctx, "the process ends");
#ifdef JS_DEF_PROP_BOOL /* QuickJS 2025-09-13 and newer */
  JS_SetUncatchableException(ctx, 1);
#else
  JSValue thrown = JS_GetException(ctx);
  JS_SetUncatchableError(ctx, thrown, 1);
  JS_Throw(ctx, thrown);
#endif
  return JS_EXCEPTION;
}

/* "<before>: <error> | <first lines of the stack>", on one line. */
static void exit_by(const char *before, JSValueConst error) {
  char what[LOG_TEXT_BYTES + 1];
  const char *text = JS_ToCString(context, error);
  JSValue stack = JS_GetPropertyStr(context, error, "stack");
  const char *trace = JS_IsString(stack) ? JS_ToCString(context, stack) : NULL;
  snprintf(what, sizeof what, "%s: %s%s%s", before, text == NULL ? "(no text)" : text,
           trace == NULL ? "" : " |", trace == NULL ? "" : trace);
  for (char *c = what; *c != '\0'; c++)
    if (*c == '\n')
      *c = ' ';
  JS_FreeCString(context, text);
  JS_FreeCString(context, trace);
  JS_FreeValue(context, stack);
  JS_FreeValue(context, JS_GetException(context));
  runtime_exit(EXIT_DEFECT, what);
}

/* ---- turns ---- */

static int interrupt(JSRuntime *of, void *opaque) {
  (void)of;
  (void)opaque;
  if (!exiting && clock_us() > deadline_us)
    overdue = true;
  return overdue || exiting;
}

static void track_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason,
                            JS_BOOL handled, void *opaque) {
  (void)opaque;
  if (!handled) {
    struct rejection *rejection = malloc(sizeof *rejection);
    if (rejection == NULL)
      abort();
    *rejection =
        (struct rejection){rejections, JS_DupValue(ctx, promise), JS_DupValue(ctx, reason)};
    rejections = rejection;
    return;
  }
  for (struct rejection **at = &rejections; *at != NULL; at = &(*at)->next) {
    struct rejection *rejection = *at;
    if (JS_VALUE_GET_PTR(rejection->promise) != JS_VALUE_GET_PTR(promise))
      continue;
    *at = rejection->next;
    JS_FreeValue(ctx, rejection->promise);
    JS_FreeValue(ctx, rejection->reason);
    free(rejection);
    return;
  }
}

static void forget_rejections(void) {
  while (rejections != NULL) {
    struct rejection *rejection = rejections;
    rejections = rejection->next;
    JS_FreeValue(context, rejection->promise);
    JS_FreeValue(context, rejection->reason);
    free(rejection);
  }
}

/* Ends what threw, if it did not end because the process does. */
static void fail(const char *before) {
  JSValue error = JS_GetException(context);
  if (!exiting && !overdue && !heap_exhausted)
    exit_by(before, error);
  JS_FreeValue(context, error);
}

static void begin_turn(void) {
  deadline_us = clock_us() + (uint64_t)options->turn_ms * 1000u;
  overdue = false;
}

/* Jobs, then whatever the turn left wrong. */
static bool end_turn(void) {
  JSContext *of;
  int result;
  while (!exiting && !overdue && !heap_exhausted &&
         (result = JS_ExecutePendingJob(runtime, &of)) != 0)
    if (result < 0)
      fail("uncaught in a job");
  char what[100];
  if (overdue) {
    snprintf(what, sizeof what, "a turn took longer than %u ms", options->turn_ms);
    runtime_exit(EXIT_DEFECT, what);
  } else if (heap_exhausted) {
    snprintf(what, sizeof what, "the heap limit of %u bytes was hit", options->heap_bytes);
    runtime_exit(EXIT_DEFECT, what);
  } else if (rejections != NULL && !exiting) {
    struct rejection *first = rejections;
    while (first->next != NULL)
      first = first->next;
    exit_by("unhandled rejection", first->reason);
  }
  forget_rejections();
  return !exiting;
}

bool runtime_call(JSValueConst function, JSValueConst this, int count, JSValue *arguments) {
  bool good = !exiting;
  for (int i = 0; i < count; i++)
    good = good && !JS_IsException(arguments[i]); /* the heap did not hold it */
  begin_turn();
  if (good) {
    JSValue kept = JS_DupValue(context, function); /* it may unregister itself */
    JSValue kept_this = JS_DupValue(context, this);
    JSValue result = JS_Call(context, kept, kept_this, count, arguments);
    if (JS_IsException(result))
      fail("uncaught");
    JS_FreeValue(context, result);
    JS_FreeValue(context, kept);
    JS_FreeValue(context, kept_this);
  }
  for (int i = 0; i < count; i++)
    JS_FreeValue(context, arguments[i]);
  return end_turn();
}

bool runtime_evaluate(JSValue module) {
  begin_turn();
  /* The promise of a module that throws is rejected and, since nobody handles it, reported. */
  JSValue promise = JS_EvalFunction(context, module);
  if (JS_IsException(promise))
    fail("uncaught");
  JS_FreeValue(context, promise);
  return end_turn();
}

/* ---- opening and closing ---- */

/* transfer() moves bytes from under whoever holds a pointer, and nothing here needs it. */
static void remove_transfer(void) {
  static const char *const names[] = {"transfer", "transferToFixedLength", "transferToImmutable"};
  JSValue global = JS_GetGlobalObject(context);
  JSValue constructor = JS_GetPropertyStr(context, global, "ArrayBuffer");
  JSValue prototype = JS_GetPropertyStr(context, constructor, "prototype");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    JSAtom name = JS_NewAtom(context, names[i]);
    JS_DeleteProperty(context, prototype, name, 0);
    JS_FreeAtom(context, name);
  }
  JS_FreeValue(context, prototype);
  JS_FreeValue(context, constructor);
  JS_FreeValue(context, global);
}

JSContext *runtime_open(const struct options *chosen) {
  static const JSMallocFunctions functions = {heap_malloc, heap_free, heap_realloc, heap_usable};
  options = chosen;
  runtime = JS_NewRuntime2(&functions, NULL);
  if (runtime == NULL)
    return NULL;
  JS_SetMemoryLimit(runtime, options->heap_bytes);
  JS_SetMaxStackSize(runtime, RUNTIME_STACK_BYTES);
  JS_SetInterruptHandler(runtime, interrupt, NULL);
  JS_SetHostPromiseRejectionTracker(runtime, track_rejection, NULL);
  JS_SetCanBlock(runtime, 0);
  context = JS_NewContextRaw(runtime);
  if (context == NULL)
    return NULL;
  /* All but eval: what runs is what was signed. */
  JS_AddIntrinsicBaseObjects(context);
  JS_AddIntrinsicDate(context);
  JS_AddIntrinsicStringNormalize(context);
  JS_AddIntrinsicRegExp(context);
  JS_AddIntrinsicJSON(context);
  JS_AddIntrinsicProxy(context);
  JS_AddIntrinsicMapSet(context);
  JS_AddIntrinsicTypedArrays(context);
  JS_AddIntrinsicPromise(context);
  JS_AddIntrinsicWeakRef(context);
  if (heap_exhausted)
    return NULL;
  remove_transfer();
  return context;
}

void runtime_close(void) {
  exiting = true; /* finalizers run; no JavaScript does */
  if (context != NULL) {
    forget_rejections();
    JS_FreeContext(context);
  }
  if (runtime != NULL)
    JS_FreeRuntime(runtime);
  context = NULL;
  runtime = NULL;
  heap = NULL;
}
