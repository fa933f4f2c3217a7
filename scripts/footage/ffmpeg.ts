/** Running ffmpeg with progress, and what its failures mean. */
import { spawn } from "node:child_process";
import { Problem } from "../build/problem.mjs";

/** Characters of ffmpeg's own words kept for a failure. */
const TAIL_CHARACTERS = 4000;

/** Told now and then while a long step runs. */
export type Progress = (at: {
  /** Seconds of footage done. */
  readonly seconds: number;
  /** Of all seconds, where the file says how many there are. */
  readonly of: number | undefined;
}) => void;

/** @returns undefined when done; otherwise why not, the end of a sentence without a full stop */
export function runFfmpeg(
  args: readonly string[],
  of: number | undefined,
  onProgress: Progress | undefined,
): Promise<string | undefined> {
  const quiet = ["-nostdin", "-hide_banner", "-loglevel", "error", "-y"];
  const child = spawn("ffmpeg", [...quiet, "-progress", "pipe:1", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    stderr = (stderr + part).slice(-TAIL_CHARACTERS);
  });
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    const match = /out_time_us=(\d+)/.exec(part);
    if (match) onProgress?.({ seconds: Number(match[1]) / 1e6, of });
  });
  return new Promise((resolve, reject) => {
    child.on("error", (error) => {
      if ("code" in error && error.code === "ENOENT") reject(noFfmpeg());
      else reject(error);
    });
    child.on("close", (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(reason(stderr) ?? `ffmpeg ended with ${signal ?? `status ${code}`}`);
    });
  });
}

function noFfmpeg(): Problem {
  return new Problem(
    "the tool ffmpeg (Debian package ffmpeg) is missing; run `make setup`, then this again.",
  );
}

function reason(stderr: string): string | undefined {
  if (stderr.includes("No space left on device")) return "the disk is full; free some space";
  const last = stderr.trimEnd().split("\n").at(-1)?.trim().replace(/\.$/, "");
  return last === "" ? undefined : last;
}
