/**
 * Finds the footage of an interval: boots by their records, the first segment by binary search over segment numbers, and
 * then one segment after the other, with the chain checked on the way.
 */
import { ocellus } from "#proto";
import type { SegmentHead } from "../../agent/seal/container.ts";
import { parseSegmentObjectName } from "../../agent/seal/names.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { ahead } from "./ahead.ts";
import type { Boot } from "./boots.ts";
import { type CameraView, type FoundHead, headOfCopies } from "./heads.ts";
import { isFirstOfBoot, isLinked, nextGood } from "./links.ts";
import { classPrefixes, segmentNames } from "./names.ts";
import type { Tell } from "./notes.ts";
import { asRefusal, checkFollows, type Named, type OpenedHead, Refusal } from "./open.ts";
import { bootsWanted, type Placed } from "./placed.ts";
import { withoutCopies } from "./runs.ts";
import { chainFrom, firstWanted, firstWithKey } from "./search.ts";

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

const FETCH_AHEAD = 8;

/** Objects that are no segments and are met while searching are told up to this many; a thief may have put a million. */
const NAMES_TOLD = 1_000;

/**
 * The segments that overlap the interval, in the order they were taken; what is refused stands in its place, refused boot
 * records before all. A boot without a record is placed by what its segments state; one whose time nothing states is found only
 * where it is named. Where records state several times of a boot, it is looked for under each.
 * Frames that a restarted agent sealed again are given once, but for a boot that is named, which is given whole.
 * Throws Problem where the store fails.
 * @param tell takes what is to be told beside that; each before the listing ends, some more than once.
 */
export function findSegments(
  view: CameraView,
  wanted: Wanted,
  tell: Tell = () => {},
): AsyncGenerator<Segment | Refusal> {
  return withoutCopies(segmentsOfBoots(view, wanted, tell), tell);
}

/** What is shared by all boots of one listing. */
interface Listing {
  readonly view: CameraView;
  readonly wanted: Wanted;
  readonly tell: Tell;
  /** Prefixes that were told to hold too many folders. */
  readonly flooded: Set<string>;
}

async function* segmentsOfBoots(
  view: CameraView,
  wanted: Wanted,
  tell: Tell,
): AsyncGenerator<Segment | Refusal> {
  const flooded = new Set<string>();
  const floods: Refusal[] = [];
  const placed = yield* bootsWanted(view, wanted, tell, (refusal) => floods.push(refusal));
  yield* notYet(floods, flooded);
  let last: SegmentHead | null = null;
  for (const one of placed) {
    const given = new Set<number>();
    for (const zero_us of one.zeros_us) {
      const at = { ...one, boot: { ...one.boot, zero_us } };
      const found = segmentsOfBoot({ view, wanted, tell, flooded }, at, last, given);
      last = (yield* found) ?? last;
    }
  }
}

/** Those that were not told before. */
function* notYet(refusals: readonly Refusal[], told: Set<string>): Generator<Refusal> {
  for (const refusal of refusals) {
    if (!told.has(refusal.object)) yield refusal;
    told.add(refusal.object);
  }
}

/**
 * @param last the last segment of the boots before in this listing.
 * @param given numbers of this boot that are in the listing already, under another of its times; added to.
 * @returns the last of this one, null where there is none.
 */
async function* segmentsOfBoot(
  { view, wanted, tell, flooded }: Listing,
  { boot, followed, nextStart_us }: Placed,
  last: SegmentHead | null,
  given: Set<number>,
): AsyncGenerator<Segment | Refusal, SegmentHead | null, undefined> {
  const prefixes = await classPrefixes(view, wanted.stream, boot.boot);
  const all = wanted.boot !== undefined;
  const zero_us = boot.zero_us ?? 0;
  const times = ({ metadata }: OpenedHead) => {
    const start_us = zero_us + metadata.captureUs;
    return { start_us, duration_us: metadata.durationUs };
  };
  const endOf = (opened: OpenedHead): number => {
    const { start_us, duration_us } = times(opened);
    return start_us + duration_us;
  };
  const endsBefore = (opened: OpenedHead): boolean => !all && endOf(opened) <= wanted.from_us;
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
  let before: FoundHead | null = null;
  /** Numbers that are in the store, but only as what is refused. */
  const refusedSeqs = new Set<number>();
  for await (const { found, refused } of heads) {
    yield* refused;
    if (!found) {
      for (const seq of refused.flatMap(footageSeq)) refusedSeqs.add(seq);
      continue;
    }
    const { start_us, duration_us } = times(found);
    const follows = follow(before?.head ?? null, found);
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
      const after = before?.head.header.seq ?? -1;
      missingBefore -= [...refusedSeqs].filter((seq) => seq > after && seq < end).length;
    }
    if (!all && start_us >= wanted.to_us) {
      const from_us = before && endOf(before);
      if (missingBefore > 0 && (from_us ?? 0) < wanted.to_us) {
        const hole = { segments: missingBefore, from_us, to_us: start_us };
        tell({ note: "missing", boot: boot.boot, ...hole });
      }
      return before?.head ?? null;
    }
    refusedSeqs.clear();
    before = found;
    if (given.has(header.seq) || (endsBefore(found) && header.seq < leadIn)) continue;
    given.add(header.seq);
    const floods: Refusal[] = [];
    const onFlood = (refusal: Refusal) => floods.push(refusal);
    if (isFirstOfBoot(header) && !(await isLinked(view, header, last, onFlood))) missingBefore += 1;
    yield* notYet(floods, flooded);
    const bytes = found.head.prelude.totalBytes;
    yield { ...found, boot, start_us, duration_us, bytes, missingBefore };
  }
  if (before === null) return null;
  const end_us = endOf(before);
  const reaches = all || (end_us < wanted.to_us && (nextStart_us ?? wanted.to_us) > wanted.from_us);
  if (followed && reaches && before.metadata.end !== ocellus.v1.SegmentEnd.END_SHUTDOWN) {
    const told_us = boot.zero_us === null ? null : end_us;
    tell({ note: "no-orderly-end", boot: boot.boot, end_us: told_us });
  }
  return before.head;
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
