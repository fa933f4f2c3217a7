/** `floor`: the least that can be done to footage on its way out, for mipsel (native/bench/floor.c). */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mipsel, OWN } from "./bench-flags.mjs";
import { mapWork } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const SOURCES = ["floor.c", "client_platform.c"];
const HEADERS = ["client_platform.h", "mark.h", "peer/tls_peer.h"];

/** @type {Recipe} */
export const benchFloor = {
  name: "bench-floor",
  text: fileURLToPath(import.meta.url),
  needs: ["bench-peer", "libsodium-mipsel", "mbedtls-mipsel", ...mipsel.needs],
  files: [...SOURCES, ...HEADERS].map((name) => `native/bench/${name}`),
  tools: mipsel.tools,
  async build({ root, work, out, need, step }) {
    const tls = need("mbedtls-mipsel");
    const sodium = need("libsodium-mipsel");
    await step(mipsel.cc(need), [
      ...[...OWN, ...mipsel.cflags, ...mipsel.ldflags, mapWork(work)],
      ...["-DMBEDTLS_CONFIG_FILE=<ocellus_mbedtls_config.h>", `-I${tls}/include`],
      ...[`-I${sodium}/include`, "-o", join(out, "floor")],
      ...SOURCES.map((name) => join(root, "native/bench", name)),
      ...[join(need("bench-peer"), "tls_peer.o"), `-L${tls}/lib`, `-L${sodium}/lib`],
      ...["-lmbedtls", "-lmbedx509", "-lmbedcrypto", "-lsodium", "-latomic"],
    ]);
  },
};
