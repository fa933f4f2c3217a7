/** What a video file is, as far as it decides whether a camera could have produced it. */
import { capture } from "../build/process.mjs";

/** A frame rate as ffprobe writes it, exactly. */
export interface Rate {
  readonly numerator: number;
  readonly denominator: number;
}

/** Facts of a file's first video stream. */
export interface Footage {
  /** ffprobe's name: "h264", "mpeg4", … */
  readonly codec: string;
  /** An H.264 byte stream (Annex B) without a container, and so without timestamps. */
  readonly byteStream: boolean;
  /** "yuv420p", … */
  readonly pixelFormat: string;
  readonly interlaced: boolean;
  /** Clockwise turns a player is asked for, degrees. */
  readonly rotation: number;
  /** What the file states, likeliest first. Containers are known to state nonsense. */
  readonly rates: readonly Rate[];
  /** Seconds; undefined where the container does not say. */
  readonly seconds: number | undefined;
}

/** How far frame intervals may stray and still count as constant: as far as rounding makes them. */
const JITTER_S = 0.002;
const JITTER_SHARE = 0.1;
/** How far a stated rate may be from the measured one and still be the exact form of it. */
const RATE_SHARE = 0.002;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Of "30000/1001". ffprobe writes 0/0 for unknown. */
function rateOf(fraction: unknown): Rate | undefined {
  const match = /^(\d+)\/(\d+)$/.exec(text(fraction));
  const numerator = Number(match?.[1] ?? 0);
  const denominator = Number(match?.[2] ?? 0);
  return numerator > 0 && denominator > 0 ? { numerator, denominator } : undefined;
}

/**
 * Asks ffprobe.
 * @returns undefined where the file holds no video stream, or is none at all
 * @throws Problem if there is no ffprobe
 */
export async function probe(file: string): Promise<Footage | undefined> {
  const show = ["-show_streams", "-show_format", "-select_streams", "V:0", "-of", "json"];
  const run = await capture("ffprobe", ["-v", "error", ...show, "-i", `file:${file}`]);
  if (run.code !== 0) return undefined;
  const answer: unknown = JSON.parse(run.stdout);
  if (!isRecord(answer)) return undefined;
  const stream = records(answer.streams)[0];
  // Of an empty file ffprobe believes the extension.
  if (stream === undefined || !text(stream.codec_name) || !stream.width) return undefined;
  const format = isRecord(answer.format) ? answer.format : {};
  const seconds = Number(format.duration ?? stream.duration);
  const field = text(stream.field_order);
  return {
    codec: text(stream.codec_name),
    byteStream: format.format_name === "h264",
    pixelFormat: text(stream.pix_fmt),
    interlaced: field !== "" && field !== "progressive" && field !== "unknown",
    rotation: rotationOf(stream),
    rates: [rateOf(stream.avg_frame_rate), rateOf(stream.r_frame_rate)].filter(
      (rate) => rate !== undefined,
    ),
    seconds: Number.isFinite(seconds) && seconds > 0 ? seconds : undefined,
  };
}

function rotationOf(stream: Record<string, unknown>): number {
  const turned = records(stream.side_data_list).find((data) => typeof data.rotation === "number");
  return typeof turned?.rotation === "number" ? turned.rotation : 0;
}

/**
 * Measures the rate at which a container's frames follow each other. Reads all packet times, decodes
 * nothing.
 * @returns undefined where it varies; what is stated for a single frame
 */
export async function constantRate(
  file: string,
  stated: readonly Rate[],
): Promise<Rate | undefined> {
  const show = ["-select_streams", "V:0", "-show_entries", "packet=pts_time", "-of", "csv=p=0"];
  const run = await capture("ffprobe", ["-v", "error", ...show, "-i", `file:${file}`]);
  const lines = run.stdout.split("\n").filter((line) => /^-?\d/.test(line));
  const times = lines.map((line) => Number.parseFloat(line)).sort((a, b) => a - b);
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  if (last === first) return stated[0];
  const interval = (last - first) / (times.length - 1);
  const corridor = Math.max(JITTER_S, interval * JITTER_SHARE);
  const constant = times.every((time, i) => {
    const before = times[i - 1];
    return before === undefined || Math.abs(time - before - interval) <= corridor;
  });
  if (!constant) return undefined;
  const exact = stated.find(
    ({ numerator, denominator }) =>
      Math.abs((numerator / denominator) * interval - 1) <= RATE_SHARE,
  );
  return exact ?? { numerator: Math.round(1000 / interval), denominator: 1000 };
}
