/**
 * What the commands that act as an owner share: whose keys, which camera, and words for people.
 */
import { Command } from "commander";
import { complain } from "../build/problem.mjs";
import { shown, shownJson, shownLines } from "../build/shown.mjs";
import { cacheHome, ownerHome } from "../owner/files.ts";
import type { CameraView } from "../owner/heads.ts";
import { Heard } from "../owner/heard.ts";
import { type Keystore, loadOwner } from "../owner/keystore.ts";
import { accessOf, findKnown, type Owner, type RetiredCamera, wipeOwner } from "../owner/owner.ts";
import { openStore } from "../owner/store.ts";
import { showTime } from "../owner/times.ts";
import { openingKeys, trustCamera } from "../owner/trust.ts";
import { askPassphrase } from "./ask.ts";
import { isByPhrase, type PhraseFlags, withFootageByPhrase } from "./by-phrase.ts";

/** Options of every command that acts as an owner. */
export interface OwnerFlags {
  readonly home?: string;
  readonly json?: true;
}

/** A command with the options that all owners' commands have. */
export function ownerCommand(name: string, about: string): Command {
  return plainCommand(name, about).option(
    "--home <dir>",
    "where the owner's keys are (default: ~/.config/ocellus)",
  );
}

/** A command that prints a result and needs no owner's keys. */
export function plainCommand(name: string, about: string): Command {
  return new Command(name)
    .description(about)
    .option("--json", "print JSON")
    .hook("preAction", endOnSignals);
}

/** From signal(7): what a shell adds to 128 for the status of a program that it ended. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Ends at once on a signal, as a process does by itself, but lets what must not stay behind be removed first. */
function endOnSignals(): void {
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      // After all else that has to be done at the exit, such as removing a progress line.
      process.once("exit", () => console.error("ocellus: interrupted."));
      process.exit(128 + SIGNALS[signal]);
    });
  }
}

/** The owner's state directory as the flags or the environment name it. */
export function keystoreOf({ home }: OwnerFlags): Keystore {
  return { home: home ?? ownerHome(), askPassphrase };
}

/** Loads the owner, lets `work` use it with what was heard of his cameras, and wipes it. */
export async function withOwner<T>(
  flags: OwnerFlags,
  work: (owner: Owner, heard: Heard) => Promise<T>,
): Promise<T> {
  const store = keystoreOf(flags);
  const { owner } = await loadOwner(store);
  try {
    return await work(owner, new Heard(store.home));
  } finally {
    wipeOwner(owner);
  }
}

/** Opens a camera's footage in the store, lets `work` use it, and closes the store. */
export async function withFootage<T>(
  flags: OwnerFlags & PhraseFlags,
  camera: string,
  work: (view: CameraView) => Promise<T>,
): Promise<T> {
  if (isByPhrase(flags)) return withFootageByPhrase(flags, camera, work);
  return withOwner(flags, async (owner) => {
    const known = findKnown(owner, camera);
    if (known.state === "retired") complain(doubt(known));
    const trusted = trustCamera(owner, known);
    const store = openStore(accessOf(owner).store);
    try {
      const retired = known.state === "retired" ? { retired_us: known.retired_us } : {};
      const view = { store, trusted, keys: openingKeys(owner), cache: cacheHome(), ...retired };
      return await work(view);
    } finally {
      store.close();
    }
  });
}

/** What no signature tells of a camera that somebody else has. */
function doubt({ name, retired_us }: RetiredCamera): string {
  return `camera "${name}" is retired: doubt what came into the store after ${showTime(retired_us)}, whatever time it states.`;
}

/** Prints a result: JSON where that is wanted, otherwise what `words` makes of it, whose line breaks are its own. */
export function print<T>(flags: OwnerFlags, result: T, words: (result: T) => string): void {
  process.stdout.write(`${flags.json ? shownJson(result, 2) : shownLines(words(result))}\n`);
}

/** Columns of equal width, two spaces apart. A cell is one line whatever stands in it. */
export function columns(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(shown));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
