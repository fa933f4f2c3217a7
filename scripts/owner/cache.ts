/**
 * What was fetched of objects, kept on disk as it was. Objects never change, and their names hold their hash, so what is kept
 * never grows old. It holds nothing that the store does not have, and is verified again each time.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { toHex } from "../../agent/identity/encoding.ts";
import { random } from "./crypto.ts";
import { Refusal } from "./open.ts";

/**
 * What `open` makes of the bytes that are kept for an object, else of those that `fetch` gets, which are kept then.
 * @param directory where they are kept; null: nowhere.
 * @param object its name, which must be one of ours: it becomes a path.
 * @param open throws Refusal; what was kept and is refused is fetched anew.
 */
export async function throughCache<T>(
  directory: string | null,
  object: string,
  open: (bytes: Uint8Array) => T,
  fetch: () => Promise<Uint8Array>,
): Promise<T> {
  const path = directory && join(directory, ...object.split("/"));
  const kept = path ? await readFile(path).catch(() => null) : null;
  if (kept) {
    try {
      return open(new Uint8Array(kept));
    } catch (error) {
      // A rotten cache must not make good footage look bad.
      if (!(error instanceof Refusal)) throw error;
    }
  }
  const bytes = await fetch();
  const opened = open(bytes);
  if (path) await keep(path, bytes);
  return opened;
}

/** A cache that cannot be written is no trouble. */
async function keep(path: string, bytes: Uint8Array): Promise<void> {
  const part = `${path}.${toHex(random(4))}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(part, bytes, { mode: 0o600 });
    await rename(part, path);
  } catch {
    return;
  }
}
