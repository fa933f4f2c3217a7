/**
 * The pins of C sources: sources.lock.json. A package is pinned to a version and the SHA-256 of each
 * of its files. `make relock` writes it; to pin another package, add its name with any contents
 * and run that.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** @import { SourcePackage } from "./apt.mjs" */

/**
 * @typedef {object} SourcesLock
 * @property {string} suite Debian release the sources are of
 * @property {Record<string, SourcePackage>} packages by source package name
 */

/** Relative to the checkout. */
export const LOCK_FILE = "scripts/setup/sources.lock.json";

/**
 * @param {string} root the checkout
 * @returns {SourcesLock}
 */
export function readSourcesLock(root) {
  return JSON.parse(readFileSync(join(root, LOCK_FILE), "utf8"));
}

/**
 * @param {string} root
 * @param {SourcesLock} lock
 */
export function writeSourcesLock(root, lock) {
  writeFileSync(join(root, LOCK_FILE), `${JSON.stringify(lock, null, 2)}\n`);
}

/**
 * One package's pin.
 * @param {string} root
 * @param {string} name
 * @returns {{ suite: string, pin: SourcePackage }}
 */
export function readPin(root, name) {
  const lock = readSourcesLock(root);
  const pin = lock.packages[name];
  if (pin === undefined) throw new Error(`${name} is not in ${LOCK_FILE}`);
  return { suite: lock.suite, pin };
}
