/**
 * Compares what a camera was fed with what its owner got back, frame by frame, on ffmpeg's extraction of both files.
 *
 * A frame is an access unit (ITU-T H.264 7.4.1.2.3): its NAL units in order, without access-unit delimiters and parameter
 * sets, which MP4 does not keep in place; the parameter sets in force at each key frame are compared beside it.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { Problem } from "../build/problem.mjs";

const NAL = { slice: 1, idr: 5, sei: 6, sps: 7, pps: 8, delimiter: 9 } as const;

/** How two files compare. */
export interface Comparison {
  readonly frames_in: number;
  readonly frames_out: number;
  /** Frames that are the same in both, counted from the start of both up to the first difference. */
  readonly frames_identical: number;
  /** Whether all key frames among those have the same parameter sets in force. */
  readonly parameter_sets_equal: boolean;
}

/** Compares an Annex B file with an MP4. Throws Problem where ffmpeg cannot read one of them. */
export async function compareFootage(annexB: string, mp4: string): Promise<Comparison> {
  const fed = await framesOf(annexB, []);
  const got = await framesOf(mp4, ["-bsf:v", "h264_mp4toannexb"]);
  let same = 0;
  while (same < fed.length && same < got.length && fed[same]?.hash === got[same]?.hash) same++;
  const sets = (frames: readonly Frame[]) => frames.slice(0, same).map((frame) => frame.sets);
  return {
    frames_in: fed.length,
    frames_out: got.length,
    frames_identical: same,
    parameter_sets_equal: sets(fed).join() === sets(got).join(),
  };
}

/** Frames of an H.264 file as ffmpeg extracts them. */
export async function countFrames(path: string): Promise<number> {
  return (await framesOf(path, [])).length;
}

/** One access unit. */
export interface Frame {
  /** Hash over its NAL units. */
  readonly hash: string;
  /** Hash over the SPS and PPS in force; of key frames only, else empty. */
  readonly sets: string;
}

async function framesOf(path: string, filter: readonly string[]): Promise<Frame[]> {
  const copy = ["-map", "0:v:0", "-c", "copy", ...filter, "-f", "h264", "-"];
  const ffmpeg = spawn("ffmpeg", ["-v", "error", "-nostdin", "-i", path, ...copy], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  ffmpeg.stderr.on("data", (text: Buffer) => {
    said += text.toString();
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    ffmpeg.once("error", reject);
    ffmpeg.once("close", resolve);
  });
  const splitter = new FrameSplitter();
  const frames: Frame[] = [];
  for await (const units of nalUnits(ffmpeg.stdout)) frames.push(...splitter.add(units));
  frames.push(...splitter.end());
  if ((await ended) !== 0) throw new Problem(`ffmpeg cannot read ${path}: ${said.trim()}`);
  return frames;
}

/** The NAL units of an Annex B byte stream, without start codes and trailing zeros, as they become complete. */
export async function* nalUnits(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[]> {
  let held = Buffer.alloc(0);
  let started = false;
  const cut = (final: boolean): Uint8Array[] => {
    const units: Uint8Array[] = [];
    let from = 0;
    for (;;) {
      const code = held.indexOf(START_CODE, from);
      if (code < 0) break;
      if (started) units.push(withoutTrailingZeros(held.subarray(from, code)));
      started = true;
      from = code + START_CODE.length;
    }
    held = held.subarray(from);
    if (final && started) units.push(withoutTrailingZeros(held));
    return units.filter((unit) => unit.length > 0);
  };
  for await (const chunk of stream) {
    held = Buffer.concat([held, chunk]);
    yield cut(false);
  }
  yield cut(true);
}

const START_CODE = Buffer.from([0, 0, 1]);

function withoutTrailingZeros(unit: Buffer): Uint8Array {
  let end = unit.length;
  while (end > 0 && unit[end - 1] === 0) end--;
  // A copy: the buffer it was cut from is large and would be kept.
  return new Uint8Array(unit.subarray(0, end));
}

/** Groups NAL units into access units. */
export class FrameSplitter {
  readonly #sets = new Map<string, string>();
  #units: Uint8Array[] = [];
  #hasSlice = false;
  #isKey = false;

  /** Takes units; gives the frames that are complete. */
  add(units: readonly Uint8Array[]): Frame[] {
    return units.flatMap((unit) => {
      const type = (unit[0] ?? 0) & 31;
      const done = this.#hasSlice && startsFrame(type, unit) ? [this.#close()] : [];
      if (type === NAL.sps || type === NAL.pps) {
        this.#sets.set(setName(type, unit), sha256([unit]));
        return done;
      }
      if (type === NAL.delimiter) return done;
      this.#units.push(unit);
      if (isSlice(type)) this.#hasSlice = true;
      if (type === NAL.idr) this.#isKey = true;
      return done;
    });
  }

  /** The last frame. */
  end(): Frame[] {
    return this.#hasSlice ? [this.#close()] : [];
  }

  #close(): Frame {
    const sets = [...this.#sets.entries()].map(([name, hash]) => `${name} ${hash}`).sort();
    const frame = { hash: sha256(this.#units), sets: this.#isKey ? sets.join("\n") : "" };
    this.#units = [];
    this.#hasSlice = false;
    this.#isKey = false;
    return frame;
  }
}

function isSlice(type: number): boolean {
  return type >= NAL.slice && type <= NAL.idr;
}

/** Whether a unit after a frame's slices belongs to the next frame (7.4.1.2.3; first_mb_in_slice 0 is one set bit). */
function startsFrame(type: number, unit: Uint8Array): boolean {
  if (isSlice(type)) return ((unit[1] ?? 0) & 0x80) !== 0;
  return (type >= NAL.sei && type <= NAL.delimiter) || (type >= 14 && type <= 18);
}

/** Which set a unit replaces: its kind and id (a small ue(v), whose first bits tell it from other ids). */
function setName(type: number, unit: Uint8Array): string {
  if (type === NAL.sps) return `sps ${expGolomb(unit, 4)}`;
  return `pps ${expGolomb(unit, 1)}`;
}

/** The ue(v) (9.1) that starts at a byte; ids are small, so emulation prevention does not reach into it. */
function expGolomb(unit: Uint8Array, at: number): number {
  let bits = 0;
  for (let i = 0; i < 4; i++) bits = bits * 256 + (unit[at + i] ?? 0);
  const zeros = Math.clz32(bits);
  return zeros > 15 ? -1 : ((bits << zeros) >>> (31 - zeros)) - 1;
}

/** Over units with their lengths, so that no two sequences of units have the same bytes. */
function sha256(units: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const unit of units) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(unit.length);
    hash.update(length).update(unit);
  }
  return hash.digest("hex");
}
