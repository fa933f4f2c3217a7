/**
 * `node scripts/setup/main.mjs run|check|test|firmware`: everything a checkout needs, in the order it is needed:
 * Debian packages, npm packages, built things. Done before, it takes a fraction of a second.
 */
import { accessSync, constants } from "node:fs";
import { checkout, ensure } from "../build/ensure.mjs";
import { checkLocalhost } from "../build/localhost.mjs";
import { exitWith, Problem } from "../build/problem.mjs";
import { printUnpinned } from "../build/unpinned.mjs";
import { installPackages } from "./debian.mjs";
import { installNpmPackages } from "./npm.mjs";

/** @import { Purpose } from "./packages.mjs" */

const OLDEST_NODE = 20;

/** The host's encoder judges footage for the emulated camera too. */
const RUN_ARTEFACTS = ["proto", "clip-default", "native-host", "firmware-qemu-malta-release"];
/** Built beforehand, so that no test has to wait for them within its time limit. */
const TEST_ARTEFACTS = [
  ...["firmware-qemu-malta-dev", "uboot-sandbox"],
  ...["bytecode", "native-asan", "native-mipsel", "notices"],
  ...["bench-counter", "bench-floor", "bench-clip", "bench-camera"],
];

/**
 * What to set up, by the word on the command line.
 * @type {ReadonlyMap<string, { purposes: readonly Purpose[], artefacts: readonly string[] }>}
 */
const GOALS = new Map([
  ["run", { purposes: ["run"], artefacts: RUN_ARTEFACTS }],
  // What is built then is told by whoever builds it.
  ["firmware", { purposes: ["run"], artefacts: [] }],
  ["check", { purposes: ["check"], artefacts: ["proto"] }],
  [
    "test",
    {
      purposes: ["run", "check", "test"],
      artefacts: [...RUN_ARTEFACTS, ...TEST_ARTEFACTS],
    },
  ],
]);

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

/**
 * What `make run` could not go on with at its end, told before anything is fetched or built.
 * @throws {Problem} where localhost is not known, or the footage that FOOTAGE names is not there
 */
async function checkRun() {
  await checkLocalhost();
  const footage = process.env.FOOTAGE ?? "";
  try {
    if (footage !== "") accessSync(footage, constants.R_OK);
  } catch {
    throw new Problem(`there is no readable file ${footage}; name another with FOOTAGE=.`);
  }
}

/**
 * What `make firmware` could not go on with at its end, told before anything is installed.
 * @param {string} name
 * @throws {Problem} no board is named, or one that is not there
 */
async function checkBoard(name) {
  const { boardNames } = await import("../board/board.mjs");
  const names = boardNames(checkout);
  if (name === "") throw new Problem("say for which board: make firmware BOARD=qemu/malta.");
  if (!names.includes(name))
    throw new Problem(`there is no board "${name}"; there are: ${names.join(", ")}.`);
}

try {
  const goal = GOALS.get(process.argv[2] ?? "");
  if (goal === undefined) {
    throw new Problem(`say what to set up for: ${[...GOALS.keys()].join(", ")}.`);
  }
  checkMachine();
  if (process.argv[2] === "run") await checkRun();
  if (process.argv[2] === "firmware") await checkBoard(process.argv[3] ?? "");
  await installPackages(goal.purposes);
  await installNpmPackages(checkout);
  for (const name of goal.artefacts) await ensure(name);
  printUnpinned();
} catch (error) {
  exitWith(error);
}
