#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

/* With a terminating zero, which the parser wants. */
static uint8_t *code;
static size_t code_bytes;

void bundle_release(void) {
  free(code);
  code = NULL;
  code_bytes = 0;
}

/* An upper bound first, so that a wrong file cannot eat the memory. */
static bool read_all(FILE *file) {
  size_t room = 0;
  for (;;) {
    if (code_bytes + 1 >= room) {
      room = room == 0 ? 65536 : room * 2;
      uint8_t *grown = room > 2 * BUNDLE_BYTES_MAX ? NULL : realloc(code, room);
      if (grown == NULL)
        return false;
      code = grown;
    }
    size_t got = fread(code + code_bytes, 1, room - code_bytes - 1, file);
    code_bytes += got;
    if (got == 0)
      break;
  }
  code[code_bytes] = '\0';
  return !ferror(file) && code_bytes > 0 && code_bytes <= BUNDLE_BYTES_MAX;
}

/* NULL: said. Links are followed, and a second name is as good as the first: an image may share the
 * blocks of equal files, and whoever could put code here would rule the camera without root. */
static FILE *open_code(const char *path) {
  struct stat status;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
    log_line(LOG_ERROR, "%s is no regular file", path);
    close(fd);
    return NULL;
  }
  FILE *file = fd < 0 ? NULL : fdopen(fd, "rb");
  if (file == NULL)
    log_line(LOG_ERROR, "cannot open %s: %s", path, strerror(errno));
  return file;
}

bool bundle_read(const struct options *options) {
  const char *path = options->bundle != NULL ? options->bundle : options->bytecode;
  FILE *file = open_code(path);
  if (file == NULL)
    return false;
  bool good = read_all(file);
  fclose(file);
  if (!good)
    log_line(LOG_ERROR, "cannot read %s, or it is empty or larger than %u bytes", path,
             BUNDLE_BYTES_MAX);
  return good;
}

#ifdef OCELLUS_NO_COMPILER

bool bundle_compile(const struct options *options) {
  if (options->bundle == NULL)
    return true;
  log_line(LOG_ERROR, "this build takes --bytecode only");
  return false;
}

#else

static void log_exception(JSContext *ctx) {
  JSValue error = JS_GetException(ctx);
  JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
  const char *text = JS_ToCString(ctx, error);
  const char *trace = JS_ToCString(ctx, stack);
  log_line(LOG_ERROR, "%s %s", text == NULL ? "" : text, trace == NULL ? "" : trace);
  JS_FreeCString(ctx, text);
  JS_FreeCString(ctx, trace);
  JS_FreeValue(ctx, stack);
  JS_FreeValue(ctx, error);
}

bool bundle_compile(const struct options *options) {
  if (options->bundle == NULL)
    return true;
  JSRuntime *runtime = JS_NewRuntime();
  JSContext *ctx = runtime == NULL ? NULL : JS_NewContext(runtime);
  if (ctx == NULL)
    abort();
  JS_SetStripInfo(runtime, JS_STRIP_SOURCE);
  JSValue module = JS_Eval(ctx, (const char *)code, code_bytes, options->bundle,
                           JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
  uint8_t *bytecode = NULL;
  size_t bytes = 0;
  if (!JS_IsException(module))
    bytecode = JS_WriteObject(ctx, &bytes, module, JS_WRITE_OBJ_BYTECODE);
  if (bytecode == NULL)
    log_exception(ctx);
  bundle_release();
  if (bytecode != NULL) {
    code = malloc(bytes);
    if (code == NULL)
      abort();
    memcpy(code, bytecode, bytes);
    code_bytes = bytes;
    js_free(ctx, bytecode);
  }
  JS_FreeValue(ctx, module);
  JS_FreeContext(ctx);
  JS_FreeRuntime(runtime);
  return code != NULL;
}

#endif

bool bundle_write(const struct options *options) {
  FILE *file = fopen(options->compile_to, "wb");
  bool written = file != NULL && fwrite(code, 1, code_bytes, file) == code_bytes;
  if (file != NULL && fclose(file) != 0)
    written = false;
  if (!written)
    log_line(LOG_ERROR, "cannot write %s: %s", options->compile_to, strerror(errno));
  return written;
}

JSValue bundle_load(JSContext *ctx) {
  JSValue module = JS_ReadObject(ctx, code, code_bytes, JS_READ_OBJ_BYTECODE);
  bundle_release();
  bool good = JS_VALUE_GET_TAG(module) == JS_TAG_MODULE && JS_ResolveModule(ctx, module) == 0;
  if (good)
    return module;
  if (!JS_IsException(module))
    JS_FreeValue(ctx, module);
  JS_FreeValue(ctx, JS_GetException(ctx));
  log_line(LOG_ERROR, "the code is no module compiled by this engine");
  return JS_EXCEPTION;
}
