/* `native`: setTimer and clearTimer. */
#include <stdlib.h>

#include "js.h"
#include "runtime.h"
#include "timers.h"

/* Owned by the list of all of them until it fires or is cleared. */
struct js_timer {
  struct timer timer;
  struct js_timer *next;
  uint64_t number;
  JSContext *ctx;
  JSValue callback;
};

static struct js_timer *timers;
static uint64_t last_number;

/* Takes it off the list, and gives the callback to the caller. */
static JSValue forget(struct js_timer *timer) {
  JSValue callback = timer->callback;
  struct js_timer **at = &timers;
  while (*at != timer)
    at = &(*at)->next;
  *at = timer->next;
  timer_disarm(&timer->timer);
  js_free(timer->ctx, timer);
  return callback;
}

static void fire(void *owner) {
  struct js_timer *timer = owner;
  JSContext *ctx = timer->ctx;
  JSValue callback = forget(timer);
  runtime_call(callback, JS_UNDEFINED, 0, NULL);
  JS_FreeValue(ctx, callback);
}

static JSValue js_set_timer(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  uint64_t ms;
  if (!js_uint(ctx, argv[0], "ms", 0x7fffffff, &ms) || !js_function(ctx, argv[1], "callback"))
    return JS_EXCEPTION;
  struct js_timer *timer = js_mallocz(ctx, sizeof *timer); /* counts against the heap limit */
  if (timer == NULL)
    return JS_EXCEPTION;
  timer->next = timers;
  timer->number = ++last_number;
  timer->ctx = ctx;
  timer->callback = JS_DupValue(ctx, argv[1]);
  timers = timer;
  timer_arm(&timer->timer, ms * 1000u, fire, timer);
  return JS_NewInt64(ctx, (int64_t)timer->number);
}

static JSValue js_clear_timer(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  (void)this;
  (void)argc;
  uint64_t number;
  if (!js_uint(ctx, argv[0], "timer", 9007199254740991u, &number))
    return JS_EXCEPTION;
  for (struct js_timer *timer = timers; timer != NULL; timer = timer->next)
    if (timer->number == number) {
      JS_FreeValue(ctx, forget(timer));
      break;
    }
  return JS_UNDEFINED;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("setTimer", 2, js_set_timer),
    JS_CFUNC_DEF("clearTimer", 1, js_clear_timer),
};

void js_timers_install(JSContext *ctx, JSValueConst native) {
  JS_SetPropertyFunctionList(ctx, native, functions, sizeof functions / sizeof *functions);
}

void js_timers_release(JSContext *ctx) {
  while (timers != NULL)
    JS_FreeValue(ctx, forget(timers));
}
