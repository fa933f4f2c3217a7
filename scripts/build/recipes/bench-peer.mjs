/**
 * `tls_peer.o`: the benchmark's TLS server for mipsel (native/bench/peer), one object with an mbedTLS
 * of its own. The names of that library get a prefix, so that it stands beside the camera's.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mipsel, OWN } from "./bench-flags.mjs";
import { JOBS, mapWork } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const PEER = "native/bench/peer";
const CONFIG = `-DMBEDTLS_CONFIG_FILE='"mbedtls_server_config.h"'`;
const PREFIX = "tls_peer_";

/** @type {Recipe} */
export const benchPeer = {
  name: "bench-peer",
  text: fileURLToPath(import.meta.url),
  needs: ["source-mbedtls", ...mipsel.needs],
  files: [PEER, "native/host/mbedtls_config.h"],
  tools: [...mipsel.tools, "mipsel-linux-gnu-ld", "mipsel-linux-gnu-objcopy"],
  async build({ root, work, out, need, step }) {
    await step("cp", ["-a", `${need("source-mbedtls")}/.`, work]);
    const includes = `-I${work}/include -I${join(root, PEER)}`;
    const cflags = [...mipsel.cflags, mapWork(work), CONFIG, includes].join(" ");
    const cc = mipsel.cc(need);
    await step("make", [
      ...["-C", "library", JOBS, "static", `CC=${cc}`, `AR=${mipsel.ar}`],
      ...[`CFLAGS=${cflags} -w`, "GEN_FILES="],
    ]);
    for (const name of ["tls_peer", "certificates"]) {
      const source = join(root, PEER, `${name}.c`);
      await step("sh", ["-c", `${cc} ${OWN.join(" ")} ${cflags} -c -o ${name}.o ${source}`]);
    }
    await step("mipsel-linux-gnu-ld", [
      ...["-r", "-o", "whole.o", "tls_peer.o", "certificates.o"],
      ...["mbedtls", "mbedx509", "mbedcrypto"].map((name) => `library/lib${name}.a`),
    ]);
    await step("sh", [
      "-c",
      "mipsel-linux-gnu-nm --extern-only --defined-only --format=posix whole.o >names",
    ]);
    const names = readFileSync(join(work, "names"), "utf8")
      .split("\n")
      .map((line) => line.split(" ")[0] ?? "")
      .filter((name) => name !== "" && !name.startsWith(PREFIX));
    writeFileSync(
      join(work, "renames"),
      names.map((name) => `${name} ${PREFIX}lib_${name}\n`).join(""),
    );
    await step("mipsel-linux-gnu-objcopy", [
      ...["--redefine-syms=renames", "whole.o", join(out, "tls_peer.o")],
    ]);
  },
};
