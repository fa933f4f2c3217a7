/**
 * Makes a file what a camera could have produced, so that the canned encoder can play it: H.264
 * without B-frames, progressive, 8-bit 4:2:0, at a constant frame rate, as a byte stream (Annex B).
 * What is that already passes untouched; what only stands in a container is taken out of it, bit for
 * bit; anything else is transcoded here, on the developer's machine, and the answer says why.
 */
import { access, constants, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ensure } from "../build/ensure.mjs";
import { errorCode, Problem } from "../build/problem.mjs";
import { capture } from "../build/process.mjs";
import { type Progress, runFfmpeg } from "./ffmpeg.ts";
import { constantRate, type Footage, probe, type Rate } from "./probe.ts";

/** Clips that can be played. */
export interface Prepared {
  readonly ok: true;
  /** The clip: the very file given, or one in the output directory. */
  readonly path: string;
  /** Whether the picture was encoded anew. Taking it out of a container does not count. */
  readonly transcoded: boolean;
  /** Why it was: the end of a sentence that begins with the file, such as "is mpeg4, not H.264". */
  readonly reason?: string;
  /** Pixels, of the first frame. */
  readonly width: number;
  readonly height: number;
  /** Frames a second, at the start of the clip. */
  readonly fps: number;
  readonly frames: number;
  /** Arguments that have ocellus-canned play it at the right rate. */
  readonly cannedArgs: readonly string[];
}

/** Files that cannot be used. */
export interface Unprepared {
  readonly ok: false;
  readonly code: "missing" | "not-video" | "no-tool" | "failed";
  /** One sentence for people, with what to do. */
  readonly text: string;
}

export interface PrepareOptions {
  /** Called while something long runs. */
  readonly onProgress?: Progress;
}

/** Fastest rate a transcoded clip has, frames a second; more is halved until it fits. */
const FASTEST = 60;
/** Used where a file states no rate. */
const RATE_UNSTATED: Rate = { numerator: 25, denominator: 1 };
/** Seconds between key frames of a transcoded clip, as cameras have it. */
const KEY_FRAME_SECONDS = 2;
/** Bounds the largest frame of a transcoded clip, and so the ring it needs. bit/s. */
const BIT_RATE_MOST = 8_000_000;

/**
 * Prepares a clip. Nothing is written unless something has to be; the output directory is made then.
 * @param file any file that ffmpeg reads
 * @param outDir where `clip.h264` goes
 */
export async function prepareClip(
  file: string,
  outDir: string,
  options: PrepareOptions = {},
): Promise<Prepared | Unprepared> {
  if (!(await isReadable(file))) return { ok: false, code: "missing", text: noFootage(file) };
  try {
    const footage = await probe(file);
    if (footage === undefined) {
      return { ok: false, code: "not-video", text: `${file} is no video that ffmpeg can read.` };
    }
    return await prepare(file, footage, outDir, options.onProgress);
  } catch (error) {
    if (error instanceof Problem) return { ok: false, code: "no-tool", text: error.message };
    throw error;
  }
}

