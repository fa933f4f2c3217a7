/**
 * Asking the person at the terminal, on standard error so that standard output stays the command's result.
 */
import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import { Problem } from "../build/problem.mjs";
import { wipe } from "../owner/crypto.ts";
import { readNamed } from "../owner/files.ts";

/** Whether there is a person to ask. */
export function someoneThere(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** One line, with spaces around it removed. Throws Problem where the input ends without one. */
export async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await answer(terminal, question)).trim();
  } finally {
    terminal.close();
  }
}

function answer(terminal: Interface, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // While it asks, the terminal hands Ctrl-C to us as a character.
    terminal.once("SIGINT", () => {
      process.stderr.write("\n");
      process.emit("SIGINT", "SIGINT");
      terminal.close();
    });
    terminal.once("close", () =>
      reject(new Problem(`"${question.trim()}" got no answer; run this again in a terminal.`)),
    );
    terminal.question(question, resolve);
  });
}

/** One line that is not shown as it is typed. */
async function askSecret(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await answer(terminal, "");
  } finally {
    terminal.close();
    process.stderr.write("\n");
  }
}

/** What was typed before in this run. */
let known: Uint8Array | null = null;

/**
 * The passphrase of the owner's keys as UTF-8: from the file that OCELLUS_PASSPHRASE_FILE names (its first line), else
 * from the terminal, once a run. @param again ask twice, for a new one.
 */
export async function askPassphrase(again: boolean): Promise<Uint8Array> {
  const file = process.env.OCELLUS_PASSPHRASE_FILE;
  if (file) return notEmpty((await readNamed(file)).split(/\r?\n/)[0] ?? "");
  if (!someoneThere()) {
    throw new Problem(
      "the owner's keys have a passphrase; run this in a terminal, or name a file with it in OCELLUS_PASSPHRASE_FILE.",
    );
  }
  if (known && !again) return known.slice();
  const passphrase = notEmpty(await askSecret(again ? "New passphrase: " : "Passphrase: "));
  if (!again) {
    // A command that reads the keys more than once has them in memory anyway.
    known = passphrase.slice();
    return passphrase;
  }
  const repeated = utf8(await askSecret("Once more: "));
  const same = Buffer.compare(passphrase, repeated) === 0;
  wipe(repeated);
  if (!same) throw new Problem("the two passphrases differ; try again.");
  return passphrase;
}

function notEmpty(text: string): Uint8Array {
  if (text === "") throw new Problem("the passphrase is empty; try again.");
  return utf8(text);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text.normalize("NFC"));
}
