/**
 * The C library of the camera's programs and a compiler that uses it: bin/mipsel-musl-gcc, static
 * only. Kernel headers are those of Debian's cross package.
 */
import { chmodSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { JOBS, mapWork } from "./variants.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const GCC = "mipsel-linux-gnu-gcc";
const KERNEL_HEADERS = "/usr/mipsel-linux-gnu/include";
/** What the kernel exports; the directory also holds glibc's headers, which must stay out. */
const KERNEL_FOLDERS = ["asm", "asm-generic", "linux", "mtd"];

/** @type {Recipe} */
export const muslMipsel = {
  name: "musl-mipsel",
  text: fileURLToPath(import.meta.url),
  needs: ["source-musl"],
  tools: [GCC],
  async build({ work, out, final, need, step }) {
    await step("cp", ["-a", `${need("source-musl")}/.`, work]);
    const flags = `-O2 -march=mips32r2 -mhard-float -ffp-contract=off ${mapWork(work)}`;
    await step("./configure", [
      ...["--target=mipsel-linux-gnu", `--prefix=${final}`, `--syslibdir=${final}/lib`],
      ...["--disable-shared", "--disable-wrapper", `CC=${GCC}`, `CFLAGS=${flags}`],
      "CROSS_COMPILE=mipsel-linux-gnu-",
    ]);
    await step("make", [JOBS]);
    await step("make", [`DESTDIR=${work}/dest`, "install"]);
    cpSync(join(work, "dest", final), out, { recursive: true });
    for (const folder of KERNEL_FOLDERS) {
      cpSync(join(KERNEL_HEADERS, folder), join(out, "include", folder), { recursive: true });
    }
    // musl's own script writes the specs file that makes gcc use this library and no other.
    const specs = join(out, "lib/musl-gcc.specs");
    const script = `sh tools/musl-gcc.specs.sh "$1" "$2" "$3" >"$4"`;
    const loader = "/lib/ld-musl-mipsel.so.1";
    await step("sh", ["-c", script, "sh", `${final}/include`, `${final}/lib`, loader, specs]);
    mkdirSync(join(out, "bin"), { recursive: true });
    const wrapper = join(out, "bin/mipsel-musl-gcc");
    writeFileSync(wrapper, `#!/bin/sh\nexec ${GCC} "$@" -specs "${final}/lib/musl-gcc.specs"\n`);
    chmodSync(wrapper, 0o755);
  },
};
