/**
 * Asking the person at the terminal, on standard error so that standard output stays the command's result.
 */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { Problem } from "../build/problem.mjs";
import { wipe } from "../owner/crypto.ts";
import { readNamed } from "../owner/files.ts";

/** Whether there is a person to ask. */
export function someoneThere(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** One line, with spaces around it removed. */
export async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}

/** One line that is not shown as it is typed. */
async function askSecret(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await terminal.question("");
  } finally {
    terminal.close();
    process.stderr.write("\n");
  }
}

/**
 * The passphrase of the owner's keys as UTF-8: from the file that OCELLUS_PASSPHRASE_FILE names (its first line), else
 * from the terminal. @param again ask twice, for a new one.
 */
export async function askPassphrase(again: boolean): Promise<Uint8Array> {
  const file = process.env.OCELLUS_PASSPHRASE_FILE;
  if (file) return utf8((await readNamed(file)).split(/\r?\n/)[0] ?? "");
  if (!someoneThere()) {
    throw new Problem(
      "the owner's keys have a passphrase; run this in a terminal, or name a file with it in OCELLUS_PASSPHRASE_FILE.",
    );
  }
  const passphrase = utf8(await askSecret(again ? "New passphrase: " : "Passphrase: "));
  if (!again) return passphrase;
  const repeated = utf8(await askSecret("Once more: "));
  const same = Buffer.compare(passphrase, repeated) === 0;
  wipe(repeated);
  if (!same) throw new Problem("the two passphrases differ; try again.");
  return passphrase;
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text.normalize("NFC"));
}
