/**
 * The pins of C sources: sources.lock.json. A package is pinned to a version and the SHA-256 of each
 * file that is unpacked. `make relock` writes it; to pin another package, add its name with kind and suite
 * and run that.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** @import { PinnedPackage } from "./apt.mjs" */

/**
 * @typedef {object} SourcesLock
 * @property {Record<string, PinnedPackage>} packages by package name
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
 * @returns {PinnedPackage}
 */
export function readPin(root, name) {
  const pin = readSourcesLock(root).packages[name];
  if (pin === undefined) throw new Error(`${name} is not in ${LOCK_FILE}`);
  return pin;
}
