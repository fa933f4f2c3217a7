/**
 * A clip whose parameter sets change in its middle comes back whole: 1080p, 25 fps, 4 Mbit/s, a minute of main profile and a
 * minute of baseline. The slice of a few seconds is in test/e2e/selftest.test.ts.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withProgress } from "../../scripts/build/progress.mjs";
import { faultIn, type Report } from "../../scripts/camera/report.ts";
import { ffmpeg } from "../owner/support/ffmpeg.ts";
import type { Proof } from "./proof.ts";

const OCELLUS = fileURLToPath(new URL("../../scripts/ocellus.mjs", import.meta.url));

const FRAMES_PER_SECOND = 25;
const PART_S = 60;
const MBIT_S = 4;
/** A rate is met by x264 about, not exactly. */
const RATE_TOLERANCE = 0.1;

export interface ClipPart {
  /** Such as 1920x1080. */
  readonly size: string;
  readonly profile: "main" | "baseline";
  readonly seconds: number;
  /** Without it as many bits as x264's default quality takes. */
  readonly mbit_s?: number;
}

/** Makes a clip of these parts, one after the other, of moving content, as cameras encode it: Annex B, no B-frames. */
export async function makeChangingClip(file: string, parts: readonly ClipPart[]): Promise<void> {
  const encoded: Buffer[] = [];
  for (const { size, profile, seconds, mbit_s } of parts) {
    const source = `testsrc2=size=${size}:rate=${FRAMES_PER_SECOND}:duration=${seconds}`;
    const rate = [`-b:v`, `${mbit_s}M`, "-maxrate", `${mbit_s}M`, "-bufsize", `${mbit_s}M`];
    // Noise, because a clean picture would not need the bits.
    const noise = ["-vf", "noise=alls=6:allf=t"];
    encoded.push(
      await ffmpeg([
        ...["-f", "lavfi", "-i", source, ...(mbit_s === undefined ? [] : [...noise, ...rate])],
        ...["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", profile, "-bf", "0"],
        ...["-g", "50", "-pix_fmt", "yuv420p", "-f", "h264", "-"],
      ]),
    );
  }
  await writeFile(file, encoded);
}

/** What is wrong with a run on the whole clip, by its report; null where it is as it must be. */
export function judge(report: Report): string | null {
  const fault = faultIn(report);
  if (fault !== null) return fault;
  const frames = 2 * PART_S * FRAMES_PER_SECOND;
  if (report.frames_in !== frames) return `the clip has ${report.frames_in} frames, not ${frames}.`;
  if (report.transcoded) return "the clip was transcoded first.";
  if (report.frames_lost > 0 || report.gaps > 0)
    return `${report.frames_lost} frames were lost and ${report.gaps} gaps left.`;
  const mbit_s = rateOf(report);
  if (Math.abs(mbit_s / MBIT_S - 1) > RATE_TOLERANCE)
    return `the clip has ${mbit_s.toFixed(2)} Mbit/s, not ${MBIT_S}.`;
  return null;
}

const rateOf = ({ bytes_video }: Report) => (bytes_video * 8) / (2 * PART_S) / 1e6;

/** Made once for all proofs on it. */
let clip: Promise<string> | undefined;

async function makeClip(file: string): Promise<string> {
  const part = { size: "1920x1080", seconds: PART_S, mbit_s: MBIT_S };
  await withProgress("making the clip", () =>
    makeChangingClip(file, [
      { ...part, profile: "main" },
      { ...part, profile: "baseline" },
    ]),
  );
  return file;
}

/** Where the camera runs: the name, and the self-test's arguments. */
const HOMES: readonly (readonly [string, readonly string[]])[] = [
  ["host", ["--on", "host", "--variant", "host"]],
  ["mipsel", ["--on", "host", "--variant", "mipsel"]],
  ["qemu-64M", ["--on", "qemu", "--mem", "64M"]],
  ["qemu-38M", ["--on", "qemu", "--mem", "38M"]],
];

function changingClip([home, where]: (typeof HOMES)[number]): Proof {
  return {
    name: `changing-clip-${home}`,
    shows: `two minutes of 1080p at ${MBIT_S} Mbit/s, whose parameter sets change in the middle, come back frame by frame (${home})`,
    minutes: 3,
    async run(directory) {
      clip ??= makeClip(join(directory, "../changing-clip.h264"));
      const args = ["selftest", ...where, "--footage", await clip];
      const child = spawn(process.execPath, [OCELLUS, ...args, "--out", directory], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      const [status] = await once(child, "close");
      if (status !== 0) return { fault: `ocellus selftest ended with ${status}.`, measured: "" };
      const report: Report = JSON.parse(await readFile(join(directory, "report.json"), "utf8"));
      const { frames_identical, frames_in, segments, sealing_overhead_percent, rss_kb } = report;
      const memory =
        "mem_available_kb" in report ? `, ${report.mem_available_kb} kB available` : "";
      return {
        fault: judge(report),
        measured: `${frames_identical} of ${frames_in} frames, ${rateOf(report).toFixed(2)} Mbit/s, ${segments} segments, sealing ${sealing_overhead_percent} %, ${rss_kb} kB resident${memory}`,
      };
    },
  };
}

export const changingClips: readonly Proof[] = HOMES.map(changingClip);
