/**
 * Giving a camera up (identity/FORMAT.md, "Reset"). Resumable: the intent is written first and erased last, so that a
 * cut anywhere in between is finished by the next start.
 */
import type { Native, NativeError } from "../runtime/native.d.ts";
import { STATE_FILES } from "./files.ts";

const INTENT = "reset";

type Machine = Pick<Native, "readState" | "writeState" | "eraseState">;

/** A reset that was begun and not finished. An intent that cannot be read still is one. */
export function resetIsDue(native: Machine): boolean {
  return native.readState(INTENT) !== null;
}

/**
 * Erases every state file. `null`: all gone. An error leaves the intent in place, so that a later start goes on; if
 * the intent itself cannot be written, nothing was erased.
 */
export function reset(native: Machine): NativeError | null {
  if (!resetIsDue(native)) {
    const failed = native.writeState(INTENT, Uint8Array.of(1));
    if (failed !== undefined) return failed;
  }
  let failed: NativeError | undefined;
  // Secrets first; one file that cannot be erased does not keep the others.
  for (const name of [...STATE_FILES, "seed"]) failed = native.eraseState(name) ?? failed;
  return failed ?? native.eraseState(INTENT) ?? null;
}
