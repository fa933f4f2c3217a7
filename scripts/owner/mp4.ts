/**
 * Reads the fragmented MP4 inside a segment: ftyp moov (moof mdat)+, one H.264 video track (ISO/IEC 14496-12 and -15).
 *
 * The bytes come out of a signed and opened segment, so what is wrong in them is the camera's defect, or the work of
 * whoever has its key. Nothing in them is believed: every size is checked, every frame has bytes of its own, and time and
 * memory that reading takes are bounded by the plaintext's length (agent/seal/FORMAT.md, "Chunks").
 */
import { TIMESCALE } from "../../agent/segment/ticks.ts";
import { Problem } from "../build/problem.mjs";

/** What is in a segment cannot be joined to a file. The message is a clause that says why, without a full stop. */
export class Unjoinable extends Problem {
  override readonly name = "Unjoinable";
}

/** One frame. */
export interface Sample {
  /** Where its bytes start in the segment's plaintext. */
  readonly offset: number;
  /** 1 or more. */
  readonly bytes: number;
  /** Decode time: ticks (90 kHz) since the boot's zero. There are no B-frames, so it is the time of presentation too. */
  readonly time: number;
  readonly duration: number;
  readonly key: boolean;
}

/** A segment's video. Its times are ticks of 90 kHz. */
export interface Video {
  readonly width: number;
  readonly height: number;
  /** The whole sample entry box (`avc1`), as it stands in the segment. */
  readonly sampleEntry: Uint8Array;
  /** AVCDecoderConfigurationRecord: the payload of `avcC`. */
  readonly avcC: Uint8Array;
  /** In decoding order. */
  readonly samples: readonly Sample[];
}

/** Tracks that are left out (a later version of the product records sound). */
export interface Parsed {
  readonly video: Video;
  readonly otherTracks: number;
}

