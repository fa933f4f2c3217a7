/**
 * Runs on a disk that is full, which full-disk.sh mounts.
 *
 *   full-disk.ts ROOT CACHE ours|tool
 *
 * Ensures an artefact that does not fit: written by this process, or by a tool it runs.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensure } from "../../../scripts/build/ensure.mjs";
import { exitWith } from "../../../scripts/build/problem.mjs";
import type { Recipe } from "../../../scripts/build/recipe.mjs";

const [root = "", cache = "", who = ""] = process.argv.slice(2);
const LARGE_BYTES = 4 << 20;

const large: Recipe = {
  name: "large",
  text: join(root, "recipe.mjs"),
  async build({ out, step }) {
    const file = join(out, "file");
    if (who === "ours") writeFileSync(file, Buffer.alloc(LARGE_BYTES));
    else await step("dd", ["if=/dev/zero", `of=${file}`, "bs=64k", `count=${LARGE_BYTES >> 16}`]);
  },
};

try {
  await ensure("large", { root, cache, recipes: new Map([["large", large]]) });
} catch (error) {
  exitWith(error);
}
