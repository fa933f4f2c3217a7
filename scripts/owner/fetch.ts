/**
 * Fetches an interval of footage: find, fetch, verify, open, join. Used by `ocellus get` and the self-test.
 */
import { TIMESCALE } from "../../agent/segment/ticks.ts";
import { asTyped } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import type { CameraView } from "./heads.ts";
import { type Joined, joinTo } from "./join.ts";
import { type Parsed, parseMp4, Unjoinable } from "./mp4.ts";
import { type Note, Notes } from "./notes.ts";
import { asRefusal, type Named, openObject, Refusal, Refusals } from "./open.ts";
import { findSegments, type Segment, type Wanted } from "./recordings.ts";
import type { JoinPart } from "./timeline.ts";

/** How an interval is fetched. */
export interface FetchOptions {
  /** Whether a frame before a gap stays until its end; otherwise gaps are left out. */
  readonly stretchGaps: boolean;
  /** Leave out footage that is refused, as a gap; otherwise the first such refusal ends it all. */
  readonly withoutRefused: boolean;
  /** Told before each segment: how many are done, and of what time the next is. */
  readonly onSegment?: (done: number, segment: Segment) => void;
}

/** What was fetched. */
export interface Fetched extends Joined {
  readonly segments: number;
  /** Sealed bytes of all segments. */
  readonly sealed_bytes: number;
  /** Segments that the store does not have, for whatever reason (`missingBefore`). */
  readonly missing: number;
  /** Frames that the camera says it lost. */
  readonly frames_lost: number;
  /** Tracks that were left out. */
  readonly other_tracks: number;
  readonly refused: Refusals;
  readonly notes: Notes;
}

/**
 * Writes the interval's footage to `path`, from the last key frame before it to its end.
 * Throws Refusal for what is not to be believed, Problem where there is nothing, or the store or disk fails. Nothing stands
 * at `path` then that did not before.
 */
export async function fetchFootage(
  view: CameraView,
  wanted: Wanted,
  path: string,
  options: FetchOptions,
): Promise<Fetched> {
  const joiner = await joinTo(path, options.stretchGaps);
  const refused = new Refusals();
  const notes = new Notes();
  const count = { segments: 0, sealed_bytes: 0, missing: 0, frames_lost: 0, other_tracks: 0 };
  const refuse = (refusal: Refusal) => {
    if (refusal.footage && !options.withoutRefused) throw refusal;
    refused.add(refusal);
  };
  try {
    const tell = (note: Note) => notes.add(note);
    for await (const found of findSegments(view, { ...wanted, decodable: true }, tell)) {
      const tried =
        found instanceof Refusal ? { opened: null, refused: [found] } : await open(view, found);
      for (const refusal of tried.refused) refuse(refusal);
      if (!tried.opened) continue;
      const { segment, name, plain, video, otherTracks } = tried.opened;
      options.onSegment?.(count.segments, segment);
      const { zero_us, boot } = segment.boot;
      const whole = { video, bootZero_us: zero_us ?? 0, boot };
      const part = partWanted(whole, wanted, segment.until_us, count.segments > 0);
      if (!part) continue;
      const misfit = await joiner.add(part, plain).then(() => null, asUnjoinable);
      if (misfit) {
        refuse(unjoinable(name, misfit));
        continue;
      }
      // What was missing or lost before the interval is not of it.
      if (count.segments > 0 || segment.start_us > wanted.from_us) {
        count.missing += segment.missingBefore;
      }
      if (count.segments > 0) count.frames_lost += segment.metadata.framesLostBefore;
      count.segments += 1;
      count.sealed_bytes += segment.bytes;
      count.other_tracks = Math.max(count.other_tracks, otherTracks);
    }
    if (count.segments === 0) throw nothing(refused, notes);
  } catch (error) {
    await joiner.abandon();
    throw error;
  }
  count.missing += notes.missing;
  return { ...(await joiner.finish()), ...count, refused, notes };
}

/** Fetches, opens and parses a segment from the first of its copies that is good; the others that were tried are refused. */
async function open(view: CameraView, segment: Segment) {
  const refused: Refusal[] = [];
  for (const name of [segment.name, ...segment.copies]) {
    const copy = await openCopy(view, name, segment.bytes).catch(asRefusal);
    if (!(copy instanceof Refusal)) {
      return { opened: { segment, name, ...copy }, refused: refused.map((one) => one.aside()) };
    }
    refused.push(copy);
  }
  return { opened: null, refused: refused.map((one, i) => (i === 0 ? one : one.aside())) };
}

async function openCopy(
  view: CameraView,
  name: Named,
  bytes: number,
): Promise<Parsed & { plain: Uint8Array }> {
  // One byte more than it has: what is longer is seen to be, and not fetched whole.
  const object = await view.store.get(name.object, 0, bytes);
  if (object === null) throw new Refusal(name.object, "withheld");
  const { plain } = openObject(view.trusted, view.keys, name, object, view.unverified);
  try {
    return { plain, ...parseMp4(plain) };
  } catch (error) {
    throw unjoinable(name, asUnjoinable(error));
  }
}

function asUnjoinable(error: unknown): Unjoinable {
  if (error instanceof Unjoinable) return error;
  throw error;
}

function unjoinable({ object }: Named, { message }: Unjoinable): Refusal {
  return new Refusal(object, "unjoinable", true, message);
}

/**
 * A segment's frames up to the interval's end, and in the first segment from the last key frame before the interval on;
 * null where there are none.
 * @param until_us `Segment.until_us`.
 */
function partWanted(
  part: Pick<JoinPart, "video" | "bootZero_us" | "boot">,
  { from_us, to_us, boot }: Wanted,
  until_us: number | undefined,
  goesOn: boolean,
): JoinPart | null {
  const { video, bootZero_us } = part;
  const { samples } = video;
  const time_us = (ticks: number) => bootZero_us + (ticks * 1e6) / TIMESCALE;
  const all = boot !== undefined;
  const key = samples.findLastIndex((sample) => sample.key && time_us(sample.time) <= from_us);
  // The later boot's first frame is this one's of the same tick, whose time was rounded down.
  const untilTick =
    until_us === undefined
      ? Number.POSITIVE_INFINITY
      : Math.floor(((until_us - bootZero_us) * TIMESCALE) / 1e6);
  const cut = samples.findIndex(({ time }) => time_us(time) >= to_us || time >= untilTick);
  const end = all || cut < 0 ? samples.length : cut;
  const first = all || goesOn ? 0 : Math.max(0, key);
  return end > first ? { ...part, first, end } : null;
}

function nothing(refused: Refusals, notes: Notes): Problem {
  const [first] = refused;
  const said = notes.sentences.map((sentence) => ` ${sentence}`).join("");
  return new Problem(
    first === undefined
      ? `there is no footage in this interval; \`${asTyped("ls")}\` shows what there is.${said}`
      : `everything in this interval is refused, so nothing was written; the first: ${first.message}${said}`,
  );
}
