/** `ocellus get`: an interval of footage as one MP4. */
import type { Command } from "commander";
import { Problem } from "../build/problem.mjs";
import { type Fetched, fetchFootage } from "../owner/fetch.ts";
import { Refusal } from "../owner/open.ts";
import { showBytes, showDuration, showTime } from "../owner/times.ts";
import { intervalCommand, wantedOf } from "./ls.ts";
import { type OwnerFlags, print, withFootage } from "./owner-options.ts";
import { startProgress } from "./progress.ts";

interface GetFlags extends OwnerFlags {
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
    .requiredOption("-o, --out <file>", "the MP4 to write")
    .option("--no-gaps", "leave gaps out; else the last frame before a gap stays until its end")
    .option("--without-refused", "leave out what fails verification instead of refusing all of it")
    .action(get);
}

async function get(camera: string, flags: GetFlags): Promise<void> {
  const { from, ...rest } = flags;
  if (from === undefined && flags.boot === undefined) {
    throw new Problem("say from when with --from, such as --from -10m.");
  }
  const wanted = wantedOf({ ...rest, from: from ?? "now" });
  const progress = startProgress();
  const fetched = await withFootage(flags, camera, (view) =>
    fetchFootage(view, wanted, flags.out, {
      stretchGaps: flags.gaps,
      withoutRefused: flags.withoutRefused === true,
      onSegment: (done, { start_us }) =>
        progress.show(`${done} segments, now at ${showTime(start_us)}`),
    }),
  )
    .catch((error: unknown) => {
      throw error instanceof Refusal ? refusedAll(error) : error;
    })
    .finally(progress.end);
  print(flags, resultJson(flags.out, fetched), () => describe(flags.out, fetched));
  for (const sentence of fetched.refused.sentences) console.error(`ocellus: ${sentence}`);
  if (fetched.refused.count > 0) process.exitCode = 1;
}

function refusedAll({ message }: Refusal): Problem {
  return new Problem(
    `${message} Nothing was written; add --without-refused to fetch all but what is refused.`,
  );
}

function resultJson(file: string, { refused, ...fetched }: Fetched) {
  return {
    file,
    ...fetched,
    refused: [...refused].map(({ object, reason }) => ({ object, reason })),
  };
}

function describe(file: string, fetched: Fetched): string {
  const { frames, start_us, duration_us, file_bytes, segments, gaps } = fetched;
  const lines = [
    `${file}: ${showDuration(duration_us)} from ${showTime(start_us)}, ${frames} frames, ${showBytes(file_bytes)}.`,
    `All ${segments} segments are verified: signed by the camera, unaltered and in their order.`,
  ];
  for (const { at_us, length_us } of gaps) {
    lines.push(`Gap of ${showDuration(length_us)} at ${showTime(at_us)}.`);
  }
  if (fetched.missing > 0) lines.push(`${fetched.missing} segments are not in the store.`);
  if (fetched.frames_lost > 0) lines.push(`The camera lost ${fetched.frames_lost} frames.`);
  if (fetched.undecodable > 0) {
    lines.push(`${fetched.undecodable} frames were left out: the key frame they need is missing.`);
  }
  if (fetched.other_tracks > 0) lines.push("Tracks other than video were left out.");
  return lines.join("\n");
}
