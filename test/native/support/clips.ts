/** Clips for tests: made by ffmpeg, taken apart, and the real street if the machine has it. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** 403 frames of a street, 640×480, 25 frames/s, a key frame every 45; beside the checkout, or not. */
const STREET = fileURLToPath(
  new URL("../../../../shared/footage/street-640x480-25fps.h264", import.meta.url),
);

/** Runs ffmpeg quietly. */
export function ffmpeg(...args: string[]): void {
  execFileSync("ffmpeg", ["-nostdin", "-hide_banner", "-loglevel", "error", "-y", ...args]);
}

export interface ClipOptions {
  size?: string;
  rate?: string;
  frames?: number;
  /** Key-frame interval, frames. */
  gop?: number;
  /** Further arguments for libx264 and the output. */
  more?: string[];
}

/** A moving picture as a camera would make it, unless `more` says otherwise. Gives `path`. */
export function makeClip(path: string, options: ClipOptions = {}): string {
  const { size = "320x240", rate = "25", frames = 30, gop = 10, more = [] } = options;
  const source = `testsrc2=size=${size}:rate=${rate}`;
  ffmpeg(
    ...["-f", "lavfi", "-i", source, "-frames:v", String(frames), "-pix_fmt", "yuv420p"],
    ...["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", String(gop)],
    ...["-keyint_min", String(gop), "-sc_threshold", "0", "-x264-params", "aud=1", "-threads", "1"],
    ...more,
    path,
  );
  return path;
}

/** Real footage where there is some, else a made clip of the same shape. */
export function streetClip(path: string): { path: string; frames: number; gop: number } {
  if (existsSync(STREET)) return { path: STREET, frames: 403, gop: 45 };
  const shape = { frames: 403, gop: 45 };
  return { path: makeClip(path, { size: "640x480", ...shape }), ...shape };
}

/** The NAL units of an H.264 byte stream, in hexadecimal. */
export function nalUnits(path: string): string[] {
  const bytes = readFileSync(path);
  const starts: number[] = [];
  for (let at = bytes.indexOf("000001", 0, "hex"); at >= 0; ) {
    starts.push(at + 3);
    at = bytes.indexOf("000001", at + 3, "hex");
  }
  return starts.map((start, i) => {
    const next = starts[i + 1];
    let end = next === undefined ? bytes.length : next - 3;
    while (end > start && bytes[end - 1] === 0) end--;
    return bytes.toString("hex", start, end);
  });
}

/** nal_unit_type of a unit in hexadecimal. */
export function nalType(unit: string): number {
  return Number.parseInt(unit.slice(0, 2), 16) & 31;
}

/** Those that the ring stores: all but SPS (7), PPS (8) and access-unit delimiters (9). */
export function storedUnits(path: string): string[] {
  return nalUnits(path).filter((unit) => ![7, 8, 9].includes(nalType(unit)));
}
