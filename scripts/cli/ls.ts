/** `ocellus ls`: what footage there is. */
import type { Command } from "commander";
import { toHex } from "../../agent/identity/encoding.ts";
import { complain } from "../build/problem.mjs";
import { Notes } from "../owner/notes.ts";
import { Refusal, Refusals } from "../owner/open.ts";
import { findSegments, type Segment, type Wanted } from "../owner/recordings.ts";
import { parseTime, showBytes, showDuration, showTime, TIME_HELP } from "../owner/times.ts";
import { type PhraseFlags, phraseOptions } from "./by-phrase.ts";
import { Misuse, typed } from "./misuse.ts";
import { columns, type OwnerFlags, ownerCommand, print, withFootage } from "./owner-options.ts";
import { startProgress } from "./progress.ts";

interface LsFlags extends OwnerFlags, PhraseFlags {
  readonly from: string;
  readonly to: string;
  readonly stream: string;
  readonly boot?: string;
  readonly segments?: true;
}

/** The command, to be added to the program. */
export function lsCommand(): Command {
  return intervalCommand("ls", "list a camera's footage", "-1h")
    .option("--segments", "list every segment instead of stretches without a gap")
    .addHelpText("after", `\n${FOOTAGE_EXITS}`)
    .action(ls);
}

/** What the help of such commands says of how they end. */
export const FOOTAGE_EXITS = `Exit status: 0 done, also where objects that are no footage were met and told; 1 footage is refused
(altered, forged or withheld), or other trouble; 2 wrong usage.`;

/** A command about an interval of a camera's footage. */
export function intervalCommand(name: string, about: string, from?: string): Command {
  const command = phraseOptions(ownerCommand(name, about))
    .argument("<camera>", "its name or id")
    .option("--to <time>", "end of the interval; also +30s after its start", "now")
    .option("--stream <number>", "0 main, 1 sub", "0")
    .option("--boot <number>", "all of this boot instead, also where its time is not known");
  return from === undefined
    ? command.option("--from <time>", `start: ${TIME_HELP}`)
    : command.option("--from <time>", `start: ${TIME_HELP}`, from);
}

/** What an interval's flags ask for. Throws Misuse where they are malformed. */
export function wantedOf(flags: {
  readonly from: string;
  readonly to: string;
  readonly stream: string;
  readonly boot?: string;
}): Wanted {
  const now_us = Date.now() * 1000;
  const stream = wholeNumber(flags.stream, "--stream");
  if (stream > 1) throw new Misuse("--stream takes 0 or 1.");
  if (flags.boot !== undefined) {
    const boot = wholeNumber(flags.boot, "--boot");
    return { stream, boot, from_us: 0, to_us: Number.MAX_SAFE_INTEGER };
  }
  const from_us = typed(() => parseTime(flags.from, now_us));
  const to_us = typed(() => parseTime(flags.to, now_us, from_us));
  if (to_us <= from_us) throw new Misuse("--to must be later than --from.");
  return { stream, from_us, to_us };
}

/** Throws Misuse where a boot and an interval were typed: the boot is meant whole. */
export function refuseBootAndInterval(command: Command): void {
  const typedOf = (flag: string) => command.getOptionValueSource(flag) === "cli";
  const both = typedOf("boot") && ["from", "to"].find(typedOf);
  if (both) throw new Misuse(`--boot means all of that boot; leave --${both} out.`);
}

function wholeNumber(text: string, flag: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new Misuse(`${flag} takes a whole number, not "${text}".`);
}

async function ls(camera: string, flags: LsFlags, command: Command): Promise<void> {
  refuseBootAndInterval(command);
  const wanted = wantedOf(flags);
  const progress = startProgress();
  const segments: Segment[] = [];
  const refused = new Refusals();
  const notes = new Notes();
  const { trusted, unverified } = await withFootage(flags, camera, async (view) => {
    for await (const found of findSegments(view, wanted, (note) => notes.add(note))) {
      if (found instanceof Refusal) refused.add(found);
      else segments.push(found);
      progress.show(`${segments.length} segments`);
    }
    return view;
  }).finally(progress.end);
  const recordings = stretches(segments);
  const between = segments.reduce((sum, { missingBefore }) => sum + missingBefore, 0);
  const missing = between + notes.missing;
  const result = {
    name: trusted.name,
    camera: toHex(trusted.camera),
    verified: unverified !== true,
    recordings: recordings.map(stretchJson),
    segments: segments.map(segmentJson),
    refused: refused.json,
    notes: notes.json,
  };
  print(flags, result, () => {
    const rows = flags.segments ? showSegments(segments) : showStretches(recordings, missing);
    return [rows, ...notes.sentences].join("\n");
  });
  refused.sentences.forEach(complain);
  if (refused.footage > 0) process.exitCode = 1;
}

