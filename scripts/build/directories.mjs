/** Making directories. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { quoted } from "./invoked.mjs";
import { errorCode, Problem } from "./problem.mjs";

/** What stat(2) says of who can write: group, others; and that only owners may remove, as in /tmp. */
const SHARED = 0o022;
const STICKY = 0o1000;

/**
 * Makes a directory and those above it where they are missing. Unlike Node's own `recursive`, which tries for ever where a
 * file system such as /proc has no room for new names.
 * @param {string} path absolute, or relative to the working directory
 * @param {number} mode of those that are made
 * @returns {Promise<void>} rejects with the system's error
 */
export async function makeDirectories(path, mode) {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" && dirname(path) !== path && !(await isThere(dirname(path)))) {
      await makeDirectories(dirname(path), mode);
      await makeDirectories(path, mode);
      return;
    }
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return;
    throw error;
  }
}

/**
 * Makes a directory for secrets (0700), as `makeDirectories`, where there is none. One that is there stays as it is.
 * @param {string} path
 * @returns {Promise<void>} rejects with Problem as `refuseShared`, or with the system's error
 */
export async function makePrivateDirectory(path) {
  await makeDirectories(path, 0o700);
  await refuseShared(path);
}

/**
 * Refuses a directory in which somebody else could put other files in the place of ours.
 * @param {string} path a directory that is there
 * @returns {Promise<void>} rejects with Problem where it is another user's, or group or others can write to it
 */
export async function refuseShared(path) {
  const { uid, mode } = await stat(path);
  if (uid !== process.geteuid?.()) {
    throw new Problem(
      `${path} belongs to another user (uid ${uid}), so nothing secret is kept there; name a directory of your own.`,
    );
  }
  if ((mode & SHARED) === 0) return;
  // A directory like /tmp would be of no more use to all others.
  const mend =
    (mode & STICKY) === 0 ? `, or, if it is yours alone, run \`chmod go-w ${quoted(path)}\`` : "";
  throw new Problem(
    `others on this machine can write to ${path} (mode ${(mode & 0o7777).toString(8)}), so nothing secret is kept there; name a directory of your own, such as a new one inside it${mend}.`,
  );
}

/**
 * @param {string} path
 * @returns {Promise<boolean>}
 */
async function isThere(path) {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}
