/**
 * What QEMU's CFI flash was told to do, in order: read from the log of its block filter `blklogwrites` (dm-log-writes' format,
 * Linux's Documentation/admin-guide/device-mapper/log-writes.rst). The flash writes what a buffer of it holds once it is
 * programmed, whole, and a block once it is erased, before the processor goes on.
 */

/** What was done to a part of the flash; `at` counts from where that begins. */
export type FlashOperation =
  /** A whole block. */
  | { readonly is: "erase"; readonly at: number; readonly bytes: number }
  /** From the first byte that changed to the last. `old` is what stood there. */
  | {
      readonly is: "program";
      readonly at: number;
      readonly old: Uint8Array;
      readonly data: Uint8Array;
    };

export interface FlashLog {
  /** Of the part, all of it. */
  readonly operations: readonly FlashOperation[];
  /** The part as the operations left it. */
  readonly image: Buffer;
}

/** A part of the flash, in bytes of it. */
export interface Part {
  readonly start: number;
  readonly end: number;
  readonly erase_bytes: number;
}

const SUPERBLOCK = { magic: 0x6a736677736872n, version: 1n };
const ENTRY_BYTES = 32;
/** A request that carries no data for us: a flush (1), a discard (4), a mark (8). */
const DATA_FLAGS = 2n;

/**
 * @param log may end in the middle of an entry while QEMU runs: what is whole is read
 * @param before the flash as it was when the log began
 * Throws where a program would have set a bit, which a NOR flash cannot.
 */
export function readFlashLog(log: Buffer, before: Uint8Array, part: Part): FlashLog {
  const sector_bytes = sectorBytes(log);
  const image = Buffer.from(before.subarray(part.start, part.end));
  const operations: FlashOperation[] = [];
  for (let at = sector_bytes; at + ENTRY_BYTES <= log.length; ) {
    const [sector, count, flags] = [0, 8, 16].map((field) => log.readBigUInt64LE(at + field));
    if (sector === undefined || count === undefined || flags === undefined) break;
    const bytes = Number(count) * sector_bytes;
    const data = log.subarray(at + sector_bytes, at + sector_bytes + bytes);
    at += sector_bytes + bytes;
    if (data.length < bytes) break;
    if (bytes === 0 || (flags & ~DATA_FLAGS) !== 0n) continue;
    const start = Number(sector) * sector_bytes - part.start;
    if (start + bytes <= 0 || start >= image.length) continue;
    if (start < 0 || start + bytes > image.length) throw new Error("a write across the part's end");
    const operation = operationOf(image, start, data, part.erase_bytes);
    if (operation === null) continue;
    operations.push(operation);
    apply(image, operation);
  }
  return { operations, image };
}

/** Does it, whole. */
export function apply(image: Buffer, operation: FlashOperation): void {
  if (operation.is === "erase") image.fill(0xff, operation.at, operation.at + operation.bytes);
  else image.set(operation.data, operation.at);
}

function sectorBytes(log: Buffer): number {
  if (log.readBigUInt64LE(0) !== SUPERBLOCK.magic || log.readBigUInt64LE(8) !== SUPERBLOCK.version)
    throw new Error("no log of blklogwrites");
  return log.readUInt32LE(24);
}

/** Null where nothing changed by a program. */
function operationOf(
  image: Buffer,
  start: number,
  written: Buffer,
  erase_bytes: number,
): FlashOperation | null {
  if (written.length === erase_bytes && written.every((byte) => byte === 0xff))
    return { is: "erase", at: start, bytes: erase_bytes };
  const before = image.subarray(start, start + written.length);
  const differs = (index: number) => before[index] !== written[index];
  const first = written.findIndex((_, index) => differs(index));
  if (first < 0) return null;
  let last = written.length - 1;
  while (!differs(last)) last--;
  const old = Buffer.from(before.subarray(first, last + 1));
  const data = Buffer.from(written.subarray(first, last + 1));
  if (data.some((byte, index) => (byte & ~(old[index] ?? 0)) !== 0))
    throw new Error(`a program at ${start + first} sets bits, which only an erase can`);
  return { is: "program", at: start + first, old, data };
}