/** Footage without a gap. */
export interface Stretch {
  readonly boot: number;
  readonly timeKnown: boolean;
  readonly start_us: number;
  readonly end_us: number;
  readonly segments: number;
  readonly bytes: number;
}

/** Less than this between two segments is no gap. */
const JOIN_US = 200_000;

/** Joins neighbours into stretches. */
export function stretches(segments: readonly Segment[]): Stretch[] {
  const joined: { -readonly [key in keyof Stretch]: Stretch[key] }[] = [];
  for (const segment of segments) {
    const end_us = segment.start_us + segment.duration_us;
    const last = joined.at(-1);
    const joins = last?.boot === segment.boot.boot && segment.start_us - last.end_us < JOIN_US;
    if (last && joins) {
      last.end_us = end_us;
      last.segments += 1;
      last.bytes += segment.bytes;
      continue;
    }
    joined.push({
      boot: segment.boot.boot,
      timeKnown: segment.boot.zero_us !== null,
      ...{ start_us: segment.start_us, end_us, segments: 1, bytes: segment.bytes },
    });
  }
  return joined;
}

function stretchJson({ timeKnown, ...stretch }: Stretch) {
  const { boot, start_us, end_us } = stretch;
  const iso = (time_us: number) => (timeKnown ? new Date(time_us / 1000).toISOString() : null);
  const times = { start: iso(start_us), start_us, end: iso(end_us), end_us };
  return {
    boot,
    time_known: timeKnown,
    ...times,
    segments: stretch.segments,
    bytes: stretch.bytes,
  };
}

function segmentJson({
  name,
  boot,
  start_us,
  duration_us,
  bytes,
  metadata,
  missingBefore,
}: Segment) {
  const [track] = metadata.tracks;
  return {
    object: name.object,
    boot: name.boot,
    seq: name.seq,
    time_known: boot.zero_us !== null,
    start: boot.zero_us === null ? null : new Date(start_us / 1000).toISOString(),
    start_us,
    duration_us,
    bytes,
    width: track?.width ?? 0,
    height: track?.height ?? 0,
    frames_lost_before: metadata.framesLostBefore,
    missing_before: missingBefore,
    event: metadata.event,
  };
}

/** A sentence that claims no more than the store shows. For the boot that runs, `ocellus status` tells what the camera says of it. */
export function notInStore(count: number): string {
  const are = count === 1 ? "1 segment or more is" : `${count} segments or more are`;
  return `${are} not in the store: dropped by the camera, yet to be uploaded, expired by its rules, deleted or withheld.`;
}

function showStretches(found: readonly Stretch[], missing: number): string {
  if (found.length === 0) {
    return ["No footage in this interval.", ...(missing > 0 ? [notInStore(missing)] : [])].join(
      " ",
    );
  }
  const rows = columns(
    found.map(({ boot, timeKnown, start_us, end_us, segments, bytes }) => [
      timeKnown ? `${showTime(start_us)} – ${showTime(end_us)}` : `boot ${boot}, time not known`,
      showDuration(end_us - start_us),
      `${segments} segments`,
      showBytes(bytes),
    ]),
  );
  if (missing === 0) return rows;
  return `${rows}\n${notInStore(missing)} --segments shows where.`;
}

function showSegments(found: readonly Segment[]): string {
  if (found.length === 0) return "No footage in this interval.";
  return columns(
    found.map(({ name, boot, start_us, duration_us, bytes, missingBefore }) => [
      boot.zero_us === null ? `+${showDuration(start_us)}` : showTime(start_us),
      showDuration(duration_us),
      showBytes(bytes),
      `boot ${name.boot}`,
      `segment ${name.seq}`,
      missingBefore > 0 ? `${missingBefore} before it not in the store` : "",
    ]),
  );
}
