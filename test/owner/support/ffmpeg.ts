/** What ffmpeg and ffprobe say of a file. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Runs ffmpeg with an input; gives standard output. Throws what it said where it fails or complains. */
export async function ffmpeg(args: readonly string[]): Promise<Buffer> {
  const { stdout, stderr } = await run("ffmpeg", ["-v", "error", "-nostdin", ...args], {
    encoding: "buffer",
    maxBuffer: 1 << 28,
  });
  if (stderr.length > 0) throw new Error(`ffmpeg complains: ${stderr.toString()}`);
  return stdout;
}

/** Makes a clip as cameras write them: fragmented, no B-frames, a key frame a second. */
export async function makeClip(path: string, size: string, length_s: number): Promise<Uint8Array> {
  const source = `testsrc2=size=${size}:rate=25:duration=${length_s}`;
  const encoder = ["-c:v", "libx264", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p"];
  await ffmpeg([
    ...["-f", "lavfi", "-i", source, ...encoder],
    ...["-movflags", "frag_keyframe+empty_moov+default_base_moof"],
    ...["-video_track_timescale", "90000", path],
  ]);
  return new Uint8Array(await readFile(path));
}

/** MD5 of each decoded frame at its own size, in order. Throws where ffmpeg complains about the file. */
export async function decodedFrames(path: string): Promise<string[]> {
  // Without autoscale a change of size in the middle keeps each frame as it was decoded.
  const args = ["-i", path, "-autoscale", "0", "-fps_mode", "passthrough", "-f", "framemd5", "-"];
  const lines = (await ffmpeg(args)).toString().split("\n");
  return lines
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split(",").at(-1)?.trim() ?? "");
}

/** Video packets: [time, duration] in seconds, and whether it is a key frame. Throws where ffprobe complains. */
export async function packets(
  path: string,
): Promise<{ time_s: number; duration_s: number; key: boolean }[]> {
  const { stdout, stderr } = await run("ffprobe", [
    ...["-v", "error", "-select_streams", "v", "-show_entries"],
    ...["packet=pts_time,duration_time,flags", "-of", "csv=p=0", path],
  ]);
  if (stderr !== "") throw new Error(`ffprobe complains: ${stderr}`);
  return stdout
    .trim()
    .split("\n")
    .map((line) => {
      const [time, duration, flags = ""] = line.split(",");
      return { time_s: Number(time), duration_s: Number(duration), key: flags.startsWith("K") };
    });
}

/** The picture at a time, averaged over 8 × 8 fields: red, green, blue of each. */
export async function picture(
  path: string,
  time_s: number,
  size: readonly [width: number, height: number],
): Promise<number[]> {
  const [width, height] = size;
  const args = ["-i", path, "-ss", String(time_s), "-frames:v", "1"];
  const pixels = await ffmpeg([...args, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
  const sums = new Array<number>(192).fill(0);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const field = Math.floor((y * 8) / height) * 8 + Math.floor((x * 8) / width);
      for (const color of [0, 1, 2]) {
        const at = field * 3 + color;
        sums[at] = (sums[at] ?? 0) + (pixels[(y * width + x) * 3 + color] ?? 0);
      }
    }
  }
  return sums.map((sum) => (sum * 64) / (width * height));
}
