/** Making directories. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode } from "./problem.mjs";

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