/** Whether there is a file that this process may read. */
export async function isReadable(file: string): Promise<boolean> {
  return access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/** The sentence where there is none. */
export function noFootage(file: string): string {
  return `There is no readable file ${file}.`;
}

async function prepare(
  file: string,
  footage: Footage,
  outDir: string,
  onProgress: Progress | undefined,
): Promise<Prepared | Unprepared> {
  let reason = reasonToTranscode(footage);
  let rate: Rate | undefined;
  if (reason === undefined && !footage.byteStream) {
    rate = await constantRate(file, footage.rates);
    if (rate === undefined) reason = "has a variable frame rate";
  }
  if (reason === undefined) {
    const path = footage.byteStream ? file : join(outDir, "clip.h264");
    if (!footage.byteStream) {
      const args = ["-map", "0:V:0", "-c", "copy", "-bsf:v", "h264_mp4toannexb"];
      const trouble = await write(file, args, path, footage, onProgress);
      if (trouble !== undefined) return failed(file, trouble);
    }
    const found = await check(path);
    if ("refusal" in found) reason = found.refusal;
    else if (found.skipped > 0) reason = "does not start with a key frame";
    else return prepared(path, found, rate, undefined);
  }
  const path = join(outDir, "clip.h264");
  const trouble = await write(file, transcodeArgs(footage), path, footage, onProgress);
  if (trouble !== undefined) return failed(file, trouble);
  const found = await check(path);
  if ("refusal" in found) return failed(file, `what ffmpeg made of it ${found.refusal}`);
  return prepared(path, found, undefined, reason);
}

/** @returns what of the stream as a whole no camera could have produced */
function reasonToTranscode(footage: Footage): string | undefined {
  if (footage.codec !== "h264") return `is ${footage.codec}, not H.264`;
  if (footage.pixelFormat !== "yuv420p" && footage.pixelFormat !== "yuvj420p") {
    return `has ${footage.pixelFormat} pictures, not 8-bit 4:2:0`;
  }
  if (footage.interlaced) return "is interlaced";
  if (footage.rotation !== 0) return "is to be turned by the player";
  return undefined;
}

/** What `ocellus-canned --check` prints. */
interface Found {
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly skipped: number;
  readonly configs: number;
  readonly rate: readonly [number, number];
  readonly statesRate: boolean;
}

/** Lets the program that will play the clip judge it. A refusal is the end of a sentence. */
async function check(path: string): Promise<Found | { readonly refusal: string }> {
  const canned = join(await ensure("native-host"), "bin", "ocellus-canned");
  const run = await capture(canned, ["--check", "--clip", path]);
  if (run.code === 0) {
    const found: Found = JSON.parse(run.stdout);
    return found;
  }
  const said = run.stderr.trim().split(`${path}: `).at(-1) ?? "";
  return { refusal: `cannot be played as it is: ${said}` };
}

function prepared(
  path: string,
  found: Found,
  rate: Rate | undefined,
  reason: string | undefined,
): Prepared {
  const [numerator, denominator] = found.rate;
  let fps = numerator / denominator;
  const cannedArgs = ["--clip", path];
  // The container knows better, except where the rate changes with the parameter sets.
  if (rate !== undefined && found.configs === 1) {
    const stated = rate.numerator / rate.denominator;
    if (!found.statesRate || Math.abs(stated - fps) > fps * 1e-4) {
      fps = stated;
      cannedArgs.push("--fps", `${rate.numerator}/${rate.denominator}`);
    }
  }
  const { width, height, frames } = found;
  const clip = { ok: true, path, width, height, fps, frames, cannedArgs } as const;
  return reason === undefined
    ? { ...clip, transcoded: false }
    : { ...clip, transcoded: true, reason };
}

function failed(file: string, trouble: string): Unprepared {
  return { ok: false, code: "failed", text: `${file} cannot be prepared: ${trouble}.` };
}

function transcodeArgs(footage: Footage): string[] {
  let { numerator, denominator } = footage.rates[0] ?? RATE_UNSTATED;
  while (numerator / denominator > FASTEST) denominator *= 2;
  const interval = Math.max(1, Math.round((KEY_FRAME_SECONDS * numerator) / denominator));
  const filters = footage.interlaced ? ["yadif"] : [];
  filters.push("scale=trunc(iw/2)*2:trunc(ih/2)*2", "setsar=1", "format=yuv420p");
  return [
    ...["-map", "0:V:0", "-vf", filters.join(","), "-fps_mode", "cfr"],
    ...["-r", `${numerator}/${denominator}`, "-c:v", "libx264", "-preset", "veryfast"],
    ...["-crf", "23", "-maxrate", `${BIT_RATE_MOST}`, "-bufsize", `${BIT_RATE_MOST}`],
    ...["-bf", "0", "-g", `${interval}`, "-keyint_min", `${interval}`, "-sc_threshold", "0"],
    ...["-x264-params", "aud=1:repeat-headers=1"],
  ];
}

/** Has ffmpeg write an H.264 byte stream; it stands at `path` only when it is whole. */
async function write(
  file: string,
  args: readonly string[],
  path: string,
  footage: Footage,
  onProgress: Progress | undefined,
): Promise<string | undefined> {
  const partial = `${path}.partial`;
  try {
    await mkdir(join(path, ".."), { recursive: true });
    const input = ["-i", `file:${file}`, ...args, "-an", "-f", "h264", `file:${partial}`];
    const trouble = await runFfmpeg(input, footage.seconds, onProgress);
    if (trouble === undefined) await rename(partial, path);
    return trouble;
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    return `${path} cannot be written (${code})`;
  } finally {
    await rm(partial, { force: true }).catch(() => undefined);
  }
}
