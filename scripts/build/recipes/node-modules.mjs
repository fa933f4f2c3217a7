/** All npm packages of the lock file, without running their install scripts. */
import { cpSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Problem } from "../problem.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const FILES = ["package.json", "package-lock.json", ".npmrc"];

/**
 * @param {unknown} error of npm; its own words are the lines below it
 * @throws {Problem} one sentence where the network is to blame
 */
function explainNpm(error) {
  const said = error instanceof Problem ? error.lines : "";
  const network = /npm error (network|code (E[A-Z0-9]+|FETCH_ERROR))\b.*/.exec(said);
  if (network === null || network[2] === "EUSAGE") throw error;
  throw new Problem(
    `the npm packages could not be fetched (${network[0]}); check the network and npm's registry setting, then run this again.`,
  );
}

/** @type {Recipe} */
export const nodeModules = {
  name: "node-modules",
  text: fileURLToPath(import.meta.url),
  files: FILES,
  // Some packages are programs for one kind of machine.
  identity: () => ({ inputs: [`${process.platform} ${process.arch}`], unpinned: [] }),
  inCheckout: "nothing",
  async build({ root, work, out, step }) {
    for (const file of FILES) cpSync(join(root, file), join(work, file));
    await step("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).catch(explainNpm);
    renameSync(join(work, "node_modules"), join(out, "node_modules"));
  },
};
