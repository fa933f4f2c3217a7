/** U-Boot's redundant environment: what a power cut in the middle of a write does to one copy leaves the other, which it takes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { developmentEnvironment, environmentImage } from "../../scripts/board/bootloader.mjs";
import { findPartition } from "../../scripts/board/flash.mjs";
import { firmware, Machine } from "./support/machine.ts";

/** Neither is what U-Boot has compiled in. */
const FIRST_BYTES = 48 << 20;
const { mem_least_bytes } = firmware.memory;
const ERASED = 0xff;

/** A copy that says mem=, as U-Boot writes it. */
const copy = (mem_bytes: number) =>
  environmentImage(firmware, developmentEnvironment(firmware, mem_bytes));

/** What the first copy is, beside a second one that is whole and says mem=38M; and what mem= Linux is told. */
const FIRST: readonly (readonly [string, (first: Buffer) => void, string])[] = [
  ["whole", () => {}, "48M"],
  ["erased", (first) => first.fill(ERASED), "38M"],
  // The flash programs from the start of a block; what it has not come to is as it was erased.
  ["torn", (first) => first.fill(ERASED, 300), "38M"],
  ["spoilt in one bit", (first) => first.writeUInt8(first.readUInt8(100) ^ 1, 100), "38M"],
];

for (const [state, spoil, mem] of FIRST)
  test(`with the first copy of the environment ${state}, U-Boot goes by ${mem === "48M" ? "it" : "the second"}`, async (t) => {
    const first = copy(FIRST_BYTES);
    spoil(first);
    const machine = await Machine.start(t, {
      flash: [
        { offset_bytes: findPartition(firmware, "env").start, data: first },
        {
          offset_bytes: findPartition(firmware, "env-redundant").start,
          data: copy(Number(mem_least_bytes)),
        },
      ],
    });
    const [, told] = await machine.see(/Kernel command line: .* mem=(\S+) /);
    assert.equal(told, mem);
  });
