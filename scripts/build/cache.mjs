/**
 * The build cache: one directory per artefact and content hash, outside every checkout.
 *
 *   <root>/artefacts/<name>-<key>/   finished, never changed; artefact.json says what went in
 *   <root>/work/                     being built; nothing here is ever trusted
 *   <root>/locks/                    one file for each artefact and key; empty
 *   <root>/logs/                     of builds that failed or run
 *
 * An artefact appears by one rename of a synced directory, so an interrupted build leaves nothing
 * under artefacts/.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { explain } from "./problem.mjs";

/** An artefact not used for this long goes when its successor is built. */
const UNUSED_MS = 30 * 24 * 3600 * 1000;
/** A work directory of this age belongs to nobody alive: no build takes a day. */
const ABANDONED_MS = 24 * 3600 * 1000;

/**
 * What an artefact was made of; stored in it as artefact.json.
 * @typedef {object} Made
 * @property {string} name
 * @property {string} key hex SHA-256 over the inputs
 * @property {string[]} inputs the hashed lines, for a person who asks why it was rebuilt
 * @property {string[]} unpinned sources that are not the pinned ones, one sentence each; usually empty
 * @property {number} seconds the build took
 */

/** @returns {string} absolute path of the cache, by the XDG base directory specification */
export function cacheRoot() {
  const base = process.env.XDG_CACHE_HOME;
  // The specification says to ignore a relative path.
  return join(base?.startsWith("/") ? base : join(homedir(), ".cache"), "ocellus");
}

/**
 * @param {string} root of the cache
 * @param {string} name
 * @param {string} key
 */
export function slot(root, name, key) {
  const id = `${name}-${key.slice(0, 16)}`;
  return {
    final: join(root, "artefacts", id),
    log: join(root, "logs", `${id}.log`),
    lock: join(root, "locks", `${id}.lock`),
    workPrefix: join(root, "work", `${id}.`),
  };
}

/**
 * @param {string} directory
 * @returns {Made | undefined} undefined if there is no finished artefact
 */
export function readMade(directory) {
  const file = join(directory, "artefact.json");
  if (!existsSync(file)) return undefined;
  return JSON.parse(readFileSync(file, "utf8"));
}

/** @param {string} directory an artefact that is used now, so that it is not removed as unused */
export function touch(directory) {
  const now = new Date();
  try {
    utimesSync(directory, now, now);
  } catch {
    // A cache that is shared read-only still serves.
  }
}

/**
 * Makes a directory to build in, after removing what a killed build of the same artefact left.
 * The caller holds the artefact's lock.
 * @param {ReturnType<typeof slot>} place
 * @returns {string}
 */
export function openWork(place) {
  const parent = join(place.workPrefix, "..");
  try {
    for (const directory of [parent, join(place.final, ".."), join(place.log, "..")]) {
      mkdirSync(directory, { recursive: true });
    }
    for (const entry of readdirSync(parent)) {
      const path = join(parent, entry);
      const abandoned = Date.now() - statSync(path).mtimeMs > ABANDONED_MS;
      if (path.startsWith(place.workPrefix) || abandoned) {
        // What the killed build started may live on and write there for a moment.
        rmSync(path, { recursive: true, force: true, maxRetries: 10 });
      }
    }
    writeFileSync(place.log, "");
    return mkdtempSync(place.workPrefix);
  } catch (error) {
    throw explain(error, parent);
  }
}

/**
 * Publishes a finished build.
 * @param {ReturnType<typeof slot>} place
 * @param {string} output directory to publish; moved
 * @param {Made} made
 */
export function publish(place, output, made) {
  try {
    writeFileSync(join(output, "artefact.json"), `${JSON.stringify(made, null, 2)}\n`);
    if (made.unpinned.length > 0) {
      writeFileSync(join(output, "unpinned"), `${made.unpinned.join("\n")}\n`);
    }
    // Without it a power cut could leave the rename on disk and the contents not.
    execFileSync("sync", ["--file-system", output]);
    renameSync(output, place.final);
    rmSync(place.log, { force: true });
  } catch (error) {
    throw explain(error, place.final);
  }
  removeUnused(place.final, made.name);
}

/**
 * @param {string} current the artefact just published
 * @param {string} name
 */
function removeUnused(current, name) {
  const parent = join(current, "..");
  for (const entry of readdirSync(parent)) {
    const path = join(parent, entry);
    if (path === current || entry.slice(0, -17) !== name) continue;
    if (Date.now() - statSync(path).mtimeMs > UNUSED_MS) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}
