/**
 * What the header of a slot's uImage must say, as U-Boot 2025.01 has it (include/image.h, struct legacy_img_hdr), and the
 * header of the LZMA stream behind it (the .lzma format of XZ Utils: properties, dictionary size, uncompressed size).
 *
 * U-Boot judges all of this again when it boots. Here it keeps an image that cannot boot from being signed or installed.
 */
import { viewOf } from "../seal/bytes.ts";
import { crc32 } from "./crc32.ts";
import type { UpdateManifest } from "./manifest.ts";
import { refuseUpdate, type UpdateRefused } from "./refusal.ts";
import { HEADER_BYTES } from "./sizes.ts";

const MAGIC = 0x2705_1956;
const LINUX = 5;
const MIPS = 5;
const KERNEL = 2;
const LZMA = 3;
const NAME_AT = 32;
const LZMA_HEADER_BYTES = 13;
/** (pb × 5 + lp) × 9 + lc, each at its largest: 4, 4, 8. */
const LZMA_PROPERTIES_MAX = 224;
/** U-Boot allocates no dictionary, but one larger than any camera's memory was never meant. */
const LZMA_DICTIONARY_MAX = 0x1000_0000;
/** What xz writes for a size that it does not know yet. */
const UNKNOWN = 0xffff_ffff;

/** A header's words, whatever they are. */
export interface ImageHeader {
  readonly dataBytes: number;
  readonly loadAddress: number;
  readonly entryAddress: number;
  /** CRC-32 of the data behind the header. */
  readonly dataCrc: number;
  /** Up to the first zero byte. */
  readonly name: string;
}

/** How many bytes of an image `checkImageHeader` looks at. */
export const IMAGE_HEAD_BYTES = HEADER_BYTES + LZMA_HEADER_BYTES;

/** Reads a uImage's header. Refuses `image-magic` (also: too short), `image-crc`, `image-kind`. */
export function readImageHeader(head: Uint8Array): ImageHeader | UpdateRefused {
  if (head.length < IMAGE_HEAD_BYTES) return refuseUpdate("image-magic");
  const view = viewOf(head);
  if (view.getUint32(0) !== MAGIC) return refuseUpdate("image-magic");
  const header = head.slice(0, HEADER_BYTES);
  header.fill(0, 4, 8);
  if (crc32(header) !== view.getUint32(4)) return refuseUpdate("image-crc");
  const kind = [LINUX, MIPS, KERNEL, LZMA];
  if (kind.some((value, i) => head[28 + i] !== value) || !startsLzma(head)) {
    return refuseUpdate("image-kind");
  }
  let name = "";
  for (let at = NAME_AT; at < HEADER_BYTES; at++) {
    const byte = head[at] ?? 0;
    if (byte === 0) break;
    name += String.fromCharCode(byte);
  }
  return {
    dataBytes: view.getUint32(12),
    loadAddress: view.getUint32(16),
    entryAddress: view.getUint32(20),
    dataCrc: view.getUint32(24),
    name,
  };
}

function startsLzma(head: Uint8Array): boolean {
  const view = viewOf(head);
  const dictionary = view.getUint32(HEADER_BYTES + 1, true);
  const size = view.getUint32(HEADER_BYTES + 5, true);
  const high = view.getUint32(HEADER_BYTES + 9, true);
  return (
    (head[HEADER_BYTES] ?? UNKNOWN) <= LZMA_PROPERTIES_MAX &&
    dictionary <= LZMA_DICTIONARY_MAX &&
    (high === UNKNOWN ? size === UNKNOWN : high === 0 && size > 0)
  );
}

/**
 * Whether an image begins as one of this board's that the manifest describes. Refuses what `readImageHeader` does,
 * `image-length`, `image-address`, `image-build`.
 * @param head the image's first IMAGE_HEAD_BYTES or more.
 * @param loadAddress where the board's kernel is unpacked to.
 */
export function checkImageHeader(
  head: Uint8Array,
  { image, build }: Pick<UpdateManifest, "image" | "build">,
  loadAddress: number,
): UpdateRefused | null {
  const header = readImageHeader(head);
  if ("refused" in header) return header;
  if (HEADER_BYTES + header.dataBytes !== image.bytes) return refuseUpdate("image-length");
  const isOurs = header.loadAddress === loadAddress && header.entryAddress >= loadAddress;
  if (!isOurs) return refuseUpdate("image-address");
  return header.name === build ? null : refuseUpdate("image-build");
}
