/**
 * The owner's state file: read, locked, and written back whole (FORMAT.md, "State file").
 *
 * With a passphrase the file is a sealed one (sealed-file.ts).
 */

import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { refuseShared } from "../build/directories.mjs";
import { asTyped } from "../build/invoked.mjs";
import { withLock } from "../build/lock.mjs";
import { Problem } from "../build/problem.mjs";
import { wipe } from "./crypto.ts";
import { makePrivateDirectory, readIfThere, writePrivateFile } from "./files.ts";
import { type Fields, parseFields } from "./json.ts";
import type { Owner } from "./owner.ts";
import { openSealedFile, type PassphraseKey, sealedFile } from "./sealed-file.ts";
import { ownerJson, parseOwner } from "./state.ts";
import { reasonOf } from "./trouble.ts";

const SEALED_FORMAT = "ocellus-owner-1-sealed";
/** The longest that a command holds the lock is while it talks to a store that is slow. */
const LOCK_WAIT_S = 60;

/** Gives the passphrase as UTF-8 bytes, which the store wipes. `again`: ask twice, for a new one. */
export type AskPassphrase = (again: boolean) => Promise<Uint8Array>;

/** One owner's state directory. */
export interface Keystore {
  readonly home: string;
  readonly askPassphrase: AskPassphrase;
}

/** An owner as loaded, with what is needed to write it back the same way. The holder wipes `owner`. */
export interface Loaded {
  readonly owner: Owner;
  /** Present where the file is sealed under a passphrase. */
  readonly key?: PassphraseKey;
}

/** Whether there is an owner in the directory. */
export async function hasOwner(store: Keystore): Promise<boolean> {
  return (await readIfThere(ownerFile(store))) !== null;
}

/**
 * Reads the owner. Throws Problem where there is none, somebody else could have put it there, the file is damaged, or the
 * passphrase is wrong.
 */
export async function loadOwner(store: Keystore): Promise<Loaded> {
  const path = ownerFile(store);
  const json = await readIfThere(path);
  if (json === null) throw noKeys(store);
  await refuseShared(store.home);
  const fields = undamaged(() => parseFields(json, path));
  switch (fields.format) {
    case "ocellus-owner-1":
      return { owner: undamaged(() => parseOwner(JSON.stringify(fields.owner), path)) };
    case SEALED_FORMAT:
      return openSealed(fields, path, await store.askPassphrase(false));
    default:
      throw new Problem(`${path} is not an owner's state of this version of ocellus.`);
  }
}

/** What `read` makes of the file; its Problem also says how the keys come back. */
function undamaged<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const damage = error.message.replace(/\.$/, "");
    throw new Problem(
      `${damage}; move that file away and bring the keys back with \`${asTyped("keys restore")}\`.`,
    );
  }
}

function noKeys({ home }: Keystore): Problem {
  return new Problem(`there are no owner's keys in ${home}; run \`${asTyped("keys init")}\`.`);
}

/** Writes the owner, sealed where `loaded.key` is there. Whoever may not be alone uses `createOwner` or `changeOwner`. */
export async function saveOwner(store: Keystore, loaded: Loaded): Promise<void> {
  await makePrivateDirectory(store.home);
  const json = ownerJson(loaded.owner);
  const file = loaded.key
    ? sealedFile(SEALED_FORMAT, loaded.key, json)
    : `{"format":"ocellus-owner-1","owner":${json}}\n`;
  await writePrivateFile(ownerFile(store), file);
}

/** Throws Problem where the directory holds an owner's keys, which nothing may replace. */
export async function refuseOwner(store: Keystore): Promise<void> {
  if (!(await hasOwner(store))) return;
  throw new Problem(
    `${store.home} holds an owner's keys already; name another place with --home to have others.`,
  );
}

/** Writes a new owner. Throws Problem where there is one already, also one that another command made meanwhile. */
export async function createOwner(store: Keystore, loaded: Loaded): Promise<void> {
  await locked(store, async () => {
    await refuseOwner(store);
    await saveOwner(store, loaded);
  });
}

/**
 * Loads the owner, lets `change` make a new one, and writes that, while no other command does the same.
 * @returns what `change` returned beside the owner. Nothing is written where it throws.
 */
export async function changeOwner<T>(
  store: Keystore,
  change: (owner: Owner) => Promise<[Owner, T]> | [Owner, T],
): Promise<T> {
  // Where there is nothing to change, no directory is made.
  if (!(await hasOwner(store))) throw noKeys(store);
  return locked(store, async () => {
    const loaded = await loadOwner(store);
    const [owner, result] = await change(loaded.owner);
    await saveOwner(store, { ...loaded, owner });
    return result;
  });
}

function openSealed(fields: Fields, path: string, passphrase: Uint8Array): Loaded {
  const { plain, key } = openSealedFile(fields, path, passphrase, undamaged);
  try {
    return { owner: undamaged(() => parseOwner(new TextDecoder().decode(plain), path)), key };
  } finally {
    wipe(plain);
  }
}

function ownerFile(store: Keystore): string {
  return join(store.home, "owner.json");
}

/** Runs `work` as the only command that does so in this directory. A process that dies holds nothing. */
async function locked<T>(store: Keystore, work: () => Promise<T>): Promise<T> {
  await makePrivateDirectory(store.home);
  const path = join(store.home, "owner.lock");
  try {
    const file = await open(path, "a", 0o600);
    await file.close();
  } catch (error) {
    throw new Problem(`cannot write ${path}: ${reasonOf(error)}.`);
  }
  const onWait = () =>
    process.stderr.write(`  waiting for another ocellus command that changes ${store.home}\n`);
  const alone = async () => {
    await removeParts(store);
    return work();
  };
  return withLock(path, onWait, alone, LOCK_WAIT_S);
}

/** A command that was killed while it wrote left a file with all secrets, which nobody needs. */
async function removeParts({ home }: Keystore): Promise<void> {
  const parts = (await readdir(home)).filter((name) => /^\.[0-9a-f]{12}\.part$/.test(name));
  await Promise.all(parts.map((name) => rm(join(home, name), { force: true })));
}
