/** `make distclean`: removes this checkout's node_modules and the whole build cache. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { cacheRoot } from "../build/cache.mjs";
import { checkout } from "../build/ensure.mjs";
import { exitWith, explain } from "../build/problem.mjs";

for (const directory of [join(checkout, "node_modules"), cacheRoot()]) {
  try {
    rmSync(directory, { recursive: true, force: true });
    console.log(`removed ${directory}`);
  } catch (error) {
    exitWith(explain(error, directory));
  }
}
