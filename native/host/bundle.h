/*
 * The agent's code: read from its file while the program may still read it, then loaded.
 *
 * Cameras run bytecode (--bytecode), which is native code in disguise: the engine checks nothing of
 * it, so it has the standing of the program's own text and lives in the signed image. For
 * development a module's source (--bundle) is compiled first, by a runtime of its own, and then
 * goes the same way. A build with OCELLUS_NO_COMPILER leaves the engine's parser out.
 */
#ifndef OCELLUS_HOST_BUNDLE_H
#define OCELLUS_HOST_BUNDLE_H

#include <quickjs.h>
#include <stdbool.h>

#include "options.h"

#define BUNDLE_BYTES_MAX (16u << 20)

/* Reads the file that the options name. On failure logs a sentence. */
bool bundle_read(const struct options *options);

/* Compiles what was read, if it is source. On failure logs what is wrong with it. */
bool bundle_compile(const struct options *options);

/* Writes the bytecode to options->compile_to. On failure logs a sentence. */
bool bundle_write(const struct options *options);

/* Makes the module, whose code it then releases. JS_EXCEPTION where it is not bytecode of this
 * engine; a sentence was logged. */
JSValue bundle_load(JSContext *ctx);

/* Releases what is left; harmless after bundle_load. */
void bundle_release(void);

#endif
