/**
 * Finds the footage of an interval: boots by their records, the first segment by binary search over segment numbers, and
 * then one segment after the other, with the chain checked on the way.
 */
import type { SegmentHead } from "../../agent/seal/container.ts";
import { type Boot, listBoots } from "./boots.ts";
import { type CameraView, headOf } from "./heads.ts";
import { classPrefixes, firstSegment, segmentNames } from "./names.ts";
import { checkFollows, type Named, type OpenedHead, Refusal } from "./open.ts";

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
  readonly boot: Boot;
  /** On the owner's time line: wall time, or time since the boot's zero where that was never known. */
  readonly start_us: number;
  readonly duration_us: number;
  readonly bytes: number;
  /** Segment numbers missing between the one before in this listing and this one. */
  readonly missingBefore: number;
}

/** A clock of two boots may be off by this much, so neighbours of an interval are looked at too. */
const CLOCK_SLACK_US = 300e6;
const FETCH_AHEAD = 8;

/** The boots whose footage may lie in the interval. */
export async function bootsWanted(view: CameraView, wanted: Wanted): Promise<Boot[]> {
  const boots = await listBoots(view, wanted.stream);
  if (wanted.boot !== undefined) return boots.filter(({ boot }) => boot === wanted.boot);
  return boots.filter(({ boot, zero_us }) => {
    if (zero_us === null || zero_us >= wanted.to_us) return false;
    const next = boots.find((one) => one.boot > boot && one.zero_us !== null);
    return !next?.zero_us || next.zero_us + CLOCK_SLACK_US > wanted.from_us;
  });
}

/**
 * The segments that overlap the interval, in the order they were taken; what is refused stands in its place.
 * Throws Problem where the store fails, Refusal where no time can be believed.
 */
export async function* findSegments(
  view: CameraView,
  wanted: Wanted,
): AsyncGenerator<Segment | Refusal> {
  for (const boot of await bootsWanted(view, wanted)) {
    yield* segmentsOfBoot(view, boot, wanted);
  }
}

async function* segmentsOfBoot(
  view: CameraView,
  boot: Boot,
  wanted: Wanted,
): AsyncGenerator<Segment | Refusal> {
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
  const first = all ? 0 : await firstWanted(view, prefixes, endsBefore);
  const leadIn = wanted.decodable ? await firstWithKey(view, prefixes, first, hasKey) : first;
  const heads = ahead(
    segmentNames(view, prefixes, chainFrom(leadIn)),
    FETCH_AHEAD,
    async (name) => {
      if (name instanceof Refusal) return name;
      const opened = await headOf(view, name).catch(asRefusal);
      return opened instanceof Refusal ? opened : { name, ...opened };
    },
  );
  let before: SegmentHead | null = null;
  for await (const found of heads) {
    if (found instanceof Refusal) {
      yield found;
      continue;
    }
    const { start_us, duration_us } = times(found);
    if (!all && start_us >= wanted.to_us) return;
    const follows = follow(before, found);
    if (follows instanceof Refusal) {
      yield follows;
      continue;
    }
    before = found.head;
    if (endsBefore(found) && found.head.header.seq < leadIn) continue;
    const bytes = found.head.prelude.totalBytes;
    yield { ...found, boot, start_us, duration_us, bytes, missingBefore: follows };
  }
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

/** The number from which on segments do not end before the interval. What is refused is looked past. */
async function firstWanted(
  view: CameraView,
  prefixes: readonly string[],
  endsBefore: (opened: OpenedHead) => boolean,
): Promise<number> {
  // All below `low` end before the interval, `high` and what follows do not.
  let low = 0;
  const tooEarly = async (seq: number): Promise<boolean> => {
    for (let at = seq; ; at++) {
      const name = await firstSegment(view, prefixes, at);
      if (!name) return false;
      const opened = await headOf(view, name).catch(asRefusal);
      if (!(opened instanceof Refusal)) {
        const early = endsBefore(opened);
        if (early) low = name.seq + 1;
        return early;
      }
      at = name.seq;
    }
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
  view: CameraView,
  prefixes: readonly string[],
  seq: number,
  hasKey: (opened: OpenedHead) => boolean,
): Promise<number> {
  let begin = seq;
  for (;;) {
    const name = await firstSegment(view, prefixes, begin);
    if (!name) return seq;
    const opened = await headOf(view, name).catch(asRefusal);
    if (opened instanceof Refusal || hasKey(opened) || name.seq === 0) return begin;
    // Where the one before is missing too, there is nothing to go on from.
    if (name.seq > begin && begin < seq) return seq;
    begin = name.seq - 1;
  }
}

/** One earlier, so that the chain from it is checked. */
function chainFrom(seq: number): number {
  return Math.max(0, seq - 1);
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  throw error;
}

/** Maps in order, with up to `count` results under way. */
async function* ahead<T, R>(
  items: AsyncIterable<T>,
  count: number,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  for await (const item of items) {
    const result = map(item);
    // Its error is met when its turn comes.
    result.catch(() => undefined);
    underWay.push(result);
    if (underWay.length >= count) {
      const next = underWay.shift();
      if (next) yield await next;
    }
  }
  for (const result of underWay) yield await result;
}
