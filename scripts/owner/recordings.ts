/**
 * Finds the footage of an interval: boots by their records, the first segment by binary search over segment numbers, and
 * then one segment after the other, with the chain checked on the way.
 */
import type { SegmentHead } from "../../agent/seal/container.ts";
import { parseSegmentObjectName } from "../../agent/seal/names.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { ahead } from "./ahead.ts";
import { type Boot, readBoots } from "./boots.ts";
import { type CameraView, type FoundHead, headOfCopies } from "./heads.ts";
import { isFirstOfBoot, isLinked, nextGood } from "./links.ts";
import { classPrefixes, segmentNames } from "./names.ts";
import { asRefusal, checkFollows, type Named, type OpenedHead, Refusal } from "./open.ts";
import { inRuns, withoutCopies } from "./runs.ts";

/** What part of the footage is wanted. Times are microseconds since 1970 UTC. */
export interface Wanted {
  readonly stream: number;
  readonly from_us: number;
  readonly to_us: number;
  /** Only this boot, whole: for boots whose time is not known. */
  readonly boot?: number;
  /** Begin with the segment that holds the key frame which the interval's first frame needs. */
  readonly decodable?: boolean;
}

/** A segment with its verified head. */
export interface Segment extends OpenedHead {
  readonly name: Named;
  /** The same segment's other names, for where the object of this one is damaged behind its head. */
  readonly copies: readonly Named[];
  readonly boot: Boot;
  /** On the owner's time line: wall time, or time since the boot's zero where that was never known. */
  readonly start_us: number;
  readonly duration_us: number;
  /** Frames from here on are left out: they stand in a later boot of the same run, which sealed them again. */
  readonly until_us?: number;
  readonly bytes: number;
  /**
   * How many segments between the one before in this listing and this one the camera numbered and the store does not have
   * (those it has, but which are refused, are not counted):
   * dropped, yet to be uploaded, expired, deleted or withheld, which the store alone cannot tell. At the start of a boot: 1 more where
   * the one that it names in an earlier boot is not in the store; how many more that boot had is not known.
   */
  readonly missingBefore: number;
}

/** A clock of two boots may be off by this much, so neighbours of an interval are looked at too. */
const CLOCK_SLACK_US = 300e6;
const FETCH_AHEAD = 8;

/** Objects that are no segments and are met while searching are told up to this many; a thief may have put a million. */
const NAMES_TOLD = 1_000;

/** The boots whose footage may lie in the interval; yields boot records that are refused, which are left out. */
async function* bootsWanted(
  view: CameraView,
  wanted: Wanted,
): AsyncGenerator<Refusal, Boot[], undefined> {
  const { boot } = wanted;
  const records = yield* readBoots(view, boot);
  if (boot !== undefined) {
    const unknown = { zero_us: null, firstRecord_us: null, lastRecord_us: null };
    const run = { first: boot, last: boot };
    return records.length > 0
      ? records
      : [{ boot, build: null, startReason: null, ...unknown, run }];
  }
  const boots = inRuns(records);
  return boots.filter((boot, i) => {
    const { zero_us } = boot;
    if (zero_us === null || zero_us >= wanted.to_us) return false;
    return !endedBefore(boot, boots.slice(i + 1), wanted.from_us);
  });
}

/**
 * Whether a boot is certain to have ended before a time. All its footage is older than the start of any later boot, and that
 * had started when its first record was made; its zero says nothing, since an agent that starts again without a power cycle goes on
 * with the same clock. One boot that was told a wrong time must not hide the others, so two must say so, neither of
 * which claims to have started before this one's last record.
 */
function endedBefore(boot: Boot, later: readonly Boot[], time_us: number): boolean {
  const lived_us = (boot.zero_us ?? 0) + (boot.lastRecord_us ?? 0);
  const starts = later.flatMap(({ zero_us, firstRecord_us }) =>
    zero_us === null ? [] : [zero_us + (firstRecord_us ?? 0)],
  );
  const bounds = starts.filter((start_us) => start_us + CLOCK_SLACK_US > lived_us).slice(0, 2);
  return bounds.length === 2 && bounds.every((end_us) => end_us + CLOCK_SLACK_US <= time_us);
}

/**
 * The segments that overlap the interval, in the order they were taken; what is refused stands in its place, refused boot
 * records before all. A boot whose record is missing or refused is found only where it is named.
 * Frames that a restarted agent sealed again are given once, but for a boot that is named, which is given whole.
 * Throws Problem where the store fails.
 */
export function findSegments(view: CameraView, wanted: Wanted): AsyncGenerator<Segment | Refusal> {
  return withoutCopies(segmentsOfBoots(view, wanted));
}

async function* segmentsOfBoots(
  view: CameraView,
  wanted: Wanted,
): AsyncGenerator<Segment | Refusal> {
  const boots = yield* bootsWanted(view, wanted);
  const flooded = new Set<string>();
  let last: SegmentHead | null = null;
  for (const boot of boots) {
    last = (yield* segmentsOfBoot(view, boot, wanted, last, flooded)) ?? last;
  }
}

/**
 * @param last the last segment of the boots before in this listing.
 * @param flooded prefixes that were told to hold too many folders.
 * @returns the last of this one, null where there is none.
 */
