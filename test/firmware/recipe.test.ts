/** What stops the build of an image: a program that is missing, and a kernel that does not lie where the board's memory says. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readFirmware } from "../../scripts/board/board.mjs";
import { checkout } from "../../scripts/build/ensure.mjs";
import { Problem } from "../../scripts/build/problem.mjs";
import { step } from "../../scripts/build/process.mjs";
import type { Recipe } from "../../scripts/build/recipe.mjs";
import { checkKernel, firmware } from "../../scripts/build/recipes/firmware.mjs";
import { native } from "../../scripts/build/recipes/native.mjs";
import { variants } from "../../scripts/build/recipes/variants.mjs";
import { makeScratch, type Scratch } from "../setup/support/scratch.ts";

/** Builds with artefacts that have nothing in them. */
function build(scratch: Scratch, recipe: Recipe, root: string): Promise<void> {
  const work = join(scratch.root, "work");
  mkdirSync(work);
  return recipe.build({
    ...{ root, cache: scratch.cache, work, out: join(scratch.root, "out") },
    ...{ final: "", key: "0".repeat(64), unpinned: false },
    need: (name) => join(scratch.root, name),
    step: (tool, args, options) =>
      step(tool, args, { cwd: work, ...options, log: join(scratch.root, "log") }),
    note: () => undefined,
  });
}

async function assertStops(t: TestContext, building: Promise<void>, says: RegExp): Promise<void> {
  await assert.rejects(building, (error) => {
    assert.ok(error instanceof Problem, String(error));
    t.diagnostic(error.lines);
    assert.match(error.lines, says);
    return true;
  });
}

for (const variant of ["release", "dev"] as const)
  test(`an image without one of our programs is not made (${variant})`, async (t) => {
    const building = build(makeScratch(t), firmware("qemu/malta", variant), checkout);
    await assertStops(t, building, /native-mipsel\/bin\/ocellus-camera': No such file/);
  });

for (const variant of variants)
  test(`our C without the main file of a program is not built (${variant.name})`, async (t) => {
    const scratch = makeScratch(t);
    scratch.write("package.json", '{ "version": "0.0.0" }');
    scratch.write("native/Makefile", readFileSync(join(checkout, "native/Makefile"), "utf8"));
    const building = build(scratch, native(variant), scratch.root);
    await assertStops(t, building, /No rule to make target '.*\/native\/\w+(\/canned)?\/main\.o'/);
  });

test("a kernel that reaches to where a slot is read, or out of the least memory, is refused", () => {
  const board = readFirmware(checkout, "qemu/malta");
  checkKernel(board, 0xf00000);
  assert.throws(() => checkKernel(board, 0xf00001), {
    name: "Problem",
    message:
      "a slot would be read to where the kernel of 15728641 bytes is unpacked; mend memory in board.json.",
  });
  const small = { ...board.memory, mem_least_bytes: "0x00900000" };
  checkKernel({ ...board, memory: small }, 0x800000);
  assert.throws(() => checkKernel({ ...board, memory: small }, 0x800001), {
    name: "Problem",
    message: /^a kernel of 8388609 bytes at load_address does not lie within mem_least_bytes;/,
  });
});
