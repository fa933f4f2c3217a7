/**
 * The boxes around the frames: fragmented MP4 as browsers and players accept it. Pure; payload bytes are never here.
 *
 * Sources: ISO/IEC 14496-12:2022 (each box's section stands by its function), 14496-15:2019 5.4.2 (avc1, avcC), and what
 * Media Source Extensions ask beyond it: default-base-is-moof, tfdt in each traf, mvex, empty sample tables, no edit list.
 */
import { join } from "../identity/encoding.ts";
import type { EncoderConfig } from "../runtime/native.d.ts";
import { putU64, viewOf } from "../seal/bytes.ts";
import { avcConfiguration } from "./avc.ts";
import { TIMESCALE } from "./ticks.ts";

/** track_ID of the video. */
export const VIDEO_TRACK = 1;

/** Sample flags (8.8.3.1): a sync sample that depends on nothing; a sample that depends on others. */
const SYNC = 0x0200_0000;
const NOT_SYNC = 0x0101_0000;

const TFHD_DEFAULT_DURATION = 0x08;
const TFHD_DEFAULT_FLAGS = 0x20;
const TFHD_DEFAULT_BASE_IS_MOOF = 0x02_0000;
const TRUN_DATA_OFFSET = 0x01;
const TRUN_FIRST_FLAGS = 0x04;
const TRUN_DURATION = 0x100;
const TRUN_SIZE = 0x200;

/** A box under construction: numbers and bytes in order. */
type Part = Uint8Array | string | readonly number[];

const u16 = (value: number): number[] => [(value >> 8) & 0xff, value & 0xff];
const u32 = (value: number): number[] => [
  (value >>> 24) & 0xff,
  (value >>> 16) & 0xff,
  (value >>> 8) & 0xff,
  value & 0xff,
];
const zeros = (bytes: number): Uint8Array => new Uint8Array(bytes);

