/**
 * mbedTLS with our own configuration (native/host/mbedtls_config.h), static; one artefact for each
 * variant. The configuration is installed too and named by MBEDTLS_CONFIG_FILE, which whoever
 * includes its headers must define in the same way: `-DMBEDTLS_CONFIG_FILE="<ocellus_mbedtls_config.h>"`.
 */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { JOBS, mapWork } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */
/** @import { Variant } from "./variants.mjs" */

const CONFIG = "native/host/mbedtls_config.h";

/**
 * @param {Variant} variant
 * @returns {Recipe}
 */
export function mbedtls(variant) {
  return {
    name: `mbedtls-${variant.name}`,
    text: fileURLToPath(import.meta.url),
    needs: ["source-mbedtls", ...variant.needs],
    files: [CONFIG],
    tools: variant.tools,
    async build({ root, work, out, need, step }) {
      await step("cp", ["-a", `${need("source-mbedtls")}/.`, work]);
      cpSync(join(root, CONFIG), join(work, "include/ocellus_mbedtls_config.h"));
      const flags = [
        ...[...variant.cflags, mapWork(work), "-fstack-protector-strong", "-w"],
        "-DMBEDTLS_CONFIG_FILE='<ocellus_mbedtls_config.h>'",
      ];
      await step("make", [
        ...["-C", "library", JOBS, "static", `CC=${variant.cc(need)}`, `AR=${variant.ar}`],
        // Generated files come with the source; their generators would need Python and Perl.
        ...[`CFLAGS=${flags.join(" ")}`, "GEN_FILES="],
      ]);
      mkdirSync(join(out, "lib"));
      for (const name of ["mbedtls", "mbedx509", "mbedcrypto"]) {
        cpSync(join(work, `library/lib${name}.a`), join(out, `lib/lib${name}.a`));
      }
      cpSync(join(work, "include"), join(out, "include"), { recursive: true });
    },
  };
}
