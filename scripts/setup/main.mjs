/**
 * `node scripts/setup/main.mjs run|test`: everything a checkout needs, in the order it is needed:
 * Debian packages, npm packages, built things. Done before, it takes a fraction of a second.
 */
import { checkout, ensure } from "../build/ensure.mjs";
import { exitWith, Problem } from "../build/problem.mjs";
import { printUnpinned } from "../build/unpinned.mjs";
import { installPackages } from "./debian.mjs";
import { installNpmPackages } from "./npm.mjs";

/** @import { Purpose } from "./packages.mjs" */

const OLDEST_NODE = 20;

/** @type {Record<Purpose, readonly string[]>} */
const ARTEFACTS = {
  run: ["proto", "clip-default", "bytecode", "native-host"],
  test: ["native-asan", "native-mipsel"],
};

/**
 * @param {string | undefined} word
 * @returns {Purpose}
 */
function purposeOf(word) {
  if (word === "run" || word === "test") return word;
  throw new Problem('say what to set up for: "run" or "test".');
}

/** @throws {Problem} if this machine is none that ocellus is built for */
function checkMachine() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < OLDEST_NODE) {
    throw new Problem(
      `Node ${OLDEST_NODE} or newer is needed and this is ${process.versions.node}; install a newer one.`,
    );
  }
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Problem(
      `ocellus is built on Debian 12 for x86-64, and this is ${process.platform} on ${process.arch}; use such a machine or a virtual one.`,
    );
  }
}

try {
  const purpose = purposeOf(process.argv[2]);
  checkMachine();
  await installPackages(purpose);
  await installNpmPackages(checkout);
  const names = [...ARTEFACTS.run, ...(purpose === "test" ? ARTEFACTS.test : [])];
  for (const name of names) await ensure(name);
  printUnpinned();
} catch (error) {
  exitWith(error);
}
