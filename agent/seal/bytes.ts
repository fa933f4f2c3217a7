/** Fixed layouts of the sealed formats: big-endian integers in place. Other byte helpers: ../identity/encoding.ts. */

/** A view for reading and writing fixed layouts in place; shares memory with `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Writes an integer of 0 to 2^53 - 1 as u64; anything else is a defect and throws RangeError. */
export function putU64(view: DataView, offset: number, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError("not a u64 below 2^53");
  view.setUint32(offset, Math.floor(value / 0x1_0000_0000));
  view.setUint32(offset + 4, value % 0x1_0000_0000);
}

/** Reads a u64; `null` from 2^53 on, which no reader here takes. */
export function getU64(view: DataView, offset: number): number | null {
  const high = view.getUint32(offset);
  return high >= 0x20_0000 ? null : high * 0x1_0000_0000 + view.getUint32(offset + 4);
}

/** True where every byte is zero. */
export function allZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}
