/**
 * The clips the benchmark runs on: 25 frames a second, a key frame every 2 s, as a camera's encoder makes
 * them. Noise over a moving picture, because a clean one would not need the bits.
 *
 *   bench-clip        1080p, 2 Mbit/s: load, cost per byte, memory
 *   bench-clip-1mbit  720p, 1 Mbit/s: overheads
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @import { Recipe } from "../recipe.mjs" */

const SECONDS = 20;

/**
 * @param {string} name
 * @param {string} size
 * @param {string} rate what makes x264 come out at the rate meant
 * @returns {Recipe}
 */
function clip(name, size, rate) {
  return {
    name,
    text: fileURLToPath(import.meta.url),
    async build({ out, step }) {
      await step("ffmpeg", [
        ...["-nostdin", "-hide_banner", "-loglevel", "warning", "-f", "lavfi"],
        ...["-i", `testsrc2=size=${size}:rate=25:duration=${SECONDS}`],
        ...["-vf", "noise=alls=6:allf=t", "-c:v", "libx264", "-profile:v", "high"],
        ...["-preset", "veryfast", "-b:v", rate, "-maxrate", rate, "-bufsize", "2M", "-bf", "0"],
        ...["-pix_fmt", "yuv420p", "-threads", "1", "-g", "50", "-keyint_min", "50"],
        ...["-sc_threshold", "0", "-x264-params", "aud=1:repeat-headers=1", "-bitexact"],
        ...["-f", "h264", join(out, "clip.h264")],
      ]);
    },
  };
}

export const benchClips = [
  clip("bench-clip", "1920x1080", "1967k"),
  clip("bench-clip-1mbit", "1280x720", "972k"),
];
