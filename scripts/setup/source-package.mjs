/**
 * Getting a pinned package, and what happens when the mirror no longer has it: the current
 * version, checked by apt's signatures, takes its place, and what is built of it is marked unpinned
 * until `make relock`.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hashFile, sha256 } from "../build/key.mjs";
import { Problem } from "../build/problem.mjs";
import { download, machineArchives, newestPackages } from "./apt.mjs";
import { readPin } from "./sources-lock.mjs";

/** @import { Archives, PinnedPackage } from "./apt.mjs" */

/**
 * Where a test puts its own archive and key.
 * @typedef {object} Origin
 * @property {Archives} archives
 * @property {string} [keyring]
 */

/**
 * What stands for a package now.
 * @typedef {object} Chosen
 * @property {PinnedPackage} source
 * @property {string | undefined} unpinned a sentence if this is not the pin
 */

/**
 * @param {string} cache
 * @param {string} name
 * @param {PinnedPackage} pin
 * @returns {string} file that says what replaced this pin on this machine
 */
function replacementFile(cache, name, pin) {
  return join(cache, "unpinned", `${name}-${sha256(JSON.stringify(pin)).slice(0, 16)}.json`);
}

/**
 * The pin, or what an earlier run had to replace it by. No network.
 * @param {string} root the checkout
 * @param {string} cache
 * @param {string} name
 * @returns {Chosen}
 */
export function chosenSource(root, cache, name) {
  const pin = readPin(root, name);
  const file = replacementFile(cache, name, pin);
  if (!existsSync(file)) return { source: pin, unpinned: undefined };
  const source = JSON.parse(readFileSync(file, "utf8"));
  return {
    source,
    unpinned: `${name} ${pin.version} is pinned but the mirror no longer has it; built from ${source.version} (\`make relock\` pins that).`,
  };
}

/**
 * Downloads the chosen files of a package and checks them.
 * @param {string} root
 * @param {string} cache
 * @param {string} name
 * @param {string} directory where to
 * @param {Origin} [origin]
 * @returns {Promise<"ok" | "replaced">} replaced: another version was chosen, which is to be
 *   downloaded by a call of its own
 * @throws {Problem} no network; a file is not the one that was promised
 */
export async function downloadSource(root, cache, name, directory, origin) {
  const from = origin ?? { archives: await machineArchives() };
  const { source } = chosenSource(root, cache, name);
  for (const [file, hash] of Object.entries(source.files)) {
    const uri = `${archiveOf(source, from.archives)}/${source.directory}/${file}`;
    const path = join(directory, file);
    if ((await download(uri, path)) === "gone") {
      await replace(root, cache, name, directory, from);
      return "replaced";
    }
    const found = hashFile(path);
    if (found !== hash) {
      rmSync(path);
      throw new Problem(
        `${uri} is not the file that is pinned (SHA-256 ${found}, expected ${hash}); do not use that mirror, and try another one.`,
      );
    }
  }
  return "ok";
}

/**
 * Chooses the current version instead of one that is gone.
 * @param {string} root
 * @param {string} cache
 * @param {string} name
 * @param {string} scratch
 * @param {Origin} from
 */
async function replace(root, cache, name, scratch, from) {
  const pin = readPin(root, name);
  const lists = join(scratch, "apt");
  const found = await newestPackages(from.archives, pin, [name], lists, from.keyring);
  rmSync(lists, { recursive: true });
  const current = found.get(name);
  const before = chosenSource(root, cache, name).source;
  if (current === undefined || current.version === before.version) {
    throw new Problem(
      `the mirror has neither ${name} ${before.version} nor another version of it in ${pin.suite}; wait for it to be in order again, or set apt up with another mirror.`,
    );
  }
  const file = replacementFile(cache, name, pin);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, JSON.stringify(current));
}

/**
 * Debian keeps security updates in an archive of their own, told by the pool's path.
 * @param {PinnedPackage} source
 * @param {Archives} archives
 * @returns {string} URI
 */
function archiveOf(source, archives) {
  const security = source.directory.startsWith("pool/updates/");
  return (security ? archives.security : undefined) ?? archives.main;
}
