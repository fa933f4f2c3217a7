/** `node scripts/build/main.mjs NAME…`: builds artefacts and prints their directories. */
import { ensure } from "./ensure.mjs";
import { exitWith } from "./problem.mjs";

try {
  for (const name of process.argv.slice(2)) console.log(`${name} ${await ensure(name)}`);
} catch (error) {
  exitWith(error);
}
