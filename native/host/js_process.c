/* `native`: the process, its log, its end, and text. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <poll.h>

#include "arena.h"
#include "clock.h"
#include "js.h"
#include "life.h"
#include "log.h"
#include "log_files.h"
#include "loop.h"
#include "runtime.h"
#include "text_file.h"
#include "timers.h"

#define TEXT_BYTES 4096  /* of a kernel's command line there is no more */
#define STOP_US 5000000u /* what the agent has to end in order */

static JSValue on_stop; /* while has_on_stop */
static bool has_on_stop;
static int signal_pipe[2] = {-1, -1};
static struct loop_watch signal_watch;
static struct timer stop_timer;
static bool stopping;
static int statm = -1;

/* ---- stopping ---- */

static void on_signal(int number) {
  char byte = (char)number;
  ssize_t ignored = write(signal_pipe[1], &byte, 1); /* full: one is waiting already */
  (void)ignored;
}

static void stop_late(void *owner) {
  (void)owner;
  log_line(LOG_WARNING, "the agent did not end within 5 s");
  runtime_exit(EXIT_STOPPED, NULL);
}

static void stop(void *owner, short revents) {
  char bytes[16];
  (void)owner;
  (void)revents;
  while (read(signal_pipe[0], bytes, sizeof bytes) > 0)
    ;
  if (stopping)
    return;
  stopping = true;
  if (!has_on_stop) {
    runtime_exit(EXIT_STOPPED, "stopped");
    return;
  }
  timer_arm(&stop_timer, STOP_US, stop_late, NULL);
  runtime_call(on_stop, JS_UNDEFINED, 0, NULL);
}

static void watch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) != 0 || sigaction(SIGTERM, &action, NULL) != 0 ||
      sigaction(SIGINT, &action, NULL) != 0)
    abort();
  signal_watch = (struct loop_watch){.fd = signal_pipe[0], .events = POLLIN, .ready = stop};
  loop_add(&signal_watch);
}

static JSValue js_on_stop(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  if (!js_function(ctx, argv[0], "callback"))
    return JS_EXCEPTION;
  if (has_on_stop)
    JS_FreeValue(ctx, on_stop);
  on_stop = JS_DupValue(ctx, argv[0]);
  has_on_stop = true;
  return JS_UNDEFINED;
}

static JSValue js_exit(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  uint64_t status;
  if (!js_uint(ctx, argv[0], "status", 255, &status))
    return JS_EXCEPTION;
  if (status != 0 && status != 70 && status != 75 && status != 76)
    return JS_ThrowRangeError(ctx, "status: 0, 70, 75 or 76 is expected");
  runtime_exit((int)status, NULL);
  return runtime_unwind(ctx);
}

/* ---- clock, log, figures ---- */

static JSValue js_monotonic_us(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  (void)argv;
  return JS_NewInt64(ctx, (int64_t)clock_us());
}

static JSValue js_log(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  static const char *const levels[] = {"debug", "info", "warning", "error"};
  (void)this;
  (void)argc;
  const char *level = js_string(ctx, argv[0], "level", NULL);
  if (level == NULL)
    return JS_EXCEPTION;
  int found = -1;
  for (int i = 0; i < 4; i++)
    if (strcmp(level, levels[i]) == 0)
      found = i;
  JS_FreeCString(ctx, level);
  if (found < 0)
    return JS_ThrowRangeError(ctx, "level: debug, info, warning or error is expected");
  size_t bytes;
  const char *line = js_string(ctx, argv[1], "line", &bytes);
  if (line == NULL)
    return JS_EXCEPTION;
  log_text((enum log_level)found, line, bytes);
  JS_FreeCString(ctx, line);
  return JS_UNDEFINED;
}

static JSValue js_log_tail(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  uint64_t bytes;
  uint64_t back;
  uint64_t end;
  if (!js_uint(ctx, argv[0], "bytes", LOG_RING_BYTES, &bytes) ||
      !js_uint(ctx, argv[1], "back", UINT32_MAX, &back))
    return JS_EXCEPTION;
  char *lines = js_malloc(ctx, (size_t)bytes + 1);
  if (lines == NULL)
    return JS_EXCEPTION;
  JSValue result = JS_NewObject(ctx);
  if (!JS_IsException(result)) {
    size_t got = log_files_tail(lines, (size_t)bytes, (size_t)back, &end);
    js_set(ctx, result, "lines", js_new_bytes(ctx, lines, got));
    js_set(ctx, result, "end", JS_NewInt64(ctx, (int64_t)end));
  }
  js_free(ctx, lines);
  return result;
}

