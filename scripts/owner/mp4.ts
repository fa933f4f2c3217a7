/**
 * Reads the fragmented MP4 inside a segment: ftyp moov (moof mdat)+, one H.264 video track (ISO/IEC 14496-12 and -15).
 *
 * The bytes come out of a signed and opened segment, so what is wrong in them is the camera's defect; all sizes are
 * checked all the same.
 */
import { Problem } from "../build/problem.mjs";

/** One frame. */
export interface Sample {
  /** Where its bytes start in the segment's plaintext. */
  readonly offset: number;
  readonly bytes: number;
  /** Decode time: ticks since the boot's zero. There are no B-frames, so it is the time of presentation too. */
  readonly time: number;
  readonly duration: number;
  readonly key: boolean;
}

/** A segment's video. */
export interface Video {
  /** Ticks a second. */
  readonly timescale: number;
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
  timescale: number;
  sampleEntry: Box;
  avcC: Box;
}

/** Bytes of a VisualSampleEntry before its boxes (ISO/IEC 14496-12 section 12.1.3), header included. */
const VISUAL_ENTRY_BYTES = 86;
const SAMPLE_IS_NON_SYNC = 0x0001_0000;

/** Parses a segment's plaintext. Throws Problem where it is not what cameras write. */
export function parseMp4(plain: Uint8Array): Parsed {
  const file = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const top = boxes(file, 0, plain.length);
  const moov = only(top, "moov");
  const inMoov = boxes(file, moov.body, moov.end);
  const tracks = inMoov.filter((box) => box.type === "trak");
  const track = tracks.map((box) => readTrack(file, box)).find((one) => one !== null);
  if (!track) throw malformed("no H.264 track");
  const defaults = readTrex(file, inMoov, track.id);
  const samples = top
    .filter((box) => box.type === "moof")
    .flatMap((moof) => readFragment(file, moof, top, track.id, defaults));
  if (samples.length === 0) throw malformed("no frame");
  const entry = track.sampleEntry;
  return {
    video: {
      timescale: track.timescale,
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
  return {
    id: file.getUint32(tkhd.body + (file.getUint8(tkhd.body) === 1 ? 20 : 12)),
    timescale: file.getUint32(mdhd.body + (file.getUint8(mdhd.body) === 1 ? 20 : 12)),
    sampleEntry,
    avcC: only(inside, "avcC"),
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

/** The samples of `track` in one moof (sections 8.8.7, 8.8.8, 8.8.12). */
function readFragment(
  file: DataView,
  moof: Box,
  top: readonly Box[],
  track: number,
  trex: Defaults,
): Sample[] {
  const mdat = top[top.indexOf(moof) + 1];
  if (mdat?.type !== "mdat") throw malformed("a moof without its mdat");
  const samples: Sample[] = [];
  for (const traf of boxes(file, moof.body, moof.end)) {
    if (traf.type !== "traf") continue;
    const inTraf = boxes(file, traf.body, traf.end);
    const [id, defaults] = readTfhd(file, only(inTraf, "tfhd"), trex);
    if (id !== track) continue;
    let time = readTfdt(file, only(inTraf, "tfdt"));
    for (const trun of inTraf.filter((box) => box.type === "trun")) {
      for (const sample of readTrun(file, trun, moof.start, time, defaults)) {
        if (sample.offset < mdat.body || sample.offset + sample.bytes > mdat.end) {
          throw malformed("a frame outside its mdat");
        }
        samples.push(sample);
        time = sample.time + sample.duration;
      }
    }
  }
  return samples;
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

function readTrun(
  file: DataView,
  trun: Box,
  moofStart: number,
  firstTime: number,
  defaults: Defaults,
): Sample[] {
  const fields = fieldReader(file, trun);
  const flags = fields.u32() & 0xff_ffff;
  const count = fields.u32();
  if ((flags & 1) === 0) throw malformed("a trun without an offset");
  let offset = moofStart + (fields.u32() | 0);
  const firstFlags = flags & 4 ? fields.u32() : undefined;
  let time = firstTime;
  const samples: Sample[] = [];
  for (let i = 0; i < count; i++) {
    const duration = flags & 0x100 ? fields.u32() : defaults.duration;
    const bytes = flags & 0x200 ? fields.u32() : defaults.bytes;
    const own = flags & 0x400 ? fields.u32() : defaults.flags;
    if (flags & 0x800 && fields.u32() !== 0)
      throw malformed("frames that are not in display order");
    const sampleFlags = i === 0 && firstFlags !== undefined ? firstFlags : own;
    samples.push({ offset, bytes, time, duration, key: (sampleFlags & SAMPLE_IS_NON_SYNC) === 0 });
    offset += bytes;
    time += duration;
  }
  return samples;
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

function malformed(what: string): Problem {
  return new Problem(`the segment's MP4 is malformed (${what}); report this with the segment.`);
}
