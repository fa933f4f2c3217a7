/**
 * Giving a camera up (identity/FORMAT.md, "Reset"). Resumable: the intent is written first and erased last, so that a
 * cut anywhere in between is finished by the next start.
 */
import type { Native, NativeError } from "../runtime/native.d.ts";
import { DEFECT_FILE, STATE_FILES } from "./files.ts";

const INTENT = "reset";

type Machine = Pick<Native, "readState" | "writeState" | "eraseState">;

/**
 * Whether a reset was begun and not finished. Only an intent that was read counts: taking a failed read for one would
 * erase an owner's camera for a passing fault of its flash.
 */
export function resetIsDue(native: Machine): boolean | NativeError {
  const intent = native.readState(INTENT);
  if (intent === null || intent instanceof Uint8Array) return intent !== null;
  return intent;
}

/**
 * Erases every state file. `null`: all gone. An error leaves the intent in place, so that a later start goes on; if
 * the intent itself cannot be written, nothing was erased.
 */
export function reset(native: Machine): NativeError | null {
  if (resetIsDue(native) !== true) {
    const failed = native.writeState(INTENT, Uint8Array.of(1));
    if (failed !== undefined) return failed;
  }
  let failed: NativeError | undefined;
  // Secrets first; one file that cannot be erased does not keep the others.
  for (const name of [...STATE_FILES, "seed", DEFECT_FILE])
    failed = native.eraseState(name) ?? failed;
  return failed ?? native.eraseState(INTENT) ?? null;
}
