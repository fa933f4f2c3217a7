/** QuickJS, the engine as a static library; one artefact for each variant. */
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { JOBS, mapWork } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */
/** @import { Variant } from "./variants.mjs" */

/** The engine. Its library for scripts (quickjs-libc: files, workers, processes) stays out. */
const ENGINE = ["quickjs", "libregexp", "libunicode", "cutils", "dtoa"];
const HEADERS = ["quickjs.h", "list.h", "cutils.h"];

/**
 * @param {Variant} variant
 * @returns {Recipe}
 */
export function quickjs(variant) {
  return {
    name: `quickjs-${variant.name}`,
    text: fileURLToPath(import.meta.url),
    needs: ["source-quickjs", ...variant.needs],
    tools: variant.tools,
    async build({ work, out, need, step }) {
      await step("cp", ["-a", `${need("source-quickjs")}/.`, work]);
      const version = readFileSync(join(work, "VERSION"), "utf8").trim();
      // The last line as in QuickJS's own Makefile: it relies on wrapping and on GNU functions.
      const cflags = [
        ...[...variant.cflags, mapWork(work), "-fstack-protector-strong", "-w"],
        ...["-fwrapv", "-D_GNU_SOURCE", `-DCONFIG_VERSION='"${version}"'`],
      ].join(" ");
      const objects = ENGINE.map((name) => `${name}.o`);
      const make = ["-f", "/dev/null", "-r", "-R", `CC=${variant.cc(need)}`, `CFLAGS=${cflags}`];
      const rule = "--eval=%.o: %.c ; $(CC) $(CFLAGS) -c -o $@ $<";
      await step("make", [...make, JOBS, rule, ...objects]);
      mkdirSync(join(out, "lib"));
      mkdirSync(join(out, "include"));
      await step(variant.ar, ["rcs", join(out, "lib/libquickjs.a"), ...objects]);
      for (const name of HEADERS) cpSync(join(work, name), join(out, "include", name));
    },
  };
}