async function* segmentsOfBoot(
  view: CameraView,
  boot: Boot,
  wanted: Wanted,
  last: SegmentHead | null,
  flooded: Set<string>,
): AsyncGenerator<Segment | Refusal, SegmentHead | null, undefined> {
  const prefixes = await classPrefixes(view, wanted.stream, boot.boot);
  const all = wanted.boot !== undefined;
  const zero_us = boot.zero_us ?? 0;
  const times = ({ metadata }: OpenedHead) => {
    const start_us = zero_us + metadata.captureUs;
    return { start_us, duration_us: metadata.durationUs };
  };
  const endsBefore = (opened: OpenedHead): boolean => {
    const { start_us, duration_us } = times(opened);
    return !all && start_us + duration_us <= wanted.from_us;
  };
  /** Whether the interval can begin in this segment. */
  const hasKey = ({ head, metadata }: OpenedHead): boolean =>
    head.header.fragmentKeyChunks.some((chunks, i) => {
      const ticks = metadata.fragments[i]?.decodeTime ?? 0;
      const at_us = zero_us + (ticks * 1e6) / (metadata.tracks[0]?.timescale || 1);
      return chunks > 0 && (i === 0 || at_us <= wanted.from_us);
    });
  const told = new Map<string, Refusal>();
  const next = (seq: number) =>
    nextGood(view, prefixes, seq, (refusal) => {
      if (told.size < NAMES_TOLD) told.set(refusal.object, refusal);
    });
  const first = all ? 0 : await firstWanted(next, endsBefore);
  const leadIn = wanted.decodable ? await firstWithKey(next, first, hasKey) : first;
  yield* told.values();
  const start = chainFrom(leadIn);
  const heads = ahead(segmentNames(view, prefixes, start), FETCH_AHEAD, async (copies) =>
    copies instanceof Refusal
      ? { found: null, refused: told.has(copies.object) ? [] : [copies] }
      : headOfCopies(view, copies),
  );
  let before: SegmentHead | null = null;
  /** Numbers that are in the store, but only as what is refused. */
  const refusedSeqs = new Set<number>();
  for await (const { found, refused } of heads) {
    yield* refused;
    if (!found) {
      for (const seq of refused.flatMap(footageSeq)) refusedSeqs.add(seq);
      continue;
    }
    const { start_us, duration_us } = times(found);
    if (!all && start_us >= wanted.to_us) return before;
    const follows = follow(before, found);
    if (follows instanceof Refusal) {
      for (const seq of footageSeq(follows)) refusedSeqs.add(seq);
      yield follows;
      continue;
    }
    const { header } = found.head;
    let missingBefore = follows;
    // From number 0 on, what is not there is missing; further on nothing is known of what comes before the listing.
    if (before === null && start === 0) missingBefore = header.seq - header.skipped;
    if (missingBefore > 0) {
      const end = header.seq - header.skipped;
      const after = before?.header.seq ?? -1;
      missingBefore -= [...refusedSeqs].filter((seq) => seq > after && seq < end).length;
    }
    refusedSeqs.clear();
    before = found.head;
    if (endsBefore(found) && header.seq < leadIn) continue;
    const floods: Refusal[] = [];
    const onFlood = (refusal: Refusal) => {
      if (!flooded.has(refusal.object)) floods.push(refusal);
      flooded.add(refusal.object);
    };
    if (isFirstOfBoot(header) && !(await isLinked(view, header, last, onFlood))) missingBefore += 1;
    yield* floods;
    const bytes = found.head.prelude.totalBytes;
    yield { ...found, boot, start_us, duration_us, bytes, missingBefore };
  }
  return before;
}

/** The number of a segment that is left out for a refusal, if it is about one. */
function footageSeq({ object, footage }: Refusal): number[] {
  const name = footage ? parseSegmentObjectName(object) : null;
  return name === null || isRefused(name) ? [] : [name.seq];
}

/** How many are missing between two, or why the second is refused. */
function follow(
  before: SegmentHead | null,
  { head, name }: OpenedHead & { name: Named },
): number | Refusal {
  if (before === null) return 0;
  if (head.header.seq === before.header.seq) return new Refusal(name.object, "conflict");
  try {
    return checkFollows(before, head, name);
  } catch (error) {
    return asRefusal(error);
  }
}

/** The first good segment from a number on; null where there is none. */
type Next = (seq: number) => Promise<FoundHead | null>;

/** The number from which on segments do not end before the interval. What is refused is looked past. */
async function firstWanted(
  next: Next,
  endsBefore: (opened: OpenedHead) => boolean,
): Promise<number> {
  // All below `low` end before the interval, `high` and what follows do not.
  let low = 0;
  const tooEarly = async (seq: number): Promise<boolean> => {
    const found = await next(seq);
    if (!found || !endsBefore(found)) return false;
    low = found.name.seq + 1;
    return true;
  };
  let step = 1;
  let high = 0;
  while (await tooEarly(high)) {
    high = low + step;
    step *= 2;
  }
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (!(await tooEarly(middle))) high = middle;
  }
  return low;
}

/**
 * The number to begin at so that a segment from `seq` on can be decoded: a camera that gets no key frame in time begins a
 * segment without one, which goes on from the segment before it.
 */
async function firstWithKey(
  next: Next,
  seq: number,
  hasKey: (opened: OpenedHead) => boolean,
): Promise<number> {
  let begin = seq;
  for (;;) {
    const found = await next(begin);
    if (!found) return seq;
    const before = found.name.seq - 1 - found.head.header.skipped;
    if (hasKey(found) || before < 0) return begin;
    // Where the one before is missing too, there is nothing to go on from.
    if (before >= begin || (found.name.seq > begin && begin < seq)) return seq;
    begin = before;
  }
}

/** One earlier, so that the chain from it is checked. */
function chainFrom(seq: number): number {
  return Math.max(0, seq - 1);
}
