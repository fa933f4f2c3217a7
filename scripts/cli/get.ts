/** `ocellus get`: an interval of footage as one MP4. */
import { realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Command } from "commander";
import { toHex } from "../../agent/identity/encoding.ts";
import { asTyped } from "../build/invoked.mjs";
import { complain, Problem } from "../build/problem.mjs";
import { type Fetched, fetchFootage } from "../owner/fetch.ts";
import { Refusal } from "../owner/open.ts";
import { showBytes, showDuration, showTime } from "../owner/times.ts";
import type { PhraseFlags } from "./by-phrase.ts";
import {
  FOOTAGE_EXITS,
  intervalCommand,
  notInStore,
  refuseBootAndInterval,
  wantedOf,
} from "./ls.ts";
import { Misuse } from "./misuse.ts";
import { type OwnerFlags, print, withFootage } from "./owner-options.ts";
import { startProgress } from "./progress.ts";

interface GetFlags extends OwnerFlags, PhraseFlags {
  readonly from?: string;
  readonly to: string;
  readonly stream: string;
  readonly boot?: string;
  readonly out: string;
  readonly gaps: boolean;
  readonly withoutRefused?: true;
}

/** The command, to be added to the program. */
export function getCommand(): Command {
  return intervalCommand("get", "fetch, verify and open footage as one MP4")
    .requiredOption(
      "-o, --out <file>",
      "the MP4 to write; one that is there is replaced, once the new one is whole",
    )
    .option("--no-gaps", "leave gaps out; else the last frame before a gap stays until its end")
    .option("--without-refused", "leave out what fails verification instead of refusing all of it")
    .addHelpText(
      "after",
      `
Examples:
  ${asTyped("get front --from -10m -o last.mp4")}
  ${asTyped('get front --from "yesterday 14:00" --to +30s -o clip.mp4')}

Frames are copied as the camera made them. Where its parameter sets change (another picture size, say), the track is avc3: they
stand in band, before each key frame, and players go across the change; otherwise it is avc1, with one set in its head.

${FOOTAGE_EXITS}`,
    )
    .action(get);
}

async function get(camera: string, flags: GetFlags, command: Command): Promise<void> {
  refuseBootAndInterval(command);
  const { from, ...rest } = flags;
  if (from === undefined && flags.boot === undefined) {
    throw new Misuse("say from when with --from, such as --from -10m.");
  }
  const wanted = wantedOf({ ...rest, from: from ?? "now" });
  const file = await outputAt(flags.out);
  const progress = startProgress();
  const { fetched, trusted, verified } = await withFootage(flags, camera, async (view) => {
    const fetched = await fetchFootage(view, wanted, file, {
      stretchGaps: flags.gaps,
      withoutRefused: flags.withoutRefused === true,
      onSegment: (done, { start_us }) =>
        progress.show(`${done} segments, now at ${showTime(start_us)}`),
    });
    return { fetched, trusted: view.trusted, verified: view.unverified !== true };
  })
    .catch((error: unknown) => {
      throw error instanceof Refusal ? refusedAll(error) : error;
    })
    .finally(progress.end);
  const camera_json = { name: trusted.name, camera: toHex(trusted.camera), verified };
  const result = { ...camera_json, ...resultJson(flags.out, fetched) };
  print(flags, result, () => describe(flags.out, fetched, verified));
  fetched.refused.sentences.forEach(complain);
  if (fetched.refused.footage > 0) process.exitCode = 1;
}

function refusedAll({ message }: Refusal): Problem {
  return new Problem(
    `${message} Nothing was written; add --without-refused to fetch all but what is refused.`,
  );
}

/**
 * Where a file of that name really lies. Throws Misuse for standard output, and Problem where none can, before anything is fetched: a device or a
 * directory would be replaced, or found to be in the way at the very end.
 */
async function outputAt(path: string): Promise<string> {
  if (path === "-") {
    throw new Misuse(
      "an MP4 is written to a file, since its head is known last; name one with --out.",
    );
  }
  const there = await stat(path).catch(() => null);
  if (there?.isFile()) return realpath(path);
  if (there) throw new Problem(`${path} is not a file; name the MP4 to write with --out.`);
  const directory = dirname(path);
  const parent = await stat(directory).catch(() => null);
  if (parent?.isDirectory()) return path;
  throw new Problem(
    `there is no directory ${directory}; make it, or name another file with --out.`,
  );
}

function resultJson(file: string, { refused, notes, ...fetched }: Fetched) {
  return { file, ...fetched, refused: refused.json, notes: notes.json };
}

function describe(file: string, fetched: Fetched, verified: boolean): string {
  const { frames, start_us, duration_us, file_bytes, segments, gaps } = fetched;
  const lines = [
    `${file}: ${showDuration(duration_us)} from ${showTime(start_us)}, ${frames} frames, ${showBytes(file_bytes)}.`,
    verified
      ? `All ${segments} segments are verified: signed by the camera, unaltered and in their order.`
      : `None of the ${segments} segments is proven to be the camera's: they open and are in their order, no more.`,
  ];
  for (const { at_us, length_us } of gaps) {
    lines.push(`Gap of ${showDuration(length_us)} at ${showTime(at_us)}.`);
  }
  if (fetched.missing > 0) lines.push(notInStore(fetched.missing));
  if (fetched.frames_lost > 0) lines.push(`The camera lost ${fetched.frames_lost} frames.`);
  if (fetched.undecodable > 0) {
    lines.push(`${fetched.undecodable} frames were left out: the key frame they need is missing.`);
  }
  if (fetched.other_tracks > 0) lines.push("Tracks other than video were left out.");
  lines.push(...fetched.notes.sentences);
  return lines.join("\n");
}
