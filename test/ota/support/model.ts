/** The boot script's decision in TypeScript: quick, and to be compared with the script itself. */
import layout from "../../../agent/update/journal.json" with { type: "json" };
import {
  ATTEMPTS,
  type JournalRecord,
  openTrial,
  primarySlot,
  type Slot,
} from "../../../agent/update/journal.ts";
import { type Boot, type Bootloader, journalOf } from "../../../ota/sim/camera.ts";
import { imageIn, judge } from "../../../ota/sim/images.ts";

export const model: Bootloader = (chips, images): Boot => {
  const journal = journalOf(chips);
  const trial = openTrial(journal);
  const primary = primarySlot(journal);
  const order: { slot: Slot; trial: number | null }[] = [
    ...(trial !== null && trial.attempts < ATTEMPTS
      ? [{ slot: trial.slot, trial: trial.generation }]
      : []),
    { slot: primary, trial: null },
    { slot: primary === "a" ? "b" : "a", trial: null },
  ];
  const consumed = order.length === 3 && trial !== null ? attempt(chips, trial) : null;
  for (const { slot, trial: generation } of order) {
    if (judge(chips, slot) !== "whole") continue;
    const image = imageIn(chips, slot, images);
    if (image?.does === "no-lzma") return { consumed, is: "reset", why: "unpacking" };
    return { consumed, is: "started", slot, trial: generation };
  }
  return { consumed, is: "reset", why: "no slot starts" };
};

function attempt(chips: Parameters<Bootloader>[0], { block, offset }: JournalRecord) {
  const pattern = Buffer.alloc(4);
  pattern.writeUInt32LE(Number(layout.patterns.attempt));
  for (let n = 0; n < ATTEMPTS; n++) {
    const at = offset + layout.fields.attempts + 4 * n;
    if (!Buffer.from(chips[block].read(at, 4)).equals(pattern))
      return { partition: block, offset: at, bytes: new Uint8Array(pattern) };
  }
  throw new Error("no attempt is left");
}
