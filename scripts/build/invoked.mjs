/** How the `ocellus` command is called where its user is: what messages and help texts tell to type. */
import { realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { checkout } from "./ensure.mjs";

/**
 * The command line that runs `ocellus` with these words from where the user is.
 *
 * - Installed on the PATH and called by that name: `ocellus`.
 * - In a checkout, through npx, make or node: `npx --no ocellus`, since the name on the public registry is not ours.
 * - A checkout's own file from elsewhere, where npx would find nothing: `node` and that file.
 * @param {string} words what follows; "" for nothing
 * @param {string} program what was started, by the path it was called with
 * @param {string} directory where the user is
 * @returns {string} without quotes around it
 */
export function asTyped(words, program = process.argv[1] ?? "", directory = process.cwd()) {
  return [caller(program, directory), words].filter(Boolean).join(" ");
}

/**
 * @param {string} program
 * @param {string} directory
 */
function caller(program, directory) {
  const folder = dirname(program);
  // npx calls by that name too, from a folder that is on no user's PATH.
  const isNpx = basename(folder) === ".bin";
  if (basename(program) === "ocellus" && !isNpx) return "ocellus";
  const root = realpathSync(checkout) + sep;
  if (isNpx || `${directory}${sep}`.startsWith(root)) return "npx --no ocellus";
  return `node ${quoted(join(checkout, "scripts", "ocellus.mjs"))}`;
}

/**
 * @param {string} word
 * @returns {string} the same word for a POSIX shell
 */
export function quoted(word) {
  return /^[\w./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
