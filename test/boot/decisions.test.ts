/**
 * The boot script in QEMU's real U-Boot decides as it does in U-Boot's sandbox: states of the same table, with the journal in
 * real flash.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { slotImage } from "../../ota/sim/slots.ts";
import { findPartition } from "../../scripts/board/flash.mjs";
import { decisions } from "../ota/support/decisions.ts";
import { consumedAt } from "../ota/support/judged.ts";
import { pattern } from "../ota/support/records.ts";
import { firmware, Machine } from "./support/machine.ts";

const real = decisions.filter((decision) => decision.real);

test("some states are tried in real U-Boot, and only such as it can be shown", () => {
  assert.equal(real.length, 6);
  for (const { state } of real) assert.deepEqual(state.worn, []);
});

for (const { what, state, ends, consumed } of real)
  test(`${what}, in real U-Boot`, async (t) => {
    const at = (block: "a" | "b") => findPartition(firmware, firmware.journal[block]).start;
    const { journal, slots } = state;
    const machine = await Machine.start(t, {
      a: slotImage("a", slots.a),
      b: slotImage("b", slots.b),
      flash: [
        { offset_bytes: at("a"), data: journal.a },
        { offset_bytes: at("b"), data: journal.b },
      ],
    });
    const before = readFileSync(machine.chips.flash);
    if (ends.outcome === "started") {
      // What was started says it itself.
      const [said, slot] = await machine.see(/\nocellus\.slot=(.)\n(?:ocellus\.\w+=\w+\n)*$/);
      assert.equal(slot, ends.slot);
      const { generation, attempt } = ends.trial ?? {};
      const trial = `ocellus.trial=${generation?.toString(16)}\nocellus.attempt=${attempt}\n`;
      assert.ok(said.endsWith(ends.trial === undefined ? `slot=${slot}\n` : trial), said);
      assert.equal(
        machine.output
          .match(/Image Name: +(.+)/g)
          ?.at(-1)
          ?.endsWith(ends.image),
        true,
      );
    } else await machine.see(/Must RESET board to recover/);
    await machine.stop();
    if (consumed !== undefined)
      before.writeUInt32LE(pattern("attempt"), at(consumed.block) + consumedAt(consumed));
    assert.ok(readFileSync(machine.chips.flash).equals(before), "that word is all that is written");
  });
