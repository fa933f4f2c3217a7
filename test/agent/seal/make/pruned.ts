/** Pruned objects, good and bad: pruned.json. */
import { type Bytes, cat, hex, text, u8, u16 } from "../reference.ts";
import { base, good } from "./segments.ts";

const WHOLE = good("", base());
const [C0, C1, C2, C3, C4] = split(WHOLE.object);

/** The chunks of the base segment: their sizes are known. */
function split(object: Bytes): Bytes[] {
  const sizes = base().chunks.map(({ length }) => length + 16);
  let at = object.length - sizes.reduce((sum, size) => sum + size, 0);
  return sizes.map((size) => {
    at += size;
    return object.slice(at - size, at);
  });
}

const chunksBytes = base().chunks.reduce((sum, { length }) => sum + length + 16, 0);
const HEAD = WHOLE.object.slice(0, WHOLE.object.length - chunksBytes);

function pruned(
  bitmap: readonly number[],
  chunks: readonly (Bytes | undefined)[],
  over: {
    magic?: string;
    version?: number;
    zero?: number;
    bitmapBytes?: number;
    head?: Bytes;
  } = {},
): Bytes {
  return cat(
    text(over.magic ?? "OCEP"),
    u8(over.version ?? 1),
    u8(over.zero ?? 0),
    u16(over.bitmapBytes ?? bitmap.length),
    new Uint8Array(bitmap),
    over.head ?? HEAD,
    ...chunks.filter((chunk) => chunk !== undefined),
  );
}

/** Key frames stand in chunks 0, 1 and 3: bits 1101 0. */
const KEYS = 0b1101_0000;

export function prunedFile() {
  const flippedHead = HEAD.slice();
  flippedHead[30] = (flippedHead[30] ?? 0) ^ 1;
  const flippedChunk = C3?.slice() ?? new Uint8Array(0);
  flippedChunk[0] = (flippedChunk[0] ?? 0) ^ 1;
  const goods = [
    { what: "key frames only", object: pruned([KEYS], [C0, C1, C3]), present: [0, 1, 3] },
    {
      what: "one more chunk than needed",
      object: pruned([0b1111_0000], [C0, C1, C2, C3]),
      present: [0, 1, 2, 3],
    },
    {
      what: "nothing was left out",
      object: pruned([0b1111_1000], [C0, C1, C2, C3, C4]),
      present: [0, 1, 2, 3, 4],
    },
  ];
  const bads: { what: string; refused: string; object: Bytes }[] = [
    { what: "7 bytes", refused: "too-short", object: pruned([KEYS], []).slice(0, 7) },
    {
      what: "cut off in the bitmap",
      refused: "too-short",
      object: pruned([], [], { bitmapBytes: 2000 }),
    },
    {
      what: "another magic",
      refused: "magic",
      object: pruned([KEYS], [C0, C1, C3], { magic: "OCEQ" }),
    },
    { what: "version 2", refused: "version", object: pruned([KEYS], [C0, C1, C3], { version: 2 }) },
    {
      what: "the zero byte",
      refused: "reserved",
      object: pruned([KEYS], [C0, C1, C3], { zero: 1 }),
    },
    { what: "a spare bit", refused: "bitmap", object: pruned([KEYS | 0b100], [C0, C1, C3]) },
    {
      what: "a byte of bitmap too many",
      refused: "bitmap",
      object: pruned([KEYS, 0], [C0, C1, C3]),
    },
    { what: "no bitmap", refused: "bitmap", object: pruned([], []) },
    {
      what: "a key frame's chunk is missing",
      refused: "pruned-too-far",
      object: pruned([0b1001_0000], [C0, C3]),
    },
    {
      what: "a chunk that the bitmap names is missing",
      refused: "length",
      object: pruned([KEYS], [C0, C1]),
    },
    {
      what: "a chunk that the bitmap does not name",
      refused: "length",
      object: pruned([KEYS], [C0, C1, C3, C4]),
    },
    {
      what: "a flipped bit in the header",
      refused: "name",
      object: pruned([KEYS], [C0, C1, C3], { head: flippedHead }),
    },
    {
      what: "a flipped bit in a chunk",
      refused: "chunk-hash",
      object: pruned([KEYS], [C0, C1, flippedChunk]),
    },
  ];
  return {
    name: WHOLE.name,
    whole: hex(WHOLE.object),
    good: goods.map(({ object, ...rest }) => ({ ...rest, object: hex(object) })),
    bad: bads.map(({ object, ...rest }) => ({ ...rest, object: hex(object) })),
  };
}
