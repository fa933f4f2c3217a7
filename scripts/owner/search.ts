/** Where in a boot's numbers an interval begins, with few requests. */
import type { FoundHead } from "./heads.ts";
import type { OpenedHead } from "./open.ts";

/** The first good segment from a number on; null where there is none. */
export type Next = (seq: number) => Promise<FoundHead | null>;

/** The number from which on segments do not end before the interval. What is refused is looked past. */
export async function firstWanted(
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
export async function firstWithKey(
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
export function chainFrom(seq: number): number {
  return Math.max(0, seq - 1);
}
