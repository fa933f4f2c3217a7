/** `make relock`: pins every package in sources.lock.json to the newest version its release has. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkout } from "../build/ensure.mjs";
import { exitWith, Problem } from "../build/problem.mjs";
import { withProgress } from "../build/progress.mjs";
import { machineArchives, newestPackages } from "./apt.mjs";
import { readSourcesLock, writeSourcesLock } from "./sources-lock.mjs";

/** @import { PinnedPackage } from "./apt.mjs" */
/** @import { Origin } from "./source-package.mjs" */

/**
 * @param {string} root the checkout
 * @param {Origin} [origin] for tests: another mirror than the machine's
 * @returns {Promise<string[]>} what became of each package, a line each
 * @throws {Problem} an index cannot be had, or has one of the packages no more; the lock is as before then
 */
export async function relock(root, origin) {
  const from = origin ?? { archives: await machineArchives() };
  const lock = readSourcesLock(root);
  const names = Object.keys(lock.packages).sort();
  /** @type {Map<string, string[]>} names by release */
  const releases = new Map();
  for (const name of names) {
    const { kind, suite } = pinOf(lock.packages, name);
    const release = JSON.stringify({ kind, suite });
    releases.set(release, [...(releases.get(release) ?? []), name]);
  }
  /** @type {Map<string, PinnedPackage>} */
  const found = new Map();
  for (const [text, wanted] of releases) {
    const release = JSON.parse(text);
    const scratch = mkdtempSync(join(tmpdir(), "ocellus-relock-"));
    try {
      const newest = await withProgress(
        `reading the ${release.kind} index of ${release.suite}`,
        () => newestPackages(from.archives, release, wanted, scratch, from.keyring),
      );
      for (const [name, version] of newest) found.set(name, version);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }
  const lines = names.map((name) => {
    const before = pinOf(lock.packages, name);
    const now = found.get(name);
    if (now === undefined) {
      throw new Problem(`${before.suite} has no ${before.kind} package ${name}.`);
    }
    lock.packages[name] = now;
    return before.version === now.version
      ? `${name} ${now.version}`
      : `${name} ${before.version} → ${now.version}`;
  });
  writeSourcesLock(root, lock);
  return lines;
}

/**
 * @param {Record<string, PinnedPackage>} packages
 * @param {string} name one of them
 * @returns {PinnedPackage}
 */
function pinOf(packages, name) {
  const pin = packages[name];
  if (pin === undefined) throw new Error(`${name} is not in the lock`);
  return pin;
}

if (process.argv[1] === import.meta.filename) {
  try {
    for (const line of await relock(checkout)) console.log(line);
  } catch (error) {
    exitWith(error);
  }
}
