/**
 * The three ways all C is built.
 *
 * @typedef {object} Variant
 * @property {"host" | "asan" | "mipsel"} name
 * @property {string} why
 * @property {(need: (name: string) => string) => string} cc compiler command, one word
 * @property {string} ar
 * @property {readonly string[]} cflags for our own code and for libraries
 * @property {readonly string[]} ldflags
 * @property {readonly string[]} configure further arguments of a library's ./configure
 * @property {readonly string[]} needs artefacts the compiler itself comes from
 * @property {readonly string[]} tools programs whose version counts
 */

/**
 * The camera's processor.
 * @type {Variant}
 */
export const mipsel = {
  name: "mipsel",
  why: "runs on the camera",
  cc: (need) => `${need("musl-mipsel")}/bin/mipsel-musl-gcc`,
  ar: "mipsel-linux-gnu-ar",
  // The camera's floating-point unit gets fused multiply-add wrong. Sections let the linker drop
  // what nobody calls.
  cflags: [
    ...["-O2", "-g", "-march=mips32r2", "-mhard-float", "-ffp-contract=off"],
    ...["-ffunction-sections", "-fdata-sections"],
  ],
  ldflags: ["-static", "-Wl,--gc-sections"],
  // libsodium would add -fPIC, which costs a static program an indirection for every global.
  configure: ["--host=mipsel-linux-gnu", "ax_cv_check_cflags___fPIC=no"],
  needs: ["musl-mipsel"],
  tools: ["mipsel-linux-gnu-gcc"],
};

/** @type {readonly Variant[]} */
export const variants = [
  {
    name: "host",
    why: "runs on this machine",
    cc: () => "gcc",
    ar: "ar",
    cflags: ["-O2", "-g"],
    ldflags: [],
    configure: [],
    needs: [],
    tools: ["gcc"],
  },
  {
    name: "asan",
    why: "finds memory errors and undefined behaviour on this machine",
    cc: () => "clang",
    ar: "ar",
    cflags: [
      ...["-O1", "-g", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"],
      ...["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
    ],
    ldflags: ["-fsanitize=address,undefined"],
    // Hand-written assembly is invisible to the sanitizers.
    configure: ["--disable-asm"],
    needs: [],
    tools: ["clang"],
  },
  mipsel,
];

/**
 * Compilations run at once. Two: more would starve whatever else a small machine does.
 */
export const JOBS = "-j2";

/**
 * Hides from debug information where the build happened, so that the same inputs give the same
 * bytes.
 * @param {string} work
 * @returns {string} compiler flag
 */
export function mapWork(work) {
  return `-ffile-prefix-map=${work}=.`;
}
