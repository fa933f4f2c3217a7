/**
 * Where the owner's files are, and how they are written: private to the user, and whole or not at all.
 */
import { chmod, open, readFile, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { toHex } from "../../agent/identity/encoding.ts";
import { makePrivateDirectory as makeDirectory } from "../build/directories.mjs";
import { quoted } from "../build/invoked.mjs";
import { complain, errorCode, Problem, pathTrouble } from "../build/problem.mjs";
import { random } from "./crypto.ts";
import { reasonOf } from "./trouble.ts";

/** The owner's state directory: OCELLUS_HOME, else ocellus/ in XDG_CONFIG_HOME, else ~/.config/ocellus. */
export function ownerHome(environment: NodeJS.ProcessEnv = process.env): string {
  const { OCELLUS_HOME, XDG_CONFIG_HOME } = environment;
  if (OCELLUS_HOME) return OCELLUS_HOME;
  return join(XDG_CONFIG_HOME || join(homedir(), ".config"), "ocellus");
}

/** Where fetched headers are kept: ocellus/ in XDG_CACHE_HOME, else ~/.cache/ocellus. Safe to delete. */
export function cacheHome(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "ocellus");
}

/** Makes a directory (0700) where there is none. Throws Problem where that is refused, or one that is there is shared. */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await makeDirectory(path);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(
      `cannot make the directory ${path}: ${pathTrouble(error) ?? reasonOf(error)}.`,
    );
  }
}

/**
 * Writes a file of mode 0600 so that after a crash it holds the old or the new contents.
 * Throws Problem where the file system refuses it (no space, no permission).
 */
export async function writePrivateFile(path: string, contents: string | Uint8Array): Promise<void> {
  await writeWhole(path, contents, 0o600);
}

/** As `writePrivateFile`, in the place of a file that holds no secret and whose mode stays. */
export async function replaceFile(path: string, contents: Uint8Array): Promise<void> {
  const there = await stat(path).catch(() => null);
  await writeWhole(path, contents, there?.mode ?? 0o644);
}

async function writeWhole(
  path: string,
  contents: string | Uint8Array,
  mode: number,
): Promise<void> {
  const part = join(dirname(path), `.${toHex(random(6))}.part`);
  try {
    await writeSynced(part, contents);
    if (mode !== 0o600) await chmod(part, mode & 0o777);
    await rename(part, path);
    const directory = await open(dirname(path), "r");
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    await rm(part, { force: true });
    throw new Problem(`cannot write ${path}: ${pathTrouble(error) ?? reasonOf(error)}.`);
  }
}

/**
 * Writes a new file of mode 0600. Throws Problem where something stands there already, because a
 * recovery phrase or a provisioning file must not replace another by a slip.
 */
export async function writeNewPrivateFile(path: string, contents: string): Promise<void> {
  try {
    await writeSynced(path, contents);
    await chmod(path, 0o600);
  } catch (error) {
    if (errorCode(error) === "EEXIST") {
      throw new Problem(`${path} exists already; name another file or remove it first.`);
    }
    throw new Problem(`cannot write ${path}: ${pathTrouble(error) ?? reasonOf(error)}.`);
  }
}

/**
 * Writes a new file that holds no secret, whole or not at all. Throws Problem where something stands there already, or the file
 * system refuses it.
 */
export async function writeNewFile(path: string, contents: Uint8Array): Promise<void> {
  try {
    const file = await open(path, "wx", 0o644);
    try {
      await file.writeFile(contents);
      await file.sync();
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errorCode(error) === "EEXIST")
      throw new Problem(`${path} exists already; name another file or remove it first.`);
    throw new Problem(`cannot write ${path}: ${pathTrouble(error) ?? reasonOf(error)}.`);
  }
}

/** Writes a file that is not there yet, through to the disk. */
async function writeSynced(path: string, contents: string | Uint8Array): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(contents);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A file's text, or null where there is none. Throws Problem where it cannot be read. */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw new Problem(`cannot read ${path}: ${pathTrouble(error) ?? reasonOf(error)}.`);
  }
}

/** A file's bytes. Throws Problem where there is none, or it has more than `most_bytes`, which are not read then. */
export async function readNamedBytes(path: string, most_bytes: number): Promise<Uint8Array> {
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      if (size > most_bytes) {
        throw new Problem(`${path} has ${size} bytes, and ${most_bytes} are the most it can have.`);
      }
      return new Uint8Array(await file.readFile());
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (errorCode(error) === "ENOENT") throw new Problem(`there is no file ${path}.`);
    throw new Problem(`cannot read ${path}: ${pathTrouble(error) ?? reasonOf(error)}.`);
  }
}

/** A file's text. Throws Problem where there is none. */
export async function readNamed(path: string): Promise<string> {
  const text = await readIfThere(path);
  if (text === null) throw new Problem(`there is no file ${path}.`);
  return text;
}

/** Read bits of group and others, stat(2). */
const OTHERS_READ = 0o044;

/** As `readNamed`, for a file that holds secrets: where others on this machine can read it, standard error says so. */
export async function readSecret(path: string): Promise<string> {
  const text = await readNamed(path);
  const there = await stat(path).catch(() => null);
  if (there?.isFile() && (there.mode & OTHERS_READ) !== 0) {
    complain(
      `warning: ${path} holds secrets, and others on this machine can read it; run \`chmod 600 ${quoted(path)}\`.`,
    );
  }
  return text;
}
