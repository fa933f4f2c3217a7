/**
 * The clip a camera shows without FOOTAGE: moving content with a burnt-in running clock, as a camera
 * would have produced it (Annex B with access-unit delimiters, no B-frames, a key frame every 2 s).
 * Its length is a whole number of key-frame intervals, so that looping it keeps them regular.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @import { Recipe } from "../recipe.mjs" */

const WIDTH = 640;
const HEIGHT = 480;
const FRAMES_PER_SECOND = 25;
const SECONDS = 20;
const KEY_FRAME_INTERVAL = 50;

const FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf";
const CLOCK =
  `drawtext=fontfile=${FONT}:fontsize=36:fontcolor=white:box=1:boxcolor=black:boxborderw=8` +
  ":x=24:y=24:text='%{pts\\:hms} %{frame_num}'";

/** @type {Recipe} */
export const clipDefault = {
  name: "clip-default",
  text: fileURLToPath(import.meta.url),
  tools: [],
  async build({ out, step }) {
    const source = `testsrc2=size=${WIDTH}x${HEIGHT}:rate=${FRAMES_PER_SECOND}:duration=${SECONDS}`;
    await step("ffmpeg", [
      ...["-nostdin", "-hide_banner", "-loglevel", "warning", "-f", "lavfi", "-i", source],
      ...["-vf", CLOCK, "-c:v", "libx264", "-profile:v", "main", "-preset", "medium", "-b:v", "1M"],
      ...["-maxrate", "1M", "-bufsize", "2M", "-bf", "0", "-pix_fmt", "yuv420p", "-threads", "1"],
      ...["-g", `${KEY_FRAME_INTERVAL}`, "-keyint_min", `${KEY_FRAME_INTERVAL}`],
      ...["-sc_threshold", "0", "-x264-params", "aud=1:repeat-headers=1"],
      ...["-bitexact", "-f", "h264", join(out, "clip.h264")],
    ]);
  },
};
