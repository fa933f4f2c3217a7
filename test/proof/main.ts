/**
 * `make proof`: shows at full length what `make test` shows in part. What each proof leaves is in out/proof.
 *
 *   make proof
 *   make proof PROOF=changing-clip-mipsel
 *
 * Exit status 1 where something is not shown.
 */
import { join } from "node:path";
import { checkout, ensure } from "../../scripts/build/ensure.mjs";
import { exitWith } from "../../scripts/build/problem.mjs";
import { chosen, prove } from "./proof.ts";

try {
  // What is loaded below imports the generated messages.
  await ensure("proto");
  const { changingClips } = await import("./changing-clip.ts");
  const { powerCuts } = await import("./power-cuts.ts");
  const { twoBuilds } = await import("./two-builds.ts");
  const { outage } = await import("./outage.ts");
  const proofs = chosen([...changingClips, outage, powerCuts, twoBuilds], process.argv.slice(2));
  const shown = await prove(proofs, join(checkout, "out/proof"), (line) => console.log(line));
  process.exitCode = shown ? 0 : 1;
} catch (error) {
  exitWith(error);
}
