/**
 * Lays out a camera's directory, as root where we are: files and directories that are given away to less privileged users.
 *
 * Whoever owned a directory before, or owns it by now, may have put a symbolic link or somebody else's file under a name
 * that we are about to use. So files are made only in directories that are ours, as new ones, and take their name whole;
 * owner and mode are changed by descriptor, of what was opened without following a link. The way to the camera's directory
 * is the caller's to choose well.
 */
import {
  constants,
  copyFile,
  type FileHandle,
  mkdir,
  open,
  readdir,
  rename,
  rm,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode, Problem } from "../build/problem.mjs";
import type { Account } from "../cloud/system.ts";
import { canSeparate } from "./accounts.ts";

export const ROOT: Account = { uid: 0, gid: 0 };

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY, COPYFILE_EXCL } = constants;

/** Makes a directory where there is none, and gives it to `owner`. Throws Problem where something else has its name. */
export async function makeDirectory(path: string, mode: number, owner: Account): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
  let handle: FileHandle;
  try {
    handle = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if (!["ELOOP", "ENOTDIR"].includes(errorCode(error) ?? "")) throw error;
    throw new Problem(`${path} is no directory of its own; remove it, then run this again.`);
  }
  await give(handle, mode, owner).finally(() => handle.close());
}

/** Puts a copy of `source` at `target`, whose directory must be ours; what was there gives way. */
export function placeCopy(
  source: string,
  target: string,
  mode: number,
  owner: Account,
): Promise<void> {
  return place(target, mode, owner, (part) => copyFile(source, part, COPYFILE_EXCL));
}

/** Puts a file at `target` likewise. */
export function placeText(
  text: string,
  target: string,
  mode: number,
  owner: Account,
): Promise<void> {
  return place(target, mode, owner, async (part) => {
    const handle = await open(part, "wx", 0o600);
    await handle.writeFile(text).finally(() => handle.close());
  });
}

/**
 * Gives an account the files of a directory that somebody else's run left there. Only plain files with one name: through
 * another name whoever wrote here before could have put somebody else's file in.
 */
export async function takeOver(directory: string, account: Account): Promise<void> {
  for (const name of await readdir(directory)) {
    // A fifo would keep us waiting.
    const handle = await openOrNot(join(directory, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (handle === null) continue;
    try {
      const file = await handle.stat();
      if (file.isFile() && file.nlink === 1) await handle.chown(account.uid, account.gid);
    } finally {
      await handle.close();
    }
  }
}

/** Null where it is a symbolic link or a socket, or has gone. */
async function openOrNot(path: string, flags: number): Promise<FileHandle | null> {
  try {
    return await open(path, flags);
  } catch (error) {
    if (["ELOOP", "ENXIO", "ENOENT"].includes(errorCode(error) ?? "")) return null;
    throw error;
  }
}

/** @param make writes the file that it is given the name of, which must be new. */
async function place(
  target: string,
  mode: number,
  owner: Account,
  make: (part: string) => Promise<void>,
): Promise<void> {
  const part = `${target}.new`;
  await rm(part, { force: true });
  await make(part);
  const handle = await open(part, O_RDONLY | O_NOFOLLOW);
  await give(handle, mode, owner).finally(() => handle.close());
  // A running program's file cannot be written; a new one can take its name.
  await rename(part, target);
}

/** Where we are not root all is ours, and nobody else has to get in. */
async function give(handle: FileHandle, mode: number, owner: Account): Promise<void> {
  if (!canSeparate()) return handle.chmod(mode & 0o700);
  await handle.chown(owner.uid, owner.gid);
  // After the owner, whose change takes the set-group-id bit away.
  await handle.chmod(mode);
}
