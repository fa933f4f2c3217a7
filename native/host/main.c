/*
 * ocellus-camera: runs the camera's agent.
 *
 * One process, one thread, one poll loop. Whatever needs root is opened first; then root is given
 * up for good, and only then is a byte looked at that comes from elsewhere.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "bundle.h"
#include "crypto.h"
#include "js.h"
#include "life.h"
#include "log.h"
#include "log_files.h"
#include "loop.h"
#include "options.h"
#include "privilege.h"
#include "provision.h"
#include "runtime.h"
#include "state.h"
#include "tls.h"

static JSContext *context;

static bool install(const struct options *options) {
  context = runtime_open(options);
  if (context == NULL) {
    log_line(LOG_ERROR, "the engine does not fit into %u bytes of heap", options->heap_bytes);
    return false;
  }
  JSValue native = JS_NewObject(context);
  js_process_install(context, native, options);
  js_timers_install(context, native);
  js_state_install(context, native);
  js_crypto_install(context, native);
  js_encoder_install(context, native, options->door);
  js_epoch_install(context, native);
  js_segment_install(context, native);
  js_net_install(context, native);
  JSValue global = JS_GetGlobalObject(context);
  JS_DefinePropertyValueStr(context, global, "native", native, 0);
  JS_FreeValue(context, global);
  return true;
}

static void release(void) {
  if (context != NULL) {
    js_net_release(context);
    js_encoder_release(context);
    js_timers_release(context);
    js_process_release(context);
  }
  runtime_close();
  tls_stop();
  bundle_release();
  arena_close();
  provision_close();
  state_close();
  crypto_stop();
}

/* As root it opens by name: the state directory, the code, and the provisioning file (and, for a
 * --user that is a name, the C library reads the account). Each says there why nobody else can have
 * put something of root's under that name. */
static bool set_up(const struct options *options) {
  struct identity identity;
  if (!life_take(options->life_fd == 0 ? -1 : (int)options->life_fd) || !privilege_harden() ||
      !privilege_choose(&identity, options->user) || !state_open(options->state, &identity) ||
      !bundle_read(options))
    return false;
  provision_open(options->provision);
  crypto_start();
  tls_start(options_build_time_s());
  if (!privilege_drop(&identity) || !life_bind())
    return false;
  log_files_choose(options->log);
  if (!arena_open(options->queue_bytes)) {
    log_line(LOG_ERROR, "no memory for a queue of %u bytes", options->queue_bytes);
    return false;
  }
  return bundle_compile(options) && install(options);
}

static int run(void) {
  JSValue module = bundle_load(context);
  if (JS_IsException(module))
    return EXIT_SETUP;
  bool going_on = runtime_evaluate(module);
  while (going_on && !runtime_exiting())
    loop_pass(runtime_exiting);
  return runtime_status();
}

static int compile(const struct options *options) {
  bool good = bundle_read(options) && bundle_compile(options) && bundle_write(options);
  bundle_release();
  return good ? EXIT_STOPPED : EXIT_SETUP;
}

int main(int argc, char **argv) {
  struct options options;
  int status = options_read(&options, argc, argv);
  if (status >= 0)
    return status;
  if (options.compile_to != NULL)
    return compile(&options);
  status = set_up(&options) ? run() : EXIT_SETUP;
  release();
  return status;
}
