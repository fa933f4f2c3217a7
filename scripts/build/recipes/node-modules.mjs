/** All npm packages of the lock file, without running their install scripts. */
import { cpSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @import { Recipe } from "../recipe.mjs" */

const FILES = ["package.json", "package-lock.json", ".npmrc"];

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
    await step("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    renameSync(join(work, "node_modules"), join(out, "node_modules"));
  },
};
