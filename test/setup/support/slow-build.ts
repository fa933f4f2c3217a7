/**
 * A process of its own that ensures one slow artefact.
 *
 *   slow-build.ts ROOT CACHE
 *
 * The build appends a line to ROOT/builds, writes a half of its result, waits for ROOT/go, writes the other.
 * Prints the artefact's directory.
 */
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensure } from "../../../scripts/build/ensure.mjs";
import { exitWith } from "../../../scripts/build/problem.mjs";
import type { Recipe } from "../../../scripts/build/recipe.mjs";

const [root = "", cache = ""] = process.argv.slice(2);

const slow: Recipe = {
  name: "slow",
  text: join(root, "recipe.mjs"),
  async build({ out }) {
    appendFileSync(join(root, "builds"), "built\n");
    appendFileSync(join(out, "result"), "first half, ");
    while (!existsSync(join(root, "go"))) await sleep(20);
    appendFileSync(join(out, "result"), "second half");
  },
};

try {
  console.log(await ensure("slow", { root, cache, recipes: new Map([["slow", slow]]) }));
} catch (error) {
  exitWith(error);
}
