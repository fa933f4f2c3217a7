/** `count.so`: the QEMU plugin that counts instructions (native/bench/count.c). */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OWN } from "./bench-flags.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const FILES = ["count.c", "mark.h", "qemu_plugin.h"].map((name) => `native/bench/${name}`);

/** @type {Recipe} */
export const benchCounter = {
  name: "bench-counter",
  text: fileURLToPath(import.meta.url),
  files: FILES,
  tools: ["gcc"],
  async build({ root, out, step }) {
    await step("gcc", [
      ...[...OWN, "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread"],
      ...["-o", join(out, "count.so"), join(root, "native/bench/count.c")],
    ]);
  },
};
