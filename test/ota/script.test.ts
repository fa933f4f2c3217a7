/** The boot script as text: how it is filled in, that it fits, and that U-Boot has it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { JOURNAL, JOURNAL_USED_BYTES } from "../../ota/boot/journal.mjs";
import { bootScript, fill, SCRIPT, scriptValues } from "../../ota/boot/script.mjs";
import { type Firmware, readFirmware } from "../../scripts/board/board.mjs";
import {
  developmentEnvironment,
  environment,
  environmentImage,
  environmentText,
} from "../../scripts/board/bootloader.mjs";
import { crc32 } from "../../scripts/board/crc32.mjs";
import { findPartition } from "../../scripts/board/flash.mjs";
import { checkout, ensure } from "../../scripts/build/ensure.mjs";
import { garbage } from "./support/records.ts";

const firmware = readFirmware(checkout, "qemu/malta");

test("lines are joined, comments are left out, and names are filled in", () => {
  const text = "# not this\none=\n  a @X@;\n\n# nor this\n  b\ntwo=c @X_1@ @X@\n";
  const filled = fill(text, { X: "1 2", X_1: "3" });
  assert.deepEqual(
    [...filled],
    [
      ["one", "a 1 2; b"],
      ["two", "c 3 1 2"],
    ],
  );
});

test("a value is not read for names again", () => {
  assert.equal(fill("a=@X@\n", { X: "@Y@" }).get("a"), "@Y@");
});

for (const [what, text] of [
  ["a name that nobody fills in", "a=@Y@\n"],
  ["a line of no variable", "  a\n"],
  ["a line that begins none", "a b\n"],
  ["a variable twice", "a=1\nb=2\na=3\n"],
] as const)
  test(`${what} is refused`, () => {
    assert.throws(() => fill(text, { X: "1" }), /^Error: the script has /);
  });

test("the script has every value that is made for it", () => {
  const used = new Set(SCRIPT.match(/@[A-Z0-9_]+@/g)?.map((name) => name.slice(1, -1)));
  assert.deepEqual([...used].sort(), Object.keys(scriptValues(firmware)).sort());
});

test("a CRC-32 over bytes and their own CRC-32 is the one that the script compares with", () => {
  for (const bytes of [0, 1, 28, 100].map((length) => garbage(length, length + 1))) {
    const check = Buffer.alloc(4);
    check.writeUInt32LE(crc32(bytes));
    const over = crc32(Buffer.concat([bytes, check]));
    assert.equal(over.toString(16), scriptValues(firmware).CHECKED_CRC);
  }
  // crc32 -v takes a number of eight digits for a number, and a shorter one for a variable's name.
  assert.equal(scriptValues(firmware).CHECKED_CRC?.length, 8);
});

test("numbers that the script puts in order have no top bit, or all of them: copies lie in one half of memory", () => {
  const { JOURNAL_RAM, JOURNAL_RAM_END } = scriptValues(firmware);
  const half = (text = "") => Number.parseInt(text, 16) >>> 31;
  assert.equal(half(JOURNAL_RAM), half(JOURNAL_RAM_END));
});

test("the journal's numbers fit each other", () => {
  const { fields, attempts, record_bytes } = JOURNAL;
  assert.equal(fields.confirmed, fields.attempts + 4 * attempts);
  assert.ok(fields.failed + 4 <= record_bytes);
  assert.equal(JOURNAL_USED_BYTES, 1024);
});

test("the emulated camera's U-Boot has it compiled in, and the development image stores it too", async () => {
  const uboot = readFileSync(join(await ensure("uboot-qemu-malta"), "u-boot.bin"), "latin1");
  const flash = readFileSync(join(await ensure("firmware-qemu-malta-dev"), "flash.bin"));
  for (const [name, value] of bootScript(firmware)) {
    assert.equal(uboot.split(`\0${name}=${value}\0`).length, 2, name);
  }
  const stored = environmentImage(firmware, developmentEnvironment(firmware));
  const { start } = findPartition(firmware, "env");
  assert.ok(flash.subarray(start, start + stored.length).equals(stored));
  for (const [name, value] of bootScript(firmware))
    assert.ok(stored.includes(`${name}=${value}\0`), name);
});

function firmwareWith(change: (firmware: Firmware) => void): Firmware {
  const copy = structuredClone(firmware);
  change(copy);
  return copy;
}

test("an environment that is too long is refused", () => {
  const bytes = environmentText(environment(firmware)).length;
  const small = firmwareWith((each) => {
    each.environment_bytes = `0x${bytes.toString(16).padStart(8, "0")}`;
  });
  assert.throws(() => environment(small), {
    name: "Problem",
    message: /U-Boot's environment takes/,
  });
});

test("Linux's arguments that it would cut off are refused", () => {
  const many = (partitions: number) =>
    firmwareWith(({ chips }) => {
      const added = { name: "x".repeat(32), offset_bytes: "0x00300000", size_bytes: "0x00010000" };
      for (let index = 0; index < partitions; index++) chips[0]?.partitions.push(added);
    });
  assert.ok(environment(many(20)).has("bootcmd"));
  assert.throws(() => environment(many(80)), {
    name: "Problem",
    message: /Linux's arguments take/,
  });
});
