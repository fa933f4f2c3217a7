/**
 * Writes the head of a progressive MP4: ftyp and moov before the one mdat (ISO/IEC 14496-12), so that a player can
 * start before it has the whole file.
 */

import { join } from "../../agent/identity/encoding.ts";
import { putU64, viewOf } from "../../agent/seal/bytes.ts";

/** All samples of the one video track, in columns: a day has two million of them. */
export interface SampleTable {
  readonly bytes: readonly number[];
  readonly durations: readonly number[];
  /** Indices of the key frames. */
  readonly keys: readonly number[];
  /** Samples in each chunk, that is, run of samples that lie together. */
  readonly chunkSamples: readonly number[];
}

export interface MovieHead {
  readonly timescale: number;
  readonly width: number;
  readonly height: number;
  /** A whole sample entry box. */
  readonly sampleEntry: Uint8Array;
  /** When the first frame was taken, microseconds since 1970 UTC; 0 if unknown. */
  readonly created_us: number;
}

/** From the epoch of MP4 (1904) to that of Unix, seconds. */
const EPOCH_1904_S = 2_082_844_800;
/** The matrix that changes nothing (section 6.2.2). */
const UNITY = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
const TRACK = 1;

/** ftyp, moov and the header of the mdat that must follow; the chunks come one after the other in it. */
export function movieHead(head: MovieHead, samples: SampleTable): Uint8Array {
  const ftyp = box("ftyp", text("isom"), u32(0x200), text("isomiso2avc1mp41"));
  const payload_bytes = samples.bytes.reduce((sum, bytes) => sum + bytes, 0);
  const mdat = join(u32(1), text("mdat"), u64(payload_bytes + 16));
  // Offsets do not change the size of moov, so the first try tells where the payload starts.
  const size = moov(head, samples, 0).length;
  return join(ftyp, moov(head, samples, ftyp.length + size + mdat.length), mdat);
}

function moov(head: MovieHead, samples: SampleTable, payloadAt: number): Uint8Array {
  const length = samples.durations.reduce((sum, duration) => sum + duration, 0);
  const created = u64(head.created_us === 0 ? 0 : Math.floor(head.created_us / 1e6) + EPOCH_1904_S);
  const mvhd = [created, created, u32(head.timescale), u64(length)];
  const size = [u32(head.width * 0x1_0000), u32(head.height * 0x1_0000)];
  const tkhd = [created, created, u32(TRACK), u32(0), u64(length), u32(0, 0, 0, 0), u32(...UNITY)];
  const mdhd = [created, created, u32(head.timescale), u64(length), u16(0x55c4, 0)];
  const handler = [u32(0), text("vide"), u32(0, 0, 0), text("video\0")];
  return box(
    "moov",
    full(
      "mvhd",
      1,
      0,
      ...mvhd,
      u32(0x1_0000),
      u16(0x100, 0),
      u32(0, 0, ...UNITY, 0, 0, 0, 0, 0, 0),
      u32(TRACK + 1),
    ),
    box(
      "trak",
      full("tkhd", 1, 3, ...tkhd, ...size),
      box(
        "mdia",
        full("mdhd", 1, 0, ...mdhd),
        full("hdlr", 0, 0, ...handler),
        box(
          "minf",
          full("vmhd", 0, 1, u16(0, 0, 0, 0)),
          box("dinf", full("dref", 0, 0, u32(1), full("url ", 0, 1))),
          sampleBoxes(head.sampleEntry, samples, payloadAt),
        ),
      ),
    ),
  );
}

function sampleBoxes(entry: Uint8Array, samples: SampleTable, payloadAt: number): Uint8Array {
  const times = runs(samples.durations);
  const chunks = runs(samples.chunkSamples);
  let firstChunk = 1;
  const toChunk = chunks.flatMap(([count, perChunk]) => {
    firstChunk += count;
    return [firstChunk - count, perChunk, 1];
  });
  return box(
    "stbl",
    full("stsd", 0, 0, u32(1), entry),
    full("stts", 0, 0, u32(times.length), u32s(times.flat())),
    full("stss", 0, 0, u32(samples.keys.length), u32s(samples.keys.map((index) => index + 1))),
    full("stsc", 0, 0, u32(chunks.length), u32s(toChunk)),
    full("stsz", 0, 0, u32(0, samples.bytes.length), u32s(samples.bytes)),
    full("co64", 0, 0, u32(samples.chunkSamples.length), chunkOffsets(samples, payloadAt)),
  );
}

/** Equal neighbours as [count, value], which is how stts and stsc save space. */
function runs(values: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const value of values) {
    const last = found.at(-1);
    if (last?.[1] === value) last[0]++;
    else found.push([1, value]);
  }
  return found;
}

function chunkOffsets(samples: SampleTable, payloadAt: number): Uint8Array {
  const offsets = new Uint8Array(samples.chunkSamples.length * 8);
  const view = viewOf(offsets);
  let at = payloadAt;
  let sample = 0;
  samples.chunkSamples.forEach((count, chunk) => {
    putU64(view, chunk * 8, at);
    for (const end = sample + count; sample < end; sample++) at += samples.bytes[sample] ?? 0;
  });
  return offsets;
}

function box(type: string, ...payload: readonly Uint8Array[]): Uint8Array {
  const body = join(...payload);
  return join(u32(body.length + 8), text(type), body);
}

function full(
  type: string,
  version: number,
  flags: number,
  ...payload: readonly Uint8Array[]
): Uint8Array {
  return box(type, u32(version * 0x100_0000 + flags), ...payload);
}

function text(ascii: string): Uint8Array {
  return new TextEncoder().encode(ascii);
}

function u16(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 2);
  const view = viewOf(bytes);
  values.forEach((value, index) => {
    view.setUint16(index * 2, value);
  });
  return bytes;
}

function u32(...values: readonly number[]): Uint8Array {
  return u32s(values);
}

/** As `u32`, for more values than a call takes arguments. */
function u32s(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = viewOf(bytes);
  values.forEach((value, index) => {
    view.setUint32(index * 4, value);
  });
  return bytes;
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  putU64(viewOf(bytes), 0, value);
  return bytes;
}
