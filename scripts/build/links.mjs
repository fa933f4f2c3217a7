/** build/ in the checkout: for every artefact in use a link (or, where needed, a copy). */
import {
  cpSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { readMade } from "./cache.mjs";
import { errorCode, explain } from "./problem.mjs";

/**
 * Points build/<name> at an artefact. Leaves it alone if it already does.
 * @param {string} root the checkout
 * @param {string} name
 * @param {string} directory the artefact
 * @param {"link" | "copy" | "nothing"} how
 */
export function linkArtefact(root, name, directory, how) {
  if (how === "nothing") return;
  const copied = how === "copy";
  const link = join(root, "build", name);
  if (copied ? readMade(link)?.key === readMade(directory)?.key : target(link) === directory)
    return;
  const fresh = join(root, "build", `.${name}.${process.pid}`);
  try {
    mkdirSync(join(root, "build"), { recursive: true });
    if (copied) cpSync(directory, fresh, { recursive: true });
    else symlinkSync(directory, fresh);
    // rename() replaces a link in one step, but no directory that has files in it.
    if (copied || target(link) === undefined) rmSync(link, { recursive: true, force: true });
    renameSync(fresh, link);
  } catch (error) {
    // Another process of this checkout put the same artefact there in between.
    const lost = ["ENOTEMPTY", "EEXIST"].includes(errorCode(error) ?? "");
    rmSync(fresh, { recursive: true, force: true });
    if (!lost) throw explain(error, join(root, "build"));
  }
}

/**
 * @param {string} link
 * @returns {string | undefined} undefined if it is missing or no symbolic link
 */
function target(link) {
  const found = lstatSync(link, { throwIfNoEntry: false });
  return found?.isSymbolicLink() ? readlinkSync(link) : undefined;
}
