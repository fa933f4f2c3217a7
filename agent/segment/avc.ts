/**
 * What MP4 needs to know of H.264 parameter sets: the avcC record (ISO/IEC 14496-15:2019, 5.3.3.1) and the MIME codec
 * string (RFC 6381, 3.4).
 */
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

/** AVCDecoderConfigurationRecord for one SPS and one PPS and 4-byte lengths. */
export function avcConfiguration(config: Pick<EncoderConfig, "sps" | "pps">): Uint8Array {
  const { sps, pps } = config;
  const [profile = 0, compatibility = 0, level = 0] = sps.subarray(1, 4);
  const bytes = [1, profile, compatibility, level, 0xfc | 3];
  bytes.push(0xe0 | 1, sps.length >> 8, sps.length & 0xff, ...sps);
  bytes.push(1, pps.length >> 8, pps.length & 0xff, ...pps);
  if (AVCC_EXTENDED.has(profile)) {
    const { chromaFormat, lumaDepth, chromaDepth } = pictureFormat(sps);
    bytes.push(0xfc | chromaFormat, 0xf8 | (lumaDepth - 8), 0xf8 | (chromaDepth - 8), 0);
  }
  return new Uint8Array(bytes);
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
