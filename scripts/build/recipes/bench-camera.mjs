/**
 * `ocellus-camera-bench`: the camera's own program for mipsel, linked into the benchmark's world
 * (native/bench/world) by replacing the C library functions that reach out of the process. And
 * `ocellus-camera-soak`, the same with every allocation counted.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mipsel } from "./bench-flags.mjs";
import { JOBS } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const CAMERA = ["ring", "h264", "encoder/common", "encoder/canned", "host"].map(
  (name) => `native/${name}`,
);
const WORLD = ["broker", "clock", "footage", "main", "memory", "network", "poll", "store"].map(
  (name) => `native/bench/world/${name}`,
);
/** What world.h says is in the world's place. */
const WRAPPED = [
  ...[
    "main",
    "poll",
    "__clock_gettime64",
    "__gettimeofday_time64",
    "__time64",
    "getrandom",
    "socket",
    "connect",
    "pread",
  ],
  ...["send", "recv", "getsockopt", "setsockopt", "shutdown", "close"],
];
/** What allocation.c is in the place of. */
const ALLOCATORS = ["malloc", "realloc", "free"];
const LIBRARIES = ["quickjs-mipsel", "libsodium-mipsel", "mbedtls-mipsel"];

/** @type {Recipe} */
export const benchCamera = {
  name: "bench-camera",
  text: fileURLToPath(import.meta.url),
  needs: ["bench-peer", ...LIBRARIES, ...mipsel.needs],
  files: [...CAMERA, "native/Makefile", "native/bench"],
  only: /\.[ch]$/,
  tools: [...mipsel.tools, "make"],
  async build({ root, work, out, need, step }) {
    const includes = LIBRARIES.map((name) => `-isystem ${need(name)}/include`);
    // As in the recipe of native-mipsel, but for the name of the build, which is part of what the
    // camera sends.
    const cflags = [
      ...[...mipsel.cflags, `-ffile-prefix-map=${root}=.`, `-DOCELLUS_BUILD='"0.0.0+bench"'`],
      ...["-DMBEDTLS_CONFIG_FILE='<ocellus_mbedtls_config.h>'", ...includes],
    ];
    const own = [join(work, "native/host/main.o"), ...WORLD.map((name) => join(work, `${name}.o`))];
    const allocation = join(work, "native/bench/world/allocation.o");
    const parts = CAMERA.map((name) => join(work, name, "parts.a"));
    const make = ["-r", "-R", "-f", "native/Makefile", JOBS, `OUT=${out}`, `OBJ=${work}`];
    const tools = [`CC=${mipsel.cc(need)}`, `AR=${mipsel.ar}`, `CFLAGS=${cflags.join(" ")}`];
    await step("make", [...make, ...tools, ...own, allocation, ...parts], { cwd: root });
    const link = (
      /** @type {string} */ name,
      /** @type {readonly string[]} */ objects,
      /** @type {readonly string[]} */ wrapped,
    ) =>
      step(mipsel.cc(need), [
        ...[...mipsel.cflags, ...mipsel.ldflags, "-o", join(out, name), ...objects],
        ...wrapped.map((symbol) => `-Wl,--wrap=${symbol}`),
        ...["-Wl,--start-group", ...parts, join(need("quickjs-mipsel"), "lib/libquickjs.a")],
        ...[join(need("libsodium-mipsel"), "lib/libsodium.a")],
        ...["tls", "x509", "crypto"].map((part) =>
          join(need("mbedtls-mipsel"), `lib/libmbed${part}.a`),
        ),
        ...["-Wl,--end-group", join(need("bench-peer"), "tls_peer.o"), "-lm", "-latomic"],
      ]);
    await link("ocellus-camera-bench", own, WRAPPED);
    await link("ocellus-camera-soak", [...own, allocation], [...WRAPPED, ...ALLOCATORS]);
  },
};