static JSValue js_alive(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  life_sign(argc < 1 || JS_ToBool(ctx, argv[0]) ? LIFE_ALIVE : LIFE_NO_PICTURES);
  return JS_UNDEFINED;
}

static double resident_bytes(void) {
  char text[128];
  ssize_t bytes = statm < 0 ? -1 : pread(statm, text, sizeof text - 1, 0);
  unsigned long pages;
  if (bytes <= 0)
    return 0;
  text[bytes] = '\0';
  if (sscanf(text, "%*u %lu", &pages) != 1)
    return 0;
  return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static JSValue js_usage(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  (void)argv;
  JSValue usage = JS_NewObject(ctx);
  if (JS_IsException(usage))
    return usage;
  js_set(ctx, usage, "heapBytes", JS_NewInt64(ctx, (int64_t)runtime_heap_bytes()));
  js_set(ctx, usage, "rssBytes", JS_NewFloat64(ctx, resident_bytes()));
  js_set(ctx, usage, "queueBytes", JS_NewInt64(ctx, (int64_t)arena_bytes()));
  js_set(ctx, usage, "queueUsedBytes", JS_NewInt64(ctx, (int64_t)arena_used_bytes()));
  return usage;
}

/* ---- text ---- */

static JSValue js_utf8_encode(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  size_t bytes;
  const char *text = js_string(ctx, argv[0], "text", &bytes);
  if (text == NULL)
    return JS_EXCEPTION;
  JSValue array = js_new_bytes(ctx, text, bytes);
  JS_FreeCString(ctx, text);
  uint8_t *data;
  size_t size;
  if (JS_IsException(array) || !js_writable_bytes(ctx, array, "text", &data, &size))
    return array;
  /* The engine writes a lone surrogate as ED A0..BF xx, which is no UTF-8; U+FFFD is as long. */
  for (size_t i = 0; i + 2 < size; i++)
    if (data[i] == 0xed && data[i + 1] >= 0xa0)
      memcpy(data + i, "\xef\xbf\xbd", 3);
  return array;
}

static JSValue js_utf8_decode(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  struct bytes bytes;
  if (!js_bytes(ctx, argv[0], "bytes", SIZE_MAX / 4, &bytes))
    return JS_EXCEPTION;
  return js_new_text(ctx, bytes.data, bytes.size);
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("monotonicUs", 0, js_monotonic_us),
    JS_CFUNC_DEF("log", 2, js_log),
    JS_CFUNC_DEF("logTail", 2, js_log_tail),
    JS_CFUNC_DEF("alive", 1, js_alive),
    JS_CFUNC_DEF("usage", 0, js_usage),
    JS_CFUNC_DEF("exit", 1, js_exit),
    JS_CFUNC_DEF("onStop", 1, js_on_stop),
    JS_CFUNC_DEF("utf8Encode", 1, js_utf8_encode),
    JS_CFUNC_DEF("utf8Decode", 1, js_utf8_decode),
};

static JSValue text_of(JSContext *ctx, const char *path) {
  static char text[TEXT_BYTES];
  size_t bytes = text_file_read(path, text, sizeof text);
  return js_new_text(ctx, (const uint8_t *)text, bytes);
}

void js_process_install(JSContext *ctx, JSValueConst native, const struct options *options) {
  statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  watch_signals();
  JS_SetPropertyFunctionList(ctx, native, functions, sizeof functions / sizeof *functions);
  JSValue values = JS_NewObject(ctx);
  js_set(ctx, values, "build", JS_NewString(ctx, options_build()));
  js_set(ctx, values, "buildTimeS", JS_NewInt64(ctx, (int64_t)options_build_time_s()));
  js_set(ctx, values, "board", JS_NewString(ctx, options->board));
  js_set(ctx, values, "image", text_of(ctx, options->image_file));
  js_set(ctx, values, "commandLine", text_of(ctx, options->command_line));
  js_set(ctx, values, "queueBytes", JS_NewInt64(ctx, (int64_t)arena_bytes()));
  js_set(ctx, values, "startReason", JS_NewString(ctx, options->start_reason));
  js_set(ctx, values, "reset", JS_NewBool(ctx, options->reset));
  js_set(ctx, native, "options", values);
}

void js_process_release(JSContext *ctx) {
  timer_disarm(&stop_timer);
  loop_remove(&signal_watch);
  if (has_on_stop)
    JS_FreeValue(ctx, on_stop);
  has_on_stop = false;
  if (statm >= 0)
    close(statm);
}
