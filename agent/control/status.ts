/**
 * Report by exception: a status is due when something that matters has changed, or after the longest silence allowed, and
 * never sooner than the shortest interval after the last one; what changes meanwhile goes into the same status. Pure.
 */
import { ocellus } from "#proto";

const { DROP_SEVERAL } = ocellus.v1.DropReason;

type Public = ocellus.v1.StatusPublic.$Properties;
type Private = ocellus.v1.StatusPrivate.$Properties;
type Range = ocellus.v1.Range.$Properties;
type Stream = ocellus.v1.StreamStatus.$Properties;

/** What a status would say now. `secret` is `null` while nobody could read it. */
export interface StatusView {
  readonly open: Public;
  readonly secret: Private | null;
}

/** No two statuses of a connection within less. */
export const STATUS_MIN_INTERVAL_US = 1_000_000;

/** Parts of the limit by which the queue must move to be news. */
const QUEUE_BAND = 0.1;
/** Part by which memory must move to be news. */
const MEMORY_BAND = 0.2;

/** Ranges a list keeps: all that a status says stays below the 16,384 bytes that a record's private part may have. */
export const RANGES_MAX = 96;

export class StatusSchedule {
  #sent: StatusView | null = null;
  #sentUs = 0;

  /**
   * Microseconds until a status is due; 0: now. `silenceUs` is the longest silence allowed. The answer holds until `view`
   * changes.
   */
  dueInUs(view: StatusView, nowUs: number, silenceUs: number): number {
    if (this.#sent === null) return 0;
    const wait = matters(this.#sent, view) ? STATUS_MIN_INTERVAL_US : silenceUs;
    return Math.max(0, this.#sentUs + wait - nowUs);
  }

  /**
   * `view` was handed to the broker. Whether it arrived is not asked: a lost connection is followed by one with another
   * number, which is news.
   */
  sent(view: StatusView, nowUs: number): void {
    this.#sent = view;
    this.#sentUs = nowUs;
  }
}

/** Whether `after` is news to whoever knows `before`. Times, counts and byte totals alone are not. */
export function matters(before: StatusView, after: StatusView): boolean {
  const publicNews =
    before.open.build !== after.open.build ||
    before.open.recipientsVersion !== after.open.recipientsVersion ||
    before.open.pairing !== after.open.pairing ||
    before.open.connection !== after.open.connection;
  const [old, now] = [before.secret, after.secret];
  if (publicNews || old === null || now === null) return publicNews || old !== now;
  return (
    old.timeQuality !== now.timeQuality ||
    old.settingsGeneration !== now.settingsGeneration ||
    old.access?.state !== now.access?.state ||
    old.access?.reason !== now.access?.reason ||
    stagesOf(old) !== stagesOf(now) ||
    streamsOf(old) !== streamsOf(now) ||
    Math.abs((now.queueBytes ?? 0) - (old.queueBytes ?? 0)) >
      QUEUE_BAND * (now.queueLimitBytes ?? 0) ||
    moved(old.heapKb, now.heapKb) ||
    moved(old.rssKb, now.rssKb)
  );
}

function moved(before: number | null | undefined, after: number | null | undefined): boolean {
  return Math.abs((after ?? 0) - (before ?? 0)) > MEMORY_BAND * (before ?? 0);
}

function stagesOf({ stages }: Private): string {
  return JSON.stringify(
    (stages ?? []).map(({ name, state, cause, reason }) => [name, state, cause, reason]),
  );
}

/** What of the streams is news at once: losses, refusals, another picture, the first segment. */
function streamsOf({ streams }: Private): string {
  return JSON.stringify(
    (streams ?? []).map((s) => [
      s.stream,
      s.sealedAny,
      s.dropped?.length,
      s.dropped?.at(-1)?.last,
      s.framesLost,
      s.width,
      s.height,
    ]),
  );
}

/** `streams` with lists of ranges short enough for a status. */
export function packStreams(streams: readonly Stream[]): Stream[] {
  return streams.map((stream) => ({
    ...stream,
    pending: coarsen(stream.pending ?? [], RANGES_MAX),
    dropped: coarsen(stream.dropped ?? [], RANGES_MAX),
  }));
}

/**
 * At most `most` (at least 1) ranges that cover all of `ranges` (rising, apart). Neighbours with the smallest gap between
 * them are joined, and what lies in the gap is then said too: the owner holds those segments and is not misled, while
 * leaving a range out would call what is missing uploaded. Joined reasons that differ become DROP_SEVERAL.
 */
export function coarsen(ranges: readonly Range[], most: number): Range[] {
  const joins = ranges.length - most;
  if (joins <= 0) return [...ranges];
  const gaps = ranges.slice(1).map((range, i) => gapBetween(ranges[i], range));
  const sorted = [...gaps].sort((a, b) => a - b);
  const largestJoined = sorted[joins - 1] ?? 0;
  // Of several gaps as large as the largest to be joined only so many go.
  let joinsOfLargest = joins - sorted.filter((gap) => gap < largestJoined).length;
  const joined: Range[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    const gap = gapBetween(last, range);
    if (gap < largestJoined || (gap === largestJoined && joinsOfLargest-- > 0)) {
      const reason = last?.reason === range.reason ? (range.reason ?? 0) : DROP_SEVERAL;
      // Of a range inside another the larger end counts: one that shrinks would call what was dropped uploaded.
      const end = Math.max(last?.last ?? 0, range.last ?? 0);
      joined[joined.length - 1] = { first: last?.first ?? 0, last: end, reason };
    } else {
      joined.push({ ...range });
    }
  }
  return joined;
}

/** Infinite where there is nothing before. */
function gapBetween(before: Range | undefined, after: Range): number {
  return before === undefined ? Number.POSITIVE_INFINITY : (after.first ?? 0) - (before.last ?? 0);
}
