/**
 * The owner's state file: read, locked, and written back whole (FORMAT.md, "State file").
 *
 * With a passphrase the file holds a secretbox under a scrypt key. It is asked for on the terminal or read
 * from the file that OCELLUS_PASSPHRASE_FILE names; it never stands in a command line.
 */

import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { scrypt } from "@noble/hashes/scrypt.js";
import { refuseShared } from "../build/directories.mjs";
import { asTyped } from "../build/invoked.mjs";
import { withLock } from "../build/lock.mjs";
import { Problem } from "../build/problem.mjs";
import { crypto, random, toBase64, wipe } from "./crypto.ts";
import { makePrivateDirectory, readIfThere, writePrivateFile } from "./files.ts";
import { bytes, count, type Fields, parseFields } from "./json.ts";
import type { Owner } from "./owner.ts";
import { ownerJson, parseOwner } from "./state.ts";
import { reasonOf } from "./trouble.ts";

/** Cost of the passphrase: 2^17 × 8 × 128 B = 128 MiB and about a second (OWASP's first choice for scrypt). */
const SCRYPT = { log2_n: 17, r: 8, p: 1 } as const;
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

/** A key made from a passphrase, and how it was made. */
export interface PassphraseKey {
  readonly salt: Uint8Array;
  readonly secret: Uint8Array;
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
    case "ocellus-owner-1-sealed":
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
    ? sealedFile(loaded.key, json)
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

/** Makes the key of a new passphrase. The passphrase is wiped. */
export function passphraseKey(passphrase: Uint8Array, salt = random(16)): PassphraseKey {
  try {
    const secret = scrypt(passphrase, salt, {
      ...{ N: 2 ** SCRYPT.log2_n, r: SCRYPT.r, p: SCRYPT.p, dkLen: 32 },
    });
    return { salt, secret };
  } finally {
    wipe(passphrase);
  }
}

function sealedFile(key: PassphraseKey, json: string): string {
  const nonce = random(24);
  const plain = new TextEncoder().encode(json);
  const box = crypto.secretbox(plain, nonce, key.secret);
  wipe(plain);
  return `${JSON.stringify(
    {
      format: "ocellus-owner-1-sealed",
      scrypt: { ...SCRYPT, salt: toBase64(key.salt) },
      nonce: toBase64(nonce),
      box: toBase64(box),
    },
    null,
    2,
  )}\n`;
}

function openSealed(fields: Fields, path: string, passphrase: Uint8Array): Loaded {
  const cost = parseFields(JSON.stringify(fields.scrypt), `${path}: "scrypt"`);
  for (const name of ["log2_n", "r", "p"] as const) {
    // Another cost would let whoever can write the file make the owner's machine run out of memory.
    if (count(cost, name, path) !== SCRYPT[name]) {
      throw new Problem(`${path}: the cost of its passphrase is not one this version makes.`);
    }
  }
  const { salt, box, nonce } = undamaged(() => ({
    salt: bytes(cost, "salt", path, 16),
    box: bytes(fields, "box", path),
    nonce: bytes(fields, "nonce", path, 24),
  }));
  const key = passphraseKey(passphrase, salt);
  const plain = crypto.secretboxOpen(box, nonce, key.secret);
  if (plain === null) {
    throw new Problem(`the passphrase does not open ${path}; try again.`);
  }
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
