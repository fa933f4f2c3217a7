/** The content hash of an artefact: a SHA-256 over one line for each input. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { capture } from "./process.mjs";

/** @import { Identity, Recipe } from "./recipe.mjs" */

/** Raised when the meaning of a key or the layout of the cache changes. */
const CACHE_FORMAT = 1;

/** @type {Map<string, Promise<string>>} versions of tools, asked once in a process */
const versions = new Map();

/**
 * @param {string | Uint8Array} data
 * @returns {string} hex
 */
export function sha256(data) {
  return createHash("sha256").update(data).digest("hex");
}

/**
 * @param {string} file
 * @returns {string} hex SHA-256 of its contents
 */
export function hashFile(file) {
  return sha256(readFileSync(file));
}

/**
 * The inputs of one recipe as they are now, without those of the artefacts it needs.
 * @param {Recipe} recipe
 * @param {string} root the checkout
 * @param {string} cache
 * @returns {Promise<Identity>}
 */
export async function ownInputs(recipe, root, cache) {
  const lines = [`cache format ${CACHE_FORMAT}`];
  for (const file of moduleFiles(recipe.text)) {
    lines.push(`recipe ${relative(dirname(recipe.text), file)} ${hashFile(file)}`);
  }
  for (const path of inputFiles(recipe, root)) {
    const mode = statSync(join(root, path)).mode & 0o100 ? "executable" : "file";
    lines.push(`${mode} ${path} ${hashFile(join(root, path))}`);
  }
  for (const tool of recipe.tools ?? []) lines.push(`tool ${tool} ${await version(tool)}`);
  const identity = recipe.identity?.(root, cache) ?? { inputs: [], unpinned: [] };
  lines.push(...identity.inputs, ...identity.unpinned);
  return { inputs: lines, unpinned: identity.unpinned };
}

/**
 * @param {Recipe} recipe
 * @param {string} root
 * @returns {string[]} paths relative to the checkout, sorted
 */
function inputFiles(recipe, root) {
  /** @type {string[]} */
  const found = [];
  for (const path of recipe.files ?? []) {
    const full = join(root, path);
    if (!existsSync(full)) continue;
    if (!statSync(full).isDirectory()) {
      found.push(path);
      continue;
    }
    for (const entry of readdirSync(full, { recursive: true, withFileTypes: true })) {
      const inside = relative(root, join(entry.parentPath, entry.name));
      if (entry.isFile() && (recipe.only?.test(inside) ?? true)) found.push(inside);
    }
  }
  return found.sort();
}

/**
 * A recipe's file and what it imports from the same directory.
 * @param {string} file
 * @param {Set<string>} [seen]
 * @returns {Set<string>}
 */
function moduleFiles(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, name] of readFileSync(file, "utf8").matchAll(/from "\.\/([\w.-]+\.mjs)"/g)) {
    if (name !== undefined) moduleFiles(join(dirname(file), name), seen);
  }
  return seen;
}

/**
 * @param {string} tool
 * @returns {Promise<string>} first line of what `tool --version` prints
 */
function version(tool) {
  let line = versions.get(tool);
  if (line === undefined) {
    line = capture(tool, ["--version"]).then(
      ({ stdout, stderr }) => (stdout || stderr).split("\n")[0] ?? "",
    );
    versions.set(tool, line);
  }
  return line;
}
