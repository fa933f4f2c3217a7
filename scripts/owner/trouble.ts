/**
 * Trouble the owner can act on: a missing file, a wrong passphrase, an object that was altered.
 *
 * Its message is one sentence that says what is wrong and what to do; the command prints it alone and
 * exits with status 1. Anything else that is thrown is a defect and keeps its stack.
 */
export class OwnerTrouble extends Error {
  override readonly name: string = "OwnerTrouble";
}

/** @returns the operating system's code of a failed call ("ENOENT"), undefined for any other error. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** @returns what an error says, in one line, for the end of a sentence. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/\s+/g, " ").replace(/\.$/, "");
}
