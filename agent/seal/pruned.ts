/** Pruned segment objects: key frames only, verifiable, made without any key (FORMAT.md, "Pruned segment object"). Pure. */
import { ascii, join } from "../identity/encoding.ts";
import { viewOf } from "./bytes.ts";
import { parseHead, parseObject, type SegmentHeader, type SegmentObject } from "./container.ts";
import { isRefused, type Refused, refuse } from "./refusal.ts";

const MAGIC = 0x4f43_4550; // "OCEP"
const FIXED_BYTES = 8;

/** Which chunks carry key frames with their boxes: what must be there. */
export function keyChunks(header: SegmentHeader): boolean[] {
  const needed = header.chunkBytes.map(() => false);
  for (const [i, start] of header.fragmentChunk.entries())
    needed.fill(true, start, start + (header.fragmentKeyChunks[i] ?? 0));
  return needed;
}

/** True for bytes that begin as a pruned object does. */
export function isPruned(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0) === MAGIC;
}

/**
 * Reduces an object to the chunks that `keep` marks and those that carry key frames. `object` is a whole object; refuses
 * what `parseObject` refuses.
 */
export function prune(object: Uint8Array, keep: readonly boolean[] = []): Uint8Array | Refused {
  const parsed = parseObject(object);
  if (isRefused(parsed)) return parsed;
  const present = keyChunks(parsed.header).map((needed, i) => needed || keep[i] === true);
  const bitmap = new Uint8Array(Math.ceil(present.length / 8));
  for (const [i, there] of present.entries())
    if (there) bitmap[i >> 3] = (bitmap[i >> 3] ?? 0) | (0x80 >> (i & 7));
  const fixed = join(ascii("OCEP"), new Uint8Array([1, 0, 0, 0]));
  viewOf(fixed).setUint16(6, bitmap.length);
  const chunks = parsed.chunks.filter((_, i) => present[i]);
  const kept = chunks.map((chunk) => chunk ?? new Uint8Array(0));
  return join(fixed, bitmap, parsed.signed, parsed.signature, ...kept);
}

/**
 * Parses a pruned object. Refuses what a whole object would be refused for, `bitmap` (length or spare bits),
 * `pruned-too-far` (a chunk with a key frame is missing), `length`.
 */
export function parsePruned(bytes: Uint8Array): SegmentObject | Refused {
  if (bytes.length < FIXED_BYTES) return refuse("too-short");
  const view = viewOf(bytes);
  if (view.getUint32(0) !== MAGIC) return refuse("magic");
  if (view.getUint8(4) !== 1) return refuse("version");
  if (view.getUint8(5) !== 0) return refuse("reserved");
  const bitmapBytes = view.getUint16(6);
  if (bytes.length < FIXED_BYTES + bitmapBytes) return refuse("too-short");
  const bitmap = bytes.subarray(FIXED_BYTES, FIXED_BYTES + bitmapBytes);
  const rest = bytes.subarray(FIXED_BYTES + bitmapBytes);
  const head = parseHead(rest);
  if (isRefused(head)) return head;
  const present = readBitmap(bitmap, head.header.chunkBytes.length);
  if (present === null) return refuse("bitmap");
  if (keyChunks(head.header).some((needed, i) => needed && !present[i]))
    return refuse("pruned-too-far");
  let at = head.chunksAt;
  const chunks = head.header.chunkBytes.map((length, i) => {
    if (!present[i]) return null;
    at += length;
    return rest.subarray(at - length, at);
  });
  return at === rest.length ? { ...head, chunks, pruned: true } : refuse("length");
}

function readBitmap(bitmap: Uint8Array, chunks: number): boolean[] | null {
  if (bitmap.length !== Math.ceil(chunks / 8)) return null;
  const bits = Array.from(
    { length: 8 * bitmap.length },
    (_, i) => ((bitmap[i >> 3] ?? 0) & (0x80 >> (i & 7))) !== 0,
  );
  return bits.slice(chunks).includes(true) ? null : bits.slice(0, chunks);
}

/** Parses an object of either kind. */
export function parseAnyObject(bytes: Uint8Array): SegmentObject | Refused {
  return isPruned(bytes) ? parsePruned(bytes) : parseObject(bytes);
}
