/**
 * A flash whose power went: after each operation of a log, and inside it. A program clears bits word by word, not all of a word
 * at once; an erase clears all bits first and then sets them, in no order that counts.
 */
import { apply, type FlashOperation } from "./flash-log.ts";

/** How far the operation after the last whole one came. */
export type Tear =
  | "none"
  /** Programs: some whole words; all but the last byte; some whole words and some bits of the next; any of the bits. */
  | "words"
  | "but-last-byte"
  | "torn-word"
  | "bits"
  /** Erases: all bits cleared; cleared from the block's begin; set from its begin; any of the bits set. */
  | "cleared"
  | "half-cleared"
  | "half-set"
  | "mixed";

const PROGRAM_TEARS: readonly Tear[] = ["words", "but-last-byte", "torn-word", "bits"];
const ERASE_TEARS: readonly Tear[] = ["cleared", "half-cleared", "half-set", "mixed"];

/** A cut: `operations` are whole, and the one after them came so far. */
export interface Cut {
  readonly operations: number;
  readonly tear: Tear;
}

/** What stands in a part of the flash. */
export interface Patch {
  readonly at: number;
  readonly data: Uint8Array;
}

const WORD_BYTES = 4;

/** Random numbers from 0 to below 2^32 that are the same for the same seed (Mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** The ways in which an operation can be torn. */
export function tearsOf(operation: FlashOperation): readonly Tear[] {
  return operation.is === "erase" ? ERASE_TEARS : PROGRAM_TEARS;
}

/** What a torn operation leaves where it was at work. @param image as it was before it */
export function torn(
  operation: FlashOperation,
  tear: Tear,
  image: Uint8Array,
  random: () => number,
): Patch {
  const { at } = operation;
  const data =
    operation.is === "erase"
      ? tornErase(image.subarray(at, at + operation.bytes), tear, random)
      : tornProgram(operation, tear, random);
  return { at, data };
}

function tornProgram(
  { old, data }: Extract<FlashOperation, { is: "program" }>,
  tear: Tear,
  random: () => number,
): Buffer {
  const after = Buffer.from(old);
  const anyBits = (index: number) =>
    after.writeUInt8((old[index] ?? 0) & ((data[index] ?? 0) | (random() & 0xff)), index);
  const words = Math.ceil(data.length / WORD_BYTES);
  const whole = (random() % words) * WORD_BYTES;
  switch (tear) {
    case "words":
      after.set(data.subarray(0, whole));
      break;
    case "but-last-byte":
      after.set(data.subarray(0, -1));
      break;
    case "torn-word":
      after.set(data.subarray(0, whole));
      for (let i = whole; i < Math.min(whole + WORD_BYTES, data.length); i++) anyBits(i);
      break;
    case "bits":
      for (let i = 0; i < data.length; i++) anyBits(i);
      break;
    default:
      throw new Error(`a program is not ${tear}`);
  }
  return after;
}

function tornErase(old: Uint8Array, tear: Tear, random: () => number): Buffer {
  const after = Buffer.from(old);
  const some = 1 + (random() % (old.length - 1));
  switch (tear) {
    case "cleared":
      return after.fill(0);
    case "half-cleared":
      return after.fill(0, 0, some);
    case "half-set":
      return after.fill(0).fill(0xff, 0, some);
    case "mixed":
      for (let i = 0; i < after.length; i++) after.writeUInt8(random() & 0xff, i);
      return after;
    default:
      throw new Error(`an erase is not ${tear}`);
  }
}

/** An image: patches of the newest that is `kept`, the first of erased flash. */
export interface ImageStep {
  readonly kept: boolean;
  readonly patches: readonly Patch[];
}

/**
 * The image of each cut.
 * @param before as it was before the first operation
 * @param cuts in the order in which operations come
 */
export function* imagesOf(
  before: Uint8Array,
  operations: readonly FlashOperation[],
  cuts: readonly Cut[],
  random: () => number,
): Generator<ImageStep> {
  const now = Buffer.from(before);
  let done = 0;
  let pending: Patch[] = [{ at: 0, data: before }];
  for (const cut of cuts) {
    for (; done < cut.operations; done++) {
      const operation = operations[done];
      if (operation === undefined) throw new Error("a cut after the last operation");
      apply(now, operation);
      const { at } = operation;
      const bytes = operation.is === "erase" ? operation.bytes : operation.data.length;
      pending.push({ at, data: Buffer.from(now.subarray(at, at + bytes)) });
    }
    const next = operations[done];
    const isWhole = cut.tear === "none" || next === undefined;
    yield {
      kept: isWhole,
      patches: isWhole ? pending : [...pending, torn(next, cut.tear, now, random)],
    };
    if (isWhole) pending = [];
  }
}

/** The part as a cut leaves it. */
export function imageAt(
  before: Uint8Array,
  operations: readonly FlashOperation[],
  cut: Cut,
  random: () => number,
): Buffer {
  const image = Buffer.alloc(before.length, 0xff);
  for (const { patches } of imagesOf(before, operations, [cut], random))
    for (const { at, data } of patches) image.set(data, at);
  return image;
}
