/** Small private files, written so that a cut in the middle leaves the old or the new one, whole. */
import { randomUUID } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode } from "../build/problem.mjs";
import type { Account } from "./system.ts";

/**
 * Replaces a file durably; only its owner may read it.
 * @param owner who that is, where it is not this process's user.
 */
export async function replaceFile(path: string, text: string, owner?: Account): Promise<void> {
  const temporary = `${path}.${randomUUID()}.new`;
  const file = await open(temporary, "wx", 0o600);
  try {
    if (owner) await file.chown(owner.uid, owner.gid);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const directory = await open(dirname(path), "r");
  await directory.sync();
  await directory.close();
}

/** @returns a file's text, or undefined where there is no such file. */
export async function readFileIfAny(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
