/** Journals written out by hand, for what the boot script makes of them. */

import type { Slot } from "../../../agent/update/journal.ts";
import { JOURNAL } from "../../../ota/boot/journal.mjs";
import { crc32 } from "../../../scripts/board/crc32.mjs";

const { fields, patterns, record_bytes } = JOURNAL;

/** A record's state words; a number is set as it is instead of the pattern. */
export interface States {
  readonly armed?: boolean | number;
  readonly confirmed?: boolean | number;
  readonly failed?: boolean | number;
  /** From the first attempt on; null for one that is not consumed. */
  readonly attempts?: readonly (true | null | number)[];
}

/** A state word's pattern. */
export function pattern(name: "armed" | "attempt" | "confirmed" | "failed"): number {
  return Number(patterns[name]);
}

/** `pattern` cut off while it was programmed: these of its cleared bits are still set. */
export function torn(name: "armed" | "attempt" | "confirmed" | "failed", bits: number): number {
  const word = (pattern(name) | bits) >>> 0;
  if (word === pattern(name)) throw new Error(`${name} does not clear those bits`);
  return word;
}

/** A record with these states. */
export function record(generation: number, slot: Slot, states: States = {}): Buffer {
  const bytes = body(generation, Number(JOURNAL.slots[slot]));
  const put = (name: "armed" | "confirmed" | "failed", value: boolean | number | undefined) => {
    if (value === undefined || value === false) return;
    bytes.writeUInt32LE(value === true ? pattern(name) : value, fields[name]);
  };
  put("armed", states.armed);
  put("confirmed", states.confirmed);
  put("failed", states.failed);
  for (const [index, word] of (states.attempts ?? []).entries()) {
    const at = fields.attempts + 4 * index;
    if (word !== null) bytes.writeUInt32LE(word === true ? pattern("attempt") : word, at);
  }
  return bytes;
}

/** A record whose slot word is this one, and whose check is right. */
export function body(generation: number, slot_word: number): Buffer {
  const bytes = Buffer.alloc(record_bytes, 0xff);
  bytes.writeUInt32LE(Number(JOURNAL.magic), fields.magic);
  bytes.writeUInt32LE(generation, fields.generation);
  bytes.writeUInt32LE(slot_word, fields.slot);
  for (let at = fields.image; at < fields.check; at++)
    bytes.writeUInt8((generation * 7 + at) & 0xff, at);
  return rechecked(bytes);
}

/** Makes a record's check right. */
export function rechecked(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(0, fields.check)), fields.check);
  return bytes;
}

/** Bytes with some replaced. */
export function changed(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(value, at);
  return copy;
}

/** Random bytes, the same each time. */
export function garbage(bytes: number, seed = 1): Buffer {
  const out = Buffer.alloc(bytes);
  let state = seed;
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    out.writeUInt8(state >>> 24, at);
  }
  return out;
}

/** A full erase block's records: this many that failed, from a generation on. */
export function failures(count: number, from: number, slot: Slot = "b"): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    record(from + index, slot, { armed: true, attempts: [true], failed: true }),
  );
}
