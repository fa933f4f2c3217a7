/** The simulator's bootloader: U-Boot's sandbox build with the boot script of a board. */

import { JOURNAL_BYTES, type Slot } from "../../agent/update/journal.ts";
import type { Bootloader, Chips } from "./camera.ts";
import { type Image, imageIn, judge } from "./images.ts";
import type { Sandbox } from "./sandbox.ts";
import type { SlotContent } from "./slots.ts";

/** @param sandbox its holder stops it */
export function sandboxBootloader(sandbox: Sandbox): Bootloader {
  return (chips, images) => {
    const { ended, writes } = sandbox.boot({
      journal: {
        a: chips["journal-a"].read(0, JOURNAL_BYTES),
        b: chips["journal-b"].read(0, JOURNAL_BYTES),
      },
      slots: { a: content(chips, "a", images), b: content(chips, "b", images) },
    });
    const [write, ...more] = writes;
    if (more.length > 0) throw new Error("the boot script wrote more than one word");
    const consumed =
      write === undefined
        ? null
        : {
            partition: write.block === "a" ? ("journal-a" as const) : ("journal-b" as const),
            offset: write.offset_bytes,
            bytes: littleEndian(write.after),
          };
    switch (ended.outcome) {
      case "started":
        return {
          consumed,
          is: "started",
          slot: ended.slot,
          trial: ended.trial?.generation ?? null,
        };
      case "reset":
        return { consumed, is: "reset", why: `reset during ${ended.during}` };
      case "stopped":
        return { consumed, is: "stopped", why: `stopped by ${ended.by}` };
    }
  };
}

/** What U-Boot finds in a slot. */
function content(chips: Chips, slot: Slot, images: readonly Image[]): SlotContent {
  switch (judge(chips, slot)) {
    case "no-header":
      return "header bad";
    case "bad-data":
      return "data bad";
    case "whole":
      return imageIn(chips, slot, images)?.does === "no-lzma" ? "undecompressable" : "valid";
  }
}

function littleEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
