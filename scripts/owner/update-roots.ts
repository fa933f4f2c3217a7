/**
 * The owner's update roots: every version that was published, kept in files beside the keys and put to the store
 * (FORMAT.md, "Update roots"; ota/FORMAT.md).
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { same } from "../../agent/identity/encoding.ts";
import { rootsObject } from "../../agent/update/names.ts";
import { isUpdateRefused, updateClause } from "../../agent/update/refusal.ts";
import {
  nextRoots,
  ownerRoots,
  parseSignedRoots,
  type UpdateRoots,
} from "../../agent/update/roots.ts";
import { SIGNED_BYTES_MAX } from "../../agent/update/signatures.ts";
import { complain, errorCode, Problem } from "../build/problem.mjs";
import { crypto } from "./crypto.ts";
import { makePrivateDirectory, readNamedBytes, writePrivateFile } from "./files.ts";
import type { Owner } from "./owner.ts";
import { openStore, type Store } from "./store.ts";
import { reasonOf } from "./trouble.ts";

/** Whoever only wants to be shown something does not wait long for a store. */
const HURRIED = { answer_ms: 5000, idle_ms: 5000 };

/** Versions of roots from the owner's root key on, each verified by the one before it. */
export interface RootsChain {
  /** The newest. */
  readonly roots: UpdateRoots;
  /** SignedRoots of version 1, 2, and so on; none where the owner set nothing up. */
  readonly signed: readonly Uint8Array[];
}

/** The chain as it is kept. Throws Problem where a file is damaged or missing. */
export async function readRootsChain(
  home: string,
  owner: Pick<Owner, "tenant" | "root">,
): Promise<RootsChain> {
  let chain = startOf(owner);
  const count = await versionsKept(home);
  while (chain.signed.length < count) {
    const path = fileOf(home, chain.signed.length + 1);
    const bytes = await readNamedBytes(path, SIGNED_BYTES_MAX);
    chain = longer(chain, bytes, path, "move it away; the store has another copy");
  }
  return chain;
}

/** The chain of an owner who set nothing up. */
function startOf({ tenant, root }: Pick<Owner, "tenant" | "root">): RootsChain {
  return { roots: ownerRoots(tenant, root.publicKey), signed: [] };
}

/** The chain with one more version. Throws Problem where it does not follow. @param advice ends its sentence. */
export function longer(
  chain: RootsChain,
  bytes: Uint8Array,
  source: string,
  advice: string,
): RootsChain {
  const next = nextRoots(crypto, bytes, chain.roots);
  if (!isUpdateRefused(next)) return { roots: next, signed: [...chain.signed, bytes] };
  throw new Problem(
    `${source} is refused as the roots' version ${chain.signed.length + 1}: ${updateClause(next)}; ${advice}.`,
  );
}

/** Keeps the chain's newest version. */
export async function keepRoots(home: string, { signed }: RootsChain): Promise<void> {
  const newest = signed.at(-1);
  if (newest === undefined) return;
  await makePrivateDirectory(folderOf(home));
  await writePrivateFile(fileOf(home, signed.length), newest);
}

/**
 * Makes store and home agree: versions that the store lacks are put, newer ones that it has are verified and kept. Throws Problem
 * where they contradict each other, or the store fails.
 */
export async function syncRoots(
  store: Store,
  home: string,
  owner: Pick<Owner, "tenant" | "root">,
): Promise<RootsChain> {
  let chain = await readRootsChain(home, owner);
  for (const [i, bytes] of chain.signed.entries())
    await putRoots(store, owner.tenant, i + 1, bytes);
  for (;;) {
    const name = rootsObject(owner.tenant, chain.signed.length + 1);
    const bytes = await store.get(name, 0, SIGNED_BYTES_MAX);
    if (bytes === null) return chain;
    const advice = "somebody without enough of the keys put it there, so remove it from the store";
    chain = longer(chain, bytes, `${name} in the store`, advice);
    await keepRoots(home, chain);
  }
}

/** As `syncRoots` where a store is known; one that fails is told, and what is kept here is taken for the newest. */
export async function newestRoots(home: string, owner: Owner): Promise<RootsChain> {
  if (!owner.access) return readRootsChain(home, owner);
  const store = openStore(owner.access.store, HURRIED);
  try {
    return await syncRoots(store, home, owner);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    complain(`warning: there may be newer roots than are known here: ${error.message}`);
    return await readRootsChain(home, owner);
  } finally {
    store.close();
  }
}

/** Puts a version, unless it is there. Throws Problem where there are other roots of that version. */
export async function putRoots(
  store: Store,
  tenant: string,
  version: number,
  bytes: Uint8Array,
): Promise<"put" | "exists"> {
  const name = rootsObject(tenant, version);
  const done = await store.putNew(name, bytes);
  if (done === "put") return done;
  const there = await store.get(name, 0, SIGNED_BYTES_MAX);
  // Who has signed beyond the threshold makes no difference.
  if (there !== null && same(rawOf(there), rawOf(bytes))) return done;
  throw new Problem(
    `the store holds other roots of version ${version} (${name}); whoever made those and you have to agree which are right, and remove the others.`,
  );
}

function rawOf(bytes: Uint8Array): Uint8Array {
  const signed = parseSignedRoots(bytes);
  return isUpdateRefused(signed) ? bytes : signed.raw;
}

async function versionsKept(home: string): Promise<number> {
  try {
    const names = await readdir(folderOf(home));
    return Math.max(0, ...names.filter((name) => /^[0-9]{10}$/.test(name)).map(Number));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return 0;
    throw new Problem(`cannot read ${folderOf(home)}: ${reasonOf(error)}.`);
  }
}

function folderOf(home: string): string {
  return join(home, "update-roots");
}

function fileOf(home: string, version: number): string {
  return join(folderOf(home), String(version).padStart(10, "0"));
}
