/** Debian packages: what is missing, and installing it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheRoot } from "../build/cache.mjs";
import { diskFull, explain, Problem } from "../build/problem.mjs";
import { capture, step } from "../build/process.mjs";
import { withProgress } from "../build/progress.mjs";
import { firstError } from "./apt.mjs";
import { packages } from "./packages.mjs";

/** @import { DebianPackage, Purpose } from "./packages.mjs" */

const INSTALL = fileURLToPath(new URL("install.sh", import.meta.url));

/**
 * @param {readonly DebianPackage[]} wanted
 * @returns {Promise<DebianPackage[]>} those that are not installed, in the given order
 */
export async function missingPackages(wanted) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format = "${Package} ${db:Status-Status}\n";
  const names = wanted.map((entry) => entry.name);
  // It fails if it does not know one of the names, and still prints the others.
  const known = await capture("dpkg-query", ["--show", `--showformat=${format}`, ...names]);
  const installed = new Set(
    known.stdout
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.split(" ")[0]),
  );
  return wanted.filter((entry) => !installed.has(entry.name));
}

/**
 * Installs what is missing, after saying so in one line. Daemons are neither started nor enabled:
 * see install.sh.
 * @param {readonly Purpose[]} purposes
 * @returns {Promise<void>}
 * @throws {Problem} not root and no sudo, or apt's first error
 */
export async function installPackages(purposes) {
  const missing = await missingPackages(
    packages.filter((entry) => purposes.includes(entry.purpose)),
  );
  if (missing.length === 0) return;
  const names = missing.map((entry) => entry.name);
  const by = process.getuid?.() === 0 ? "" : " with sudo";
  console.error(`ocellus: installing Debian packages${by}: ${names.join(" ")}`);
  const log = join(cacheRoot(), "logs/apt.log");
  try {
    mkdirSync(join(log, ".."), { recursive: true });
    writeFileSync(log, "");
  } catch (error) {
    throw explain(error, cacheRoot());
  }
  if (by !== "") askForPassword(names);
  await withProgress(`installing ${names.length} Debian packages`, () =>
    asRoot("sh", [INSTALL, ...names], log),
  );
}

/**
 * The password is asked for now, before progress is shown over the question.
 * @param {readonly string[]} names
 */
function askForPassword(names) {
  const { status } = spawnSync("sudo", ["--validate"], { stdio: "inherit" });
  if (status === 0) return;
  throw new Problem(
    `installing Debian packages needs root; run this as root or with sudo, or install them yourself: apt-get install --no-install-recommends ${names.join(" ")}`,
  );
}

/**
 * @param {string} tool
 * @param {readonly string[]} args
 * @param {string} log
 * @throws {Problem} if it fails
 */
async function asRoot(tool, args, log) {
  const root = process.getuid?.() === 0;
  try {
    await step(root ? tool : "sudo", root ? args : [tool, ...args], { log });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // What failed before the lists were fetched anew is no reason.
    const text = readFileSync(log, "utf8").split("once more, with new lists:").at(-1) ?? "";
    if (/No space left|not have enough free space/.test(text)) throw diskFull("/");
    throw new Problem(
      `the Debian packages could not be installed (${firstError(text)}; ${log} has the rest); mend that and run this again.`,
    );
  }
}
