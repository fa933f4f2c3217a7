/**
 * The clip the benchmark runs on: 1080p, 25 frames a second, 2 Mbit/s, a key frame every 2 s, as a
 * camera's encoder makes it. Noise over a moving picture, because a clean one would not need the bits.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @import { Recipe } from "../recipe.mjs" */

const SECONDS = 20;

/** @type {Recipe} */
export const benchClip = {
  name: "bench-clip",
  text: fileURLToPath(import.meta.url),
  async build({ out, step }) {
    await step("ffmpeg", [
      ...["-nostdin", "-hide_banner", "-loglevel", "warning", "-f", "lavfi"],
      ...[
        "-i",
        `testsrc2=size=1920x1080:rate=25:duration=${SECONDS}`,
        "-vf",
        "noise=alls=6:allf=t",
      ],
      ...["-c:v", "libx264", "-profile:v", "high", "-preset", "veryfast", "-b:v", "1967k"],
      ...["-maxrate", "1967k", "-bufsize", "2M", "-bf", "0", "-pix_fmt", "yuv420p"],
      ...["-threads", "1", "-g", "50", "-keyint_min", "50", "-sc_threshold", "0"],
      ...["-x264-params", "aud=1:repeat-headers=1", "-bitexact", "-f", "h264"],
      join(out, "clip.h264"),
    ]);
  },
};
