/** node_modules of this checkout, from the cache if any checkout had the same lock file before. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { ensure } from "../build/ensure.mjs";
import { diskFull, explain, Problem } from "../build/problem.mjs";
import { capture } from "../build/process.mjs";

/**
 * An npm lock file, as far as it is read here. npm writes one of the same form into node_modules,
 * last of all, for what it put there.
 * @typedef {object} NpmLock
 * @property {Record<string, { version?: string, integrity?: string, optional?: boolean }>} packages
 *   by path, "" is the checkout itself
 */

/**
 * Makes node_modules what package-lock.json says. It is a copy and no link, because npm and editors
 * write there.
 * @param {string} root the checkout
 * @returns {Promise<void>}
 * @throws {Problem} npm cannot get the packages, or the disk is full
 */
export async function installNpmPackages(root) {
  const place = join(root, "node_modules");
  if (!isInstalled(root)) {
    const artefact = await ensure("node-modules");
    const fresh = join(root, `.node_modules.${process.pid}`);
    try {
      const copied = await capture("cp", [
        "-a",
        "--reflink=auto",
        join(artefact, "node_modules"),
        fresh,
      ]);
      if (/No space left on device/.test(copied.stderr)) throw diskFull(root);
      if (copied.code !== 0) {
        const [first] = copied.stderr.split("\n");
        throw new Problem(`node_modules could not be copied (${first}); run this again.`);
      }
      rmSync(place, { recursive: true, force: true });
      renameSync(fresh, place);
    } catch (error) {
      throw explain(error, root);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }
  linkCommand(place);
}

/**
 * @param {string} root
 * @returns {boolean} whether npm's record of node_modules agrees with package-lock.json
 */
export function isInstalled(root) {
  const record = join(root, "node_modules/.package-lock.json");
  if (!existsSync(record)) return false;
  const installed = readLock(record).packages;
  const wanted = readLock(join(root, "package-lock.json")).packages;
  const same = Object.entries(installed).every(
    ([path, { version, integrity }]) =>
      wanted[path]?.version === version && wanted[path]?.integrity === integrity,
  );
  // Optional packages are for other machines, where they are not installed.
  const complete = Object.entries(wanted).every(
    ([path, { optional }]) => path === "" || optional === true || path in installed,
  );
  return same && complete;
}

/**
 * @param {string} file
 * @returns {NpmLock}
 */
function readLock(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

/**
 * So that `npx --no ocellus` runs this checkout's command at once. Without the link npx finds it too,
 * after making an entry of its own in its cache.
 * @param {string} place node_modules
 */
function linkCommand(place) {
  const link = join(place, ".bin/ocellus");
  // Not existsSync, which would follow it.
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) return;
  mkdirSync(join(place, ".bin"), { recursive: true });
  symlinkSync("../../scripts/ocellus.mjs", link);
}
