/**
 * What MP4 needs to know of H.264 parameter sets: the avcC record (ISO/IEC 14496-15:2019, 5.3.3.1) and the MIME codec
 * string (RFC 6381, 3.4).
 */
import { same } from "../identity/encoding.ts";
import type { EncoderConfig } from "../runtime/native.d.ts";

/** Profiles whose SPS tells chroma format and bit depths (ITU-T H.264, 7.3.2.1.1), and whose avcC must repeat them. */
const HIGH_PROFILES = new Set([44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 144, 244]);

/** Of those, the ones for which 14496-15 defines the fields in avcC. */
const AVCC_EXTENDED = new Set([100, 110, 122, 144]);

/** `avc1.PPCCLL` of bytes 1 to 3 of the SPS. */
export function mimeCodec(sps: Uint8Array): string {
  const digits = [1, 2, 3].map((i) => (sps[i] ?? 0).toString(16).padStart(2, "0"));
  return `avc1.${digits.join("").toUpperCase()}`;
}

/** All parameter sets of a configuration, the first of each kind first. */
export type ParameterSets = Pick<EncoderConfig, "sps" | "moreSps" | "pps" | "morePps">;

/**
 * AVCDecoderConfigurationRecord with 4-byte lengths and all parameter sets. Throws RangeError for more than the record can
 * count: 31 sequence and 255 picture parameter sets; a ring's entry holds 992 bytes of both.
 */
export function avcConfiguration(sets: ParameterSets): Uint8Array {
  const { sps } = sets;
  const [profile = 0, compatibility = 0, level = 0] = sps.subarray(1, 4);
  const [allSps, allPps] = listsOf(sets);
  if (allSps.length > 31 || allPps.length > 255) throw new RangeError("too many parameter sets");
  const bytes = [1, profile, compatibility, level, 0xfc | 3, 0xe0 | allSps.length];
  for (const set of allSps) bytes.push(set.length >> 8, set.length & 0xff, ...set);
  bytes.push(allPps.length);
  for (const set of allPps) bytes.push(set.length >> 8, set.length & 0xff, ...set);
  if (AVCC_EXTENDED.has(profile)) {
    const { chromaFormat, lumaDepth, chromaDepth } = pictureFormat(sps);
    bytes.push(0xfc | chromaFormat, 0xf8 | (lumaDepth - 8), 0xf8 | (chromaDepth - 8), 0);
  }
  return new Uint8Array(bytes);
}

/** Whether two configurations hold the same sets in the same order. */
export function sameSets(a: ParameterSets, b: ParameterSets): boolean {
  const [listsA, listsB] = [listsOf(a), listsOf(b)];
  return listsA.every((list, kind) => sameList(list, listsB[kind] ?? []));
}

function listsOf({
  sps,
  moreSps = [],
  pps,
  morePps = [],
}: ParameterSets): [Uint8Array[], Uint8Array[]] {
  return [
    [sps, ...moreSps],
    [pps, ...morePps],
  ];
}

function sameList(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((set, i) => same(set, b[i] ?? new Uint8Array(0)));
}

export interface PictureFormat {
  /** chroma_format_idc: 1 is 4:2:0. */
  readonly chromaFormat: number;
  /** Bits a sample. */
  readonly lumaDepth: number;
  readonly chromaDepth: number;
}

/** 4:2:0 with 8 bits: what profiles that do not say have, and what a malformed SPS is taken for. */
const PLAIN: PictureFormat = { chromaFormat: 1, lumaDepth: 8, chromaDepth: 8 };

/** Chroma format and bit depths (ITU-T H.264, 7.3.2.1.1 and 7.4.2.1.1). */
export function pictureFormat(sps: Uint8Array): PictureFormat {
  if (!HIGH_PROFILES.has(sps[1] ?? 0)) return PLAIN;
  // No emulation prevention bytes (7.3.1) here: codes of such numbers hold no sixteen zero bits in a row.
  const bits = new Bits(sps.subarray(4));
  bits.golomb(); // seq_parameter_set_id
  const chromaFormat = bits.golomb();
  if (chromaFormat === 3) bits.bit(); // separate_colour_plane_flag
  const lumaDepth = 8 + bits.golomb();
  const chromaDepth = 8 + bits.golomb();
  const valid = chromaFormat <= 3 && lumaDepth <= 14 && chromaDepth <= 14;
  return valid ? { chromaFormat, lumaDepth, chromaDepth } : PLAIN;
}

/** Reads bits; past the end they are zero, and an Exp-Golomb code of more than 32 bits is what no SPS holds. */
class Bits {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  bit(): number {
    const byte = this.#bytes[this.#at >> 3] ?? 0;
    const bit = (byte >> (7 - (this.#at & 7))) & 1;
    this.#at += 1;
    return bit;
  }

  /** ue(v), 9.1. */
  golomb(): number {
    let zeros = 0;
    while (zeros < 32 && this.bit() === 0) zeros += 1;
    let value = 1;
    for (let i = 0; i < zeros; i++) value = value * 2 + this.bit();
    return value - 1;
  }
}
