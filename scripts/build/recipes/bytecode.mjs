/**
 * The agent as bytecode, agent.bin, compiled by the engine that will load it. One for all variants:
 * the same source, and this machine is little-endian like the camera.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @import { Recipe } from "../recipe.mjs" */

/** @type {Recipe} */
export const bytecode = {
  name: "bytecode",
  text: fileURLToPath(import.meta.url),
  needs: ["bundle", "native-host"],
  async build({ out, need, step }) {
    const camera = join(need("native-host"), "bin/ocellus-camera");
    // Its name is kept in the bytecode, for stack traces: one without a directory is the same wherever it is built.
    const args = ["--bundle", "agent.mjs", "--compile-to", join(out, "agent.bin")];
    await step(camera, args, { cwd: need("bundle") });
  },
};
