/** Bundles and uImage headers, good and bad: bundles.json. Images of more than a block are made when the tests run. */

import { uimage } from "../../../../scripts/board/uimage.mjs";
import { type Bytes, cat, fixed, hex, u32 } from "../../seal/reference.ts";
import {
  bundle,
  type Case,
  encode,
  type Fields,
  idOf,
  image,
  k1,
  k2,
  k3,
  manifestFields,
  over,
  prelude,
  rootsShown,
  signed,
} from "./world.ts";

const FLEET = rootsShown(4, 2, [k1, k2, k3], 2);
const SMALL = image(400);
const MANIFEST = encode(manifestFields(SMALL));
const SIGNED = signed(MANIFEST, [k1, k2]);
const WHOLE = bundle(SIGNED, SMALL);

const one = (verdict: string, what: string, bytes: Bytes): Case => ({
  ...{ what, as: "bundle", bytes: hex(bytes), roots: FLEET, verdict },
  ...(verdict === "good" ? { imageId: idOf(MANIFEST) } : {}),
});
/** A bundle whose manifest is signed, says this of the image, and whose image is another. */
const holding = (verdict: string, what: string, bytes: Bytes, ...changes: Fields): Case =>
  one(
    verdict,
    what,
    bundle(signed(encode(over(manifestFields(bytes), ...changes)), [k1, k2]), bytes),
  );
/** Bytes put in the place of those at `at`. */
const put = (bytes: Bytes, at: number, ...values: number[]): Bytes =>
  bytes.map((byte, i) => values[i - at] ?? byte);

/** A header whose checksum is right, whatever it says. */
function header(
  kind: readonly number[],
  load_address: number,
  name: string,
  data: Bytes,
  entry_address = load_address,
): Bytes {
  const made = uimage({ name, load_address, entry_address, data });
  const bytes = new Uint8Array(made);
  if (kind.length > 0) {
    bytes.set(kind, 28);
    bytes.fill(0, 4, 8);
    bytes.set(u32(crcOf(bytes.slice(0, 64))), 4);
  }
  return bytes;
}

/** CRC-32 bit by bit. */
function crcOf(bytes: Bytes): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

function bundleCases(): Case[] {
  const long = prelude(8193, SMALL.length);
  return [
    one("good", "a small image", WHOLE),
    one("bundle-magic", "nothing", new Uint8Array(0)),
    one("bundle-magic", "another magic", put(WHOLE, 3, 0x56)),
    one("bundle-magic", "cut within the prelude", WHOLE.slice(0, 19)),
    one("bundle-version", "version 2", put(WHOLE, 4, 2)),
    one("bundle-version", "a reserved byte that is set", put(WHOLE, 7, 1)),
    one("bundle-length", "cut within the manifest", WHOLE.slice(0, 200)),
    one("bundle-length", "cut by a byte", WHOLE.slice(0, -1)),
    one("bundle-length", "a byte behind the end", cat(WHOLE, Uint8Array.of(0))),
    one("too-long", "a manifest of 8,193 bytes", cat(long, fixed("m", 8193), SMALL)),
    one("bundle-length", "no manifest", cat(prelude(0, SMALL.length), SMALL)),
    one("bundle-length", "an image of 4 GB", cat(prelude(SIGNED.length, 0xffff_ffff), SIGNED)),
    one(
      "bundle-length",
      "an image shorter than the manifest says",
      bundle(SIGNED, SMALL.slice(0, -1)),
    ),
    one("block-hash", "a byte of the image is another", put(WHOLE, WHOLE.length - 1, 0)),
    one("below-threshold", "signed by one of two", bundle(signed(MANIFEST, [k1]), SMALL)),
    holding("board", "for another board", SMALL, [1, "qemu/other"]),
    holding("image-hash", "the whole is not what its blocks are", SMALL, [8, fixed("other", 32)]),
  ];
}

const LOAD = 0x8010_0000;
const DATA = SMALL.slice(64);
const NAME = "ocellus 0.2.0+0123abcd";

function imageCases(): Case[] {
  const noise = fixed("noise", 200).fill(0xe1, 0, 1);
  const unsized = put(DATA, 5, ...Array<number>(8).fill(0));
  const huge = put(DATA, 1, 0, 0, 0, 0xff);
  return [
    holding("image-magic", "no uImage", fixed("garbage", 400)),
    holding("image-magic", "shorter than a header and its stream's", SMALL.slice(0, 76)),
    holding("image-crc", "the header's checksum is wrong", put(SMALL, 7, (SMALL[7] ?? 0) ^ 1)),
    holding("image-kind", "good checksums over garbage", header([], LOAD, NAME, noise)),
    holding("image-kind", "not compressed", header([5, 5, 2, 0], LOAD, NAME, DATA)),
    holding("image-kind", "gzip", header([5, 5, 2, 1], LOAD, NAME, DATA)),
    holding("image-kind", "for ARM", header([5, 2, 2, 3], LOAD, NAME, DATA)),
    holding("image-kind", "no kernel", header([5, 5, 3, 3], LOAD, NAME, DATA)),
    holding("image-kind", "not Linux", header([2, 5, 2, 3], LOAD, NAME, DATA)),
    holding(
      "image-kind",
      "LZMA properties that cannot be",
      header([], LOAD, NAME, put(DATA, 0, 225)),
    ),
    holding("image-kind", "an LZMA stream of no bytes", header([], LOAD, NAME, unsized)),
    holding("image-kind", "an LZMA dictionary of 4 GB", header([], LOAD, NAME, huge)),
    holding("image-length", "something behind its end", cat(SMALL, Uint8Array.of(0xff))),
    holding("image-address", "for another memory", header([], 0x8000_0000, NAME, DATA)),
    holding(
      "image-address",
      "started before its beginning",
      header([], LOAD, NAME, DATA, LOAD - 4),
    ),
    holding("image-build", "of another build", header([], LOAD, "ocellus 0.1.9+0123abcd", DATA)),
  ];
}

/** Every case. */
export function bundleCasesAll(): Case[] {
  return [...bundleCases(), ...imageCases()];
}

/** Three blocks and a bit, whole and with blocks out of their places; too large to be kept. */
export function blockCases(): Case[] {
  const big = image(3 * 65_536 + 100);
  const manifest = signed(encode(manifestFields(big)), [k1, k2]);
  const blocks = [0, 1, 2, 3].map((i) => big.slice(i * 65_536, (i + 1) * 65_536));
  const order = (...at: number[]) => bundle(manifest, cat(...at.map((i) => blocks[i] ?? big)));
  return [
    {
      ...one("good", "four blocks", order(0, 1, 2, 3)),
      imageId: idOf(encode(manifestFields(big))),
    },
    one("block-hash", "two blocks swapped", order(0, 2, 1, 3)),
    one("block-hash", "a block twice", order(0, 1, 1, 3)),
  ];
}
