/**
 * Trouble a person can act on: a busy port, a missing program, a state directory in use.
 *
 * Its message is one sentence that says what is wrong and what to do; the command prints it alone
 * and exits with status 1. Anything else that is thrown is a defect and keeps its stack.
 */
export class CloudTrouble extends Error {
  override readonly name = "CloudTrouble";
}

/**
 * @param error anything that was caught.
 * @returns the operating system's code of a failed call ("ENOENT", "EADDRINUSE"), or undefined where
 *   the error is of another kind.
 */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
