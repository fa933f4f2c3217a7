/**
 * How our programs were compiled, by what the compilers themselves wrote into them (the producer of each compilation unit in
 * DWARF) and by the machine code; and that warnings stop a build, by the recipe's real command line.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { checkout, ensure } from "../../scripts/build/ensure.mjs";
import { Problem } from "../../scripts/build/problem.mjs";
import { capture, step } from "../../scripts/build/process.mjs";
import { native } from "../../scripts/build/recipes/native.mjs";
import { variants } from "../../scripts/build/recipes/variants.mjs";
import { makeScratch } from "./support/scratch.ts";

interface Unit {
  /** Source file, as the compiler was given it. */
  readonly name: string;
  /** Options that the compiler says it followed; warnings are none of them. */
  readonly options: readonly string[];
}

async function unitsOf(program: string): Promise<Unit[]> {
  const args = ["--debug-dump=info", "--dwarf-depth=1", "--wide", program];
  const { stdout } = await capture("readelf", args);
  return stdout
    .split(/\(DW_TAG_compile_unit\)/)
    .slice(1)
    .map((unit) => {
      const value = (attribute: string) =>
        new RegExp(`${attribute}\\s*: (?:\\(.*?\\): )*(.*)`).exec(unit)?.[1]?.trim() ?? "";
      return { name: value("DW_AT_name"), options: value("DW_AT_producer").split(" ") };
    })
    .filter(({ options }) => !options.includes("AS"));
}

/** One file of each: our own, libsodium's on the frame path and for keys, mbedTLS's. */
const CRYPTO = [
  ...["native/host/crypto.c", "crypto_secretbox/crypto_secretbox_easy.c", "ref10/ed25519_ref10.c"],
  ...["poly1305_donna.c", "sha256.c", "chachapoly.c", "ecdsa.c"],
];

for (const variant of ["host", "mipsel"])
  test(`all of the camera's program, cryptography first of all, is compiled at -O2 (${variant})`, async () => {
    const directory = await ensure(`native-${variant}`);
    const units = await unitsOf(join(directory, "bin/ocellus-camera"));
    for (const file of CRYPTO)
      assert.ok(
        units.some(({ name }) => name.endsWith(file)),
        `${file} is not in the program`,
      );
    for (const { name, options } of units) {
      const levels = options.filter((option) => /^-O/.test(option));
      assert.deepEqual(levels, ["-O2"], name);
    }
  });

/** Of MIPS: a product that is added without being rounded first. */
const FUSED = /\bn?m(?:add|sub)\.[ds]\b/;

const disassembled = (program: string) => capture("mipsel-linux-gnu-objdump", ["-d", program]);

test("programs of the camera are compiled with -ffp-contract=off and fuse no multiplication with an addition", async () => {
  const folder = join(await ensure("native-mipsel"), "bin");
  const programs = readdirSync(folder);
  assert.ok(programs.includes("ocellus-camera") && programs.includes("ocellus-canned"));
  for (const program of programs) {
    const units = await unitsOf(join(folder, program));
    assert.ok(units.length > 0, program);
    for (const { name, options } of units)
      assert.ok(options.includes("-ffp-contract=off"), `${program}: ${name}`);
    // The C library too, which has no debug information.
    const { stdout } = await disassembled(join(folder, program));
    // The engine multiplies, so what is looked for would be seen.
    if (program === "ocellus-camera") assert.match(stdout, /\bmul\.d\b/);
    assert.doesNotMatch(stdout, FUSED);
  }
});

/** Of our own, of the engine, of TLS and of the DHCP client: what handles others' bytes. */
const GUARDED = {
  "native-mipsel": ["native/host/main.c", "native/dhcp/lease.c", "quickjs.c", "ssl_msg.c"],
  "busybox-release": ["networking/udhcp/dhcpc.c", "networking/udhcp/common.c"],
  "busybox-dev": ["networking/udhcp/dhcpc.c"],
};

for (const [artefact, files] of Object.entries(GUARDED))
  test(`all of the camera's programs is compiled with a stack protector (${artefact})`, async () => {
    const directory = await ensure(artefact);
    const programs = artefact.startsWith("busybox")
      ? ["busybox_unstripped"]
      : readdirSync(join(directory, "bin")).map((program) => `bin/${program}`);
    const units = (
      await Promise.all(programs.map((program) => unitsOf(join(directory, program))))
    ).flat();
    // libsodium's own configuration asks for less.
    for (const { name, options } of units)
      assert.ok(
        options.some((option) => /^-fstack-protector(-strong)?$/.test(option)),
        name,
      );
    for (const file of files) {
      const unit = units.find(({ name }) => name.endsWith(file));
      assert.ok(unit?.options.includes("-fstack-protector-strong"), file);
    }
  });

test("the engine's machine code looks at its stack", async () => {
  const library = join(await ensure("quickjs-mipsel"), "lib/libquickjs.a");
  const { stdout } = await capture("mipsel-linux-gnu-nm", [library]);
  const objects = stdout.trim().split(/\n\n/);
  assert.ok(objects.length > 1);
  for (const object of objects) assert.match(object, /^ +U __stack_chk_fail$/m);
});

test("a fused multiplication would be seen in the machine code", async (t) => {
  const scratch = makeScratch(t);
  scratch.write("fma.c", "double f(double a, double b, double c) { return a * b + c; }\n");
  const object = join(scratch.root, "fma.o");
  const flags = ["-O2", "-march=mips32r2", "-mhard-float", "-mfp64", "-mmadd4", "-c", "-o", object];
  const { code, stderr } = await capture("mipsel-linux-gnu-gcc", [
    ...flags,
    join(scratch.root, "fma.c"),
  ]);
  assert.equal(code, 0, stderr);
  assert.match((await disassembled(object)).stdout, FUSED);
});

/** Main files of the camera that a compiler has one word to say about. */
const CARELESS: Record<string, string> = {
  "unused-variable": "int main(void) { int unused = 1; return 0; }",
  "unused-parameter": "int main(int count, char **words) { return words != 0; }",
  "missing-prototypes": "int helper(void) { return 0; }\nint main(void) { return helper(); }",
  shadow: "int main(void) { int a = 1; { int a = 2; if (a > 1) return 1; } return a; }",
};

let compiler = "";
before(async () => {
  compiler = await ensure("musl-mipsel");
});

for (const variant of variants)
  test(`a warning stops the build of our own code (${variant.name})`, async (t) => {
    for (const [warning, text] of Object.entries(CARELESS)) {
      const scratch = makeScratch(t);
      scratch.write("native/host/main.c", `${text}\n`);
      scratch.write("package.json", '{ "version": "0.0.0" }');
      scratch.write("native/Makefile", readFileSync(join(checkout, "native/Makefile"), "utf8"));
      const work = join(scratch.root, "work");
      mkdirSync(work);
      const building = native(variant).build({
        ...{ root: scratch.root, cache: scratch.cache, work, out: join(scratch.root, "out") },
        ...{ final: "", key: "0".repeat(64), unpinned: false },
        need: (name) => (name === "musl-mipsel" ? compiler : join(scratch.root, name)),
        step: (tool, args, options) =>
          step(tool, args, { cwd: work, ...options, log: join(scratch.root, "log") }),
        note: () => undefined,
      });
      await assert.rejects(building, (error) => {
        assert.ok(error instanceof Problem, String(error));
        assert.match(error.lines, new RegExp(`error: .*\\[-Werror[=,](-W)?${warning}\\]`));
        return true;
      });
    }
  });
