/** libsodium, static, without the parts nobody needs; one artefact for each variant. */
import { fileURLToPath } from "node:url";
import { JOBS, mapWork } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */
/** @import { Variant } from "./variants.mjs" */

/**
 * @param {Variant} variant
 * @returns {Recipe}
 */
export function libsodium(variant) {
  return {
    name: `libsodium-${variant.name}`,
    text: fileURLToPath(import.meta.url),
    needs: ["source-libsodium", ...variant.needs],
    tools: [...variant.tools, "autoreconf", "automake", "libtoolize"],
    async build({ work, out, final, need, step }) {
      await step("cp", ["-a", `${need("source-libsodium")}/.`, work]);
      // Debian's source has no configure script.
      await step("autoreconf", ["--force", "--install"]);
      await step("./configure", [
        ...[`--prefix=${final}`, "--enable-minimal", "--enable-static", "--disable-shared"],
        ...["--disable-dependency-tracking", "--disable-pie", ...variant.configure],
        ...[`CC=${variant.cc(need)}`, `AR=${variant.ar}`],
        ...[`CFLAGS=${[...variant.cflags, mapWork(work)].join(" ")}`],
        `LDFLAGS=${variant.ldflags.join(" ")}`,
      ]);
      await step("make", [JOBS]);
      await step("make", [`DESTDIR=${work}/dest`, "install"]);
      await step("sh", ["-c", 'cp -a "$1/." "$2"', "sh", `${work}/dest${final}`, out]);
    },
  };
}