/** 4.2: size, four-character type, content. */
function box(type: string, ...parts: readonly Part[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 8);
  const bytes = new Uint8Array(size);
  viewOf(bytes).setUint32(0, size);
  let at = 4;
  for (const part of [type, ...parts]) {
    if (typeof part === "string")
      for (let i = 0; i < part.length; i++) bytes[at + i] = part.charCodeAt(i);
    else bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** 4.2: a box with version and flags. */
function fullBox(type: string, version: number, flags: number, ...parts: readonly Part[]) {
  return box(type, u32(version * 0x100_0000 + flags), ...parts);
}

/** The unity matrix of mvhd and tkhd (8.2.2, 8.3.2). */
const MATRIX = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000].flatMap(u32);

/** ftyp and moov: what a segment starts with. */
export function initBoxes(config: EncoderConfig): Uint8Array {
  // 4.3. iso6 is what default-base-is-moof needs; avc1 says that sample entries follow 14496-15.
  const ftyp = box("ftyp", "iso6", u32(0), "iso6", "mp41", "avc1");
  // 8.2.2. Duration 0: the fragments tell.
  const mvhd = fullBox(
    "mvhd",
    0,
    0,
    zeros(8),
    u32(TIMESCALE),
    u32(0),
    u32(0x1_0000),
    u16(0x0100),
    zeros(10),
    MATRIX,
    zeros(24),
    u32(VIDEO_TRACK + 1),
  );
  // 8.8.3
  const trex = fullBox("trex", 0, 0, u32(VIDEO_TRACK), u32(1), u32(0), u32(0), u32(0));
  const moov = box("moov", mvhd, track(config), box("mvex", trex));
  return join(ftyp, moov);
}

function track(config: EncoderConfig): Uint8Array {
  const { width, height } = config;
  // 8.3.2: enabled, in movie.
  const tkhd = fullBox(
    "tkhd",
    0,
    3,
    zeros(8),
    u32(VIDEO_TRACK),
    zeros(4),
    u32(0),
    zeros(8),
    u16(0),
    u16(0),
    u16(0),
    u16(0),
    MATRIX,
    u16(width),
    u16(0),
    u16(height),
    u16(0),
  );
  // 8.4.2; language "und".
  const mdhd = fullBox("mdhd", 0, 0, zeros(8), u32(TIMESCALE), u32(0), u16(0x55c4), u16(0));
  // 8.4.3
  const hdlr = fullBox("hdlr", 0, 0, u32(0), "vide", zeros(12), "ocellus\0");
  // 12.1.2, 8.7.1, 8.7.2: the media is in this file.
  const vmhd = fullBox("vmhd", 0, 1, zeros(8));
  const dinf = box("dinf", fullBox("dref", 0, 0, u32(1), fullBox("url ", 0, 1)));
  const minf = box("minf", vmhd, dinf, sampleTable(config));
  return box("trak", tkhd, box("mdia", mdhd, hdlr, minf));
}

/** 8.5: empty but for the sample entry, since samples stand in fragments. */
function sampleTable(config: EncoderConfig): Uint8Array {
  // 12.1.3: 72 dpi, one frame a sample, depth 24.
  const avc1 = box(
    "avc1",
    zeros(6),
    u16(1),
    zeros(16),
    u16(config.width),
    u16(config.height),
    u32(0x48_0000),
    u32(0x48_0000),
    zeros(4),
    u16(1),
    zeros(32),
    u16(0x18),
    u16(0xffff),
    box("avcC", avcConfiguration(config)),
  );
  const stsd = fullBox("stsd", 0, 0, u32(1), avc1);
  const stts = fullBox("stts", 0, 0, u32(0));
  const stsc = fullBox("stsc", 0, 0, u32(0));
  const stsz = fullBox("stsz", 0, 0, u32(0), u32(0));
  const stco = fullBox("stco", 0, 0, u32(0));
  return box("stbl", stsd, stts, stsc, stsz, stco);
}

export interface FragmentSamples {
  /** Bytes of each frame, in the order in which they follow. */
  readonly sizes: readonly number[];
  /** Ticks. */
  readonly durations: readonly number[];
  /** Ticks of the boot's media clock, below 2^53. */
  readonly decodeTime: number;
  /** The first frame is a key frame; no other is. */
  readonly key: boolean;
}

/** Sizes of the boxes whose size is fixed: header, version and flags, fields. */
const MFHD_BYTES = 16;
const TFHD_BYTES = 24;
const TFDT_BYTES = 20;
/** mdat's header. */
const MDAT_BYTES = 8;

/**
 * moof, and the header of the mdat whose payload follows. @param number counts the segment's fragments, from 1.
 * Durations stand in tfhd where they are all alike, else in trun.
 */
export function fragmentBoxes(number: number, samples: FragmentSamples): Uint8Array {
  const { sizes, durations, decodeTime, key } = samples;
  const [duration = 0] = durations;
  const varies = durations.some((other) => other !== duration);
  const fields = (varies ? TRUN_DURATION : 0) | TRUN_SIZE | (key ? TRUN_FIRST_FLAGS : 0);
  const trunBytes = 20 + (key ? 4 : 0) + sizes.length * (varies ? 8 : 4);
  const trafBytes = 8 + TFHD_BYTES + TFDT_BYTES + trunBytes;
  const moofBytes = 8 + MFHD_BYTES + trafBytes;
  // Once a second on a slow machine: written in place, where the boxes above are put together from parts.
  const at = new BoxWriter(moofBytes + MDAT_BYTES);
  at.box("moof", moofBytes);
  at.fullBox("mfhd", MFHD_BYTES, 0, 0); // 8.8.5
  at.u32(number);
  at.box("traf", trafBytes);
  at.fullBox(
    "tfhd", // 8.8.7
    TFHD_BYTES,
    0,
    TFHD_DEFAULT_BASE_IS_MOOF | TFHD_DEFAULT_DURATION | TFHD_DEFAULT_FLAGS,
  );
  at.u32(VIDEO_TRACK);
  at.u32(duration);
  at.u32(NOT_SYNC);
  at.fullBox("tfdt", TFDT_BYTES, 1, 0); // 8.8.12
  at.u64(decodeTime);
  at.fullBox("trun", trunBytes, 0, fields | TRUN_DATA_OFFSET); // 8.8.8
  at.u32(sizes.length);
  at.u32(moofBytes + MDAT_BYTES);
  if (key) at.u32(SYNC);
  let payloadBytes = 0;
  for (let i = 0; i < sizes.length; i++) {
    const size = sizes[i] ?? 0;
    if (varies) at.u32(durations[i] ?? duration);
    at.u32(size);
    payloadBytes += size;
  }
  at.box("mdat", MDAT_BYTES + payloadBytes); // 8.1.1
  return at.bytes;
}

/** Fills bytes of a size known beforehand; past their end DataView throws RangeError. */
class BoxWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = viewOf(this.bytes);
  }

  box(type: string, size: number): void {
    this.u32(size);
    for (let i = 0; i < 4; i++) this.#view.setUint8(this.#at++, type.charCodeAt(i));
  }

  fullBox(type: string, size: number, version: number, flags: number): void {
    this.box(type, size);
    this.u32(version * 0x100_0000 + flags);
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  u64(value: number): void {
    putU64(this.#view, this.#at, value);
    this.#at += 8;
  }
}
