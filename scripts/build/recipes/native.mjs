/**
 * Our own C, one artefact for each variant: bin/ocellus-camera, bin/ocellus-canned,
 * bin/ocellus-supervise, bin/ocellus-dhcp, bin/ocellus-config and the C test programs; with sanitizers
 * also the fuzzers, in fuzz/. What is linked to what: native/Makefile.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { JOBS } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */
/** @import { Variant } from "./variants.mjs" */

const PARTS = [
  "Makefile",
  "ring",
  "h264",
  "encoder",
  "host",
  "supervise",
  "dhcp",
  "config",
  "fuzz",
];
const SOURCES = PARTS.map((part) => `native/${part}`);
/**
 * @param {string} root
 * @param {string} key of the artefact
 * @param {boolean} unpinned
 * @returns {string} what the program calls its build, e.g. "0.1.0+1f2e3d4c"
 */
function buildName(root, key, unpinned) {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return `${version}+${key.slice(0, 8)}${unpinned ? ".unpinned" : ""}`;
}

/**
 * @param {Variant} variant
 * @returns {Recipe}
 */
export function native(variant) {
  const libraries = ["quickjs", "libsodium", "mbedtls"].map((name) => `${name}-${variant.name}`);
  return {
    name: `native-${variant.name}`,
    text: fileURLToPath(import.meta.url),
    needs: [...libraries, ...variant.needs],
    files: [...SOURCES, "test/native"],
    only: /\.[ch]$/,
    tools: [...variant.tools, "make"],
    async build({ root, work, out, key, unpinned, need, step }) {
      const [engine, sodium, tls] = libraries.map(need);
      const name = buildName(root, key, unpinned);
      const cflags = [
        ...[...variant.cflags, `-ffile-prefix-map=${root}=.`, `-DOCELLUS_BUILD='"${name}"'`],
        "-DMBEDTLS_CONFIG_FILE='<ocellus_mbedtls_config.h>'",
        ...[engine, sodium, tls].map((library) => `-isystem ${library}/include`),
      ];
      const archives = [
        `${engine}/lib/libquickjs.a`,
        `${sodium}/lib/libsodium.a`,
        ...["mbedtls", "mbedx509", "mbedcrypto"].map((part) => `${tls}/lib/lib${part}.a`),
      ];
      const system = ["-lm", "-lpthread", ...(variant.name === "mipsel" ? ["-latomic"] : [])];
      await step(
        "make",
        [
          ...["-r", "-R", "-f", "native/Makefile", JOBS, "--keep-going"],
          ...[`OUT=${out}`, `OBJ=${work}`, `CC=${variant.cc(need)}`, `AR=${variant.ar}`],
          ...[`CFLAGS=${cflags.join(" ")}`, `LDFLAGS=${variant.ldflags.join(" ")}`],
          ...[`LIBS=${[...archives, ...system].join(" ")}`],
          `FUZZ=${variant.name === "asan" ? "yes" : ""}`,
        ],
        { cwd: root },
      );
    },
  };
}