interface Box {
  readonly type: string;
  /** Where the box starts, its payload starts, and it ends, in the segment's plaintext. */
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

interface Track {
  id: number;
  sampleEntry: Box;
  avcC: Box;
}

/** Bytes of a VisualSampleEntry before its boxes (ISO/IEC 14496-12 section 12.1.3), header included. */
const VISUAL_ENTRY_BYTES = 86;
const SAMPLE_IS_NON_SYNC = 0x0001_0000;
/** Frames of a segment: more than the 400 fragments of 512 that a camera writes at most. */
const FRAMES_MAX = 2 ** 18;
/** What a camera has parameter sets from, a ring's entry, holds 1,024 bytes. They are copied before each key frame. */
const AVCC_BYTES_MAX = 1_024;
/** No camera lets a frame stand for more than a minute. */
const DURATION_MAX = 60 * TIMESCALE;

/** Parses a segment's plaintext. Throws Unjoinable where it is not what cameras write. */
export function parseMp4(plain: Uint8Array): Parsed {
  const file = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const top = boxes(file, 0, plain.length);
  const moov = only(top, "moov");
  const inMoov = boxes(file, moov.body, moov.end);
  const tracks = inMoov.filter((box) => box.type === "trak");
  const track = tracks.map((box) => readTrack(file, box)).find((one) => one !== null);
  if (!track) throw malformed("no H.264 track");
  const defaults = readTrex(file, inMoov, track.id);
  const samples: Sample[] = [];
  for (const [i, moof] of top.entries()) {
    if (moof.type === "moof") readFragment(file, moof, top[i + 1], track.id, defaults, samples);
  }
  if (samples.length === 0) throw malformed("no frame");
  const entry = track.sampleEntry;
  return {
    video: {
      width: file.getUint16(entry.start + 32),
      height: file.getUint16(entry.start + 34),
      sampleEntry: plain.slice(entry.start, entry.end),
      avcC: plain.slice(track.avcC.body, track.avcC.end),
      samples,
    },
    otherTracks: tracks.length - 1,
  };
}

/** The boxes that fill `from` to `to`, which must do so exactly. */
function boxes(file: DataView, from: number, to: number): Box[] {
  const found: Box[] = [];
  let at = from;
  while (at < to) {
    if (to - at < 8) throw malformed("a cut box");
    const size32 = file.getUint32(at);
    const type = String.fromCharCode(...[4, 5, 6, 7].map((i) => file.getUint8(at + i)));
    const large = size32 === 1;
    if (large && to - at < 16) throw malformed("a cut box");
    const size = large ? Number(file.getBigUint64(at + 8)) : size32;
    const body = at + (large ? 16 : 8);
    if (size < body - at || size > to - at) throw malformed(`a box ${type} of wrong size`);
    found.push({ type, start: at, body, end: at + size });
    at += size;
  }
  return found;
}

function readTrack(file: DataView, trak: Box): Track | null {
  const inTrak = boxes(file, trak.body, trak.end);
  const tkhd = only(inTrak, "tkhd");
  const mdia = only(inTrak, "mdia");
  const inMdia = boxes(file, mdia.body, mdia.end);
  const mdhd = only(inMdia, "mdhd");
  const minf = only(inMdia, "minf");
  const stbl = only(boxes(file, minf.body, minf.end), "stbl");
  const stsd = only(boxes(file, stbl.body, stbl.end), "stsd");
  need(stsd, 8);
  const entries = boxes(file, stsd.body + 8, stsd.end);
  const [sampleEntry] = entries;
  if (sampleEntry?.type !== "avc1" || entries.length !== 1) return null;
  need(sampleEntry, VISUAL_ENTRY_BYTES - 8);
  const inside = boxes(file, sampleEntry.start + VISUAL_ENTRY_BYTES, sampleEntry.end);
  need(tkhd, 24);
  need(mdhd, 24);
  const timescale = file.getUint32(mdhd.body + (file.getUint8(mdhd.body) === 1 ? 20 : 12));
  if (timescale !== TIMESCALE) throw malformed(`${timescale} ticks a second`);
  const avcC = only(inside, "avcC");
  if (avcC.end - avcC.body > AVCC_BYTES_MAX) throw malformed("too large an avcC");
  return {
    id: file.getUint32(tkhd.body + (file.getUint8(tkhd.body) === 1 ? 20 : 12)),
    sampleEntry,
    avcC,
  };
}

interface Defaults {
  readonly duration: number;
  readonly bytes: number;
  readonly flags: number;
}

function readTrex(file: DataView, inMoov: readonly Box[], track: number): Defaults {
  const mvex = only(inMoov, "mvex");
  for (const trex of boxes(file, mvex.body, mvex.end)) {
    if (trex.type !== "trex") continue;
    need(trex, 24);
    if (file.getUint32(trex.body + 4) !== track) continue;
    return {
      duration: file.getUint32(trex.body + 12),
      bytes: file.getUint32(trex.body + 16),
      flags: file.getUint32(trex.body + 20),
    };
  }
  throw malformed("no trex");
}

/** Adds the samples of `track` in one moof (sections 8.8.7, 8.8.8, 8.8.12). @param mdat the box behind it. */
function readFragment(
  file: DataView,
  moof: Box,
  mdat: Box | undefined,
  track: number,
  trex: Defaults,
  samples: Sample[],
): void {
  if (mdat?.type !== "mdat") throw malformed("a moof without its mdat");
  // Bytes that two frames shared would make a file as much larger than the segment as its writer likes.
  let free = mdat.body;
  for (const traf of boxes(file, moof.body, moof.end)) {
    if (traf.type !== "traf") continue;
    const inTraf = boxes(file, traf.body, traf.end);
    const [id, defaults] = readTfhd(file, only(inTraf, "tfhd"), trex);
    if (id !== track) continue;
    let time = readTfdt(file, only(inTraf, "tfdt"));
    const last = samples.at(-1);
    if (last && time < last.time + last.duration) throw malformed("fragments that go back in time");
    for (const trun of inTraf) {
      if (trun.type !== "trun") continue;
      for (const sample of readTrun(file, trun, moof.start, time, defaults)) {
        const { offset, bytes, duration } = sample;
        if (bytes === 0) throw malformed("a frame without bytes");
        if (offset < free || offset + bytes > mdat.end) {
          throw malformed("a frame outside its mdat, or two in one place");
        }
        if (duration > DURATION_MAX) throw malformed("a frame of more than a minute");
        free = offset + bytes;
        time = sample.time + duration;
        if (!Number.isSafeInteger(time)) throw malformed("a time beyond 2^53");
        if (samples.push(sample) > FRAMES_MAX) throw malformed(`more than ${FRAMES_MAX} frames`);
      }
    }
  }
}

function readTfhd(file: DataView, tfhd: Box, trex: Defaults): [number, Defaults] {
  const fields = fieldReader(file, tfhd);
  const flags = fields.u32() & 0xff_ffff;
  // Offsets count from the moof (default-base-is-moof); an explicit base is of older files.
  if ((flags & 0x02_0000) === 0 || (flags & 1) !== 0) throw malformed("offsets not from the moof");
  const id = fields.u32();
  if (flags & 2) fields.u32();
  return [
    id,
    {
      duration: flags & 8 ? fields.u32() : trex.duration,
      bytes: flags & 0x10 ? fields.u32() : trex.bytes,
      flags: flags & 0x20 ? fields.u32() : trex.flags,
    },
  ];
}

function readTfdt(file: DataView, tfdt: Box): number {
  const fields = fieldReader(file, tfdt);
  return fields.u32() >>> 24 === 1 ? fields.u32() * 2 ** 32 + fields.u32() : fields.u32();
}

/** Samples one by one, as they stand: their count is any number, so the caller ends it where one is wrong. */
function* readTrun(
  file: DataView,
  trun: Box,
  moofStart: number,
  firstTime: number,
  defaults: Defaults,
): Generator<Sample> {
  const fields = fieldReader(file, trun);
  const flags = fields.u32() & 0xff_ffff;
  const count = fields.u32();
  if ((flags & 1) === 0) throw malformed("a trun without an offset");
  let offset = moofStart + (fields.u32() | 0);
  const firstFlags = flags & 4 ? fields.u32() : undefined;
  let time = firstTime;
  for (let i = 0; i < count; i++) {
    const duration = flags & 0x100 ? fields.u32() : defaults.duration;
    const bytes = flags & 0x200 ? fields.u32() : defaults.bytes;
    const own = flags & 0x400 ? fields.u32() : defaults.flags;
    if (flags & 0x800 && fields.u32() !== 0)
      throw malformed("frames that are not in display order");
    const sampleFlags = i === 0 && firstFlags !== undefined ? firstFlags : own;
    yield { offset, bytes, time, duration, key: (sampleFlags & SAMPLE_IS_NON_SYNC) === 0 };
    offset += bytes;
    time += duration;
  }
}

/** Reads 32-bit fields one after the other, never past the box. */
function fieldReader(file: DataView, box: Box) {
  let at = box.body;
  return {
    u32(): number {
      if (at + 4 > box.end) throw malformed(`a cut ${box.type}`);
      at += 4;
      return file.getUint32(at - 4);
    },
  };
}

function need(box: Box, payload_bytes: number): void {
  if (box.end - box.body < payload_bytes) throw malformed(`a cut ${box.type}`);
}

function only(found: readonly Box[], type: string): Box {
  const box = found.find((one) => one.type === type);
  if (!box) throw malformed(`no ${type}`);
  return box;
}

function malformed(what: string): Unjoinable {
  return new Unjoinable(`its MP4 is malformed: ${what}`);
}
