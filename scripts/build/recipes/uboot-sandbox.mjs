/**
 * `uboot-sandbox`: u-boot, a program for this machine: U-Boot's own sandbox with a patch of ours, which judges what a boot
 * script would start (ota/sim/u-boot). The same source as the boards' U-Boot. Built with a C compiler alone, as that is.
 */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { configureFromNothing, fragmentOf } from "./kconfig.mjs";
import { sourceDate_s } from "./source-date.mjs";
import { JOBS, mapWork } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const SOURCE = "source-u-boot";
const OURS = "ota/sim/u-boot";

/** @type {Recipe} */
export const ubootSandbox = {
  name: "uboot-sandbox",
  text: fileURLToPath(import.meta.url),
  needs: [SOURCE],
  files: [OURS],
  tools: ["gcc", "make", "bison", "flex", "patch"],
  async build({ root, work, out, need, step }) {
    await step("cp", ["-a", `${need(SOURCE)}/.`, work]);
    cpSync(join(root, OURS, "judge.c"), join(work, "board/sandbox/judge.c"));
    cpSync(join(root, OURS, "judge.h"), join(work, "arch/sandbox/include/asm/judge.h"));
    await step("patch", ["--strip=1", "--fuzz=0", "--input", join(root, OURS, "sandbox.patch")]);
    const make = [
      ...[JOBS, `KCFLAGS=${mapWork(work)}`, `KAFLAGS=${mapWork(work)}`],
      ...["LOCALVERSION=", "NO_PYTHON=1", "PYTHON=false", "PYTHON3=false"],
      `SOURCE_DATE_EPOCH=${sourceDate_s(work)}`,
    ];
    const fragment = fragmentOf(root, join(OURS, "sandbox.config"));
    await configureFromNothing(work, [fragment], make, step);
    await step("make", [...make, "u-boot"]);
    cpSync(join(work, "u-boot"), join(out, "u-boot"));
    cpSync(join(work, ".config"), join(out, "config"));
  },
};
