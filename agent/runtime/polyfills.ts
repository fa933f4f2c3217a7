/**
 * The globals that the libraries look for, in the order in which they need each other. Imported first by main.ts, because
 * libraries look as they load. What the engine has already stays as it is.
 *
 * Beside main.ts this is the only module that reads the global `native`: it has to be there before anything else is.
 */
import { AbortController, AbortSignal } from "./abort.ts";
import { consoleFor } from "./console.ts";
import { processFor } from "./process.ts";
import { textDecoderFor, textEncoderFor } from "./text.ts";
import { timersFor } from "./timers.ts";

function define(name: string, value: unknown): void {
  if (Reflect.get(globalThis, name) !== undefined) return;
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}

// A rejected promise of a throwing microtask is a defect like any other: the runtime ends the process.
const runSoon = (callback: () => void) => void Promise.resolve().then(callback);

define("process", processFor(runSoon));
define("queueMicrotask", runSoon);
for (const [name, timer] of Object.entries(timersFor(native))) define(name, timer);
define("TextEncoder", textEncoderFor(native));
define("TextDecoder", textDecoderFor(native));
define("AbortSignal", AbortSignal);
define("AbortController", AbortController);
define("console", consoleFor(native));
