/**
 * Walks a bucket's keys in S3's order (bytes of UTF-8), which no index holds: the directories are the index.
 * A walk reads only directories that can hold keys of the range asked for.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../build/problem.mjs";
import { decodeName } from "./key-path.ts";

/** Which keys are wanted. */
export interface KeyRange {
  readonly prefix: string;
  /** Only keys after this one; "" for all. */
  readonly after: string;
  /** Keys that go on past the prefix with a "/" are told once, up to it. */
  readonly grouped: boolean;
}

/** A key with the path of its file, or a common prefix (ends with "/") of one or more keys. */
export type Listed =
  | { readonly key: string; readonly path: string }
  | { readonly commonPrefix: string };

/**
 * @param directory the bucket's; a missing one is an empty bucket.
 * @returns keys and common prefixes in order. Keys put or deleted meanwhile may or may not be among them.
 */
export async function* walk(directory: string, range: KeyRange): AsyncGenerator<Listed> {
  yield* walkBelow(directory, "", range);
}

async function* walkBelow(
  directory: string,
  base: string,
  range: KeyRange,
): AsyncGenerator<Listed> {
  const { prefix, after, grouped } = range;
  for (const entry of await entries(directory, base)) {
    const path = join(directory, entry.name);
    if (entry.isObject) {
      if (entry.key.startsWith(prefix) && isBefore(after, entry.key))
        yield { key: entry.key, path };
      continue;
    }
    const inside = entry.key.startsWith(prefix);
    if (!inside && !prefix.startsWith(entry.key)) continue;
    if (isBefore(entry.key, after) && !after.startsWith(entry.key)) continue;
    if (grouped && inside && entry.key.length > prefix.length) {
      // The marker is the group itself where a page ended with it: it has been told.
      if (after.startsWith(entry.key)) continue;
      if (await holdsAny(path, entry.key)) yield { commonPrefix: entry.key };
      continue;
    }
    yield* walkBelow(path, entry.key, range);
  }
}

interface Entry {
  /** File name. */
  name: string;
  /** An object's key, or what all keys of a directory start with (ends with "/"). */
  key: string;
  isObject: boolean;
}

async function entries(directory: string, base: string): Promise<Entry[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
  const found = names.map((name) => {
    const { segment, isObject } = decodeName(name);
    return { name, isObject, key: base + segment + (isObject ? "" : "/") };
  });
  return found.sort((left, right) => Buffer.compare(Buffer.from(left.key), Buffer.from(right.key)));
}

/** Whether a directory has an object in it; it may be just made or just emptied. */
async function holdsAny(directory: string, base: string): Promise<boolean> {
  const all = { prefix: "", after: "", grouped: false };
  const first = await walkBelow(directory, base, all).next();
  return !first.done;
}

function isBefore(left: string, right: string): boolean {
  return Buffer.compare(Buffer.from(left), Buffer.from(right)) < 0;
}
