/**
 * A process of its own that ensures one slow artefact.
 *
 *   slow-build.ts ROOT CACHE MILLISECONDS
 *
 * The build appends a line to ROOT/builds, writes a half of its result, waits, writes the other.
 * Prints the artefact's directory.
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensure } from "../../../scripts/build/ensure.mjs";
import { exitWith } from "../../../scripts/build/problem.mjs";
import type { Recipe } from "../../../scripts/build/recipe.mjs";

const [root = "", cache = "", milliseconds = "0"] = process.argv.slice(2);

const slow: Recipe = {
  name: "slow",
  text: join(root, "recipe.mjs"),
  async build({ out }) {
    appendFileSync(join(root, "builds"), "built\n");
    appendFileSync(join(out, "result"), "first half, ");
    await sleep(Number(milliseconds));
    appendFileSync(join(out, "result"), "second half");
  },
};

try {
  console.log(await ensure("slow", { root, cache, recipes: new Map([["slow", slow]]) }));
} catch (error) {
  exitWith(error);
}
