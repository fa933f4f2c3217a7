/** Which of the built things in use were not made of the pinned sources. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readMade } from "./cache.mjs";
import { checkout } from "./ensure.mjs";

/**
 * @param {string} [root] the checkout
 * @returns {string[]} one sentence for each source that is not the pinned one; usually empty
 */
export function unpinned(root = checkout) {
  const build = join(root, "build");
  if (!existsSync(build)) return [];
  const notes = readdirSync(build).flatMap((name) => readMade(join(build, name))?.unpinned ?? []);
  return [...new Set(notes)].sort();
}

/** Tells on standard error, if there is something to tell. For the end of a command. */
export function printUnpinned() {
  for (const note of unpinned()) console.error(`ocellus: unpinned: ${note}`);
}
