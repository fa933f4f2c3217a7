/** The files of the checkout: what git knows and what it would take up, so nothing ignored. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../build/problem.mjs";
import { capture } from "../build/process.mjs";

/**
 * @param {string} root the checkout
 * @param {readonly string[]} [patterns] git pathspecs, e.g. "*.c"; all files without
 * @returns {Promise<string[]>} paths relative to the checkout, sorted
 */
export async function checkoutFiles(root, patterns = []) {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ...patterns];
  const listed = await capture("git", args, { cwd: root });
  if (listed.code !== 0) {
    throw new Problem(`git cannot list the checkout's files: ${listed.stderr.trim()}`);
  }
  const files = listed.stdout.split("\0").filter((file) => file !== "");
  return files.filter((file) => existsSync(join(root, file))).sort();
}
