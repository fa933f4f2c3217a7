/** @returns what an error says, in one line without a full stop, for the end of a sentence. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/\s+/g, " ").replace(/\.$/, "");
}
