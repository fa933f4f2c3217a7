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

/** A passphrase that can be asked for. */
interface Asked {
  /** Begins the sentence that somebody must be there, as "the owner's keys have". */
  readonly has: string;
  readonly question: string;
  /** The environment variable that may name a file with it in its first line. */
  readonly variable: string;
}

const OWNERS: Asked = {
  has: "the owner's keys have",
  question: "Passphrase: ",
  variable: "OCELLUS_PASSPHRASE_FILE",
};

/** What was typed before in this run, by question. */
const known = new Map<string, Uint8Array>();

/**
 * The passphrase of the owner's keys as UTF-8: from the file that OCELLUS_PASSPHRASE_FILE names (its first line), else
 * from the terminal, once a run. @param again ask twice, for a new one.
 */
export function askPassphrase(again: boolean): Promise<Uint8Array> {
  return passphraseOf(OWNERS, again);
}

/** As `askPassphrase`, of an update key in a file; OCELLUS_UPDATE_KEY_PASSPHRASE_FILE names a file with it. */
export function askKeyPassphrase(path: string, again: boolean): Promise<Uint8Array> {
  const asked = {
    has: `the update key in ${path} has`,
    question: `Passphrase of ${path}: `,
    variable: "OCELLUS_UPDATE_KEY_PASSPHRASE_FILE",
  };
  return passphraseOf(asked, again);
}

async function passphraseOf(asked: Asked, again: boolean): Promise<Uint8Array> {
  const { has, question, variable } = asked;
  const file = process.env[variable];
  if (file) return notEmpty((await readNamed(file)).split(/\r?\n/)[0] ?? "");
  if (!someoneThere()) {
    throw new Problem(
      `${has} a passphrase; run this in a terminal, or name a file with it in ${variable}.`,
    );
  }
  const typed = known.get(question);
  if (typed && !again) return typed.slice();
  const passphrase = notEmpty(await askSecret(again ? `New ${lowered(question)}` : question));
  if (!again) {
    // A command that reads the keys more than once has them in memory anyway.
    known.set(question, passphrase.slice());
    return passphrase;
  }
  const repeated = utf8(await askSecret("Once more: "));
  const same = Buffer.compare(passphrase, repeated) === 0;
  wipe(repeated);
  if (!same) throw new Problem("the two passphrases differ; try again.");
  return passphrase;
}

function lowered(question: string): string {
  return question.charAt(0).toLowerCase() + question.slice(1);
}

function notEmpty(text: string): Uint8Array {
  if (text === "") throw new Problem("the passphrase is empty; try again.");
  return utf8(text);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text.normalize("NFC"));
}
