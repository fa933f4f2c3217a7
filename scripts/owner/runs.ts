/**
 * Machine runs. An agent that starts again without a power cycle goes on with the same monotonic clock, and seals again what
 * the camera's ring still holds: the same frames then stand in two boots. Here such boots get one time line, on which each
 * frame stands once. Pure.
 */
import type { Boot } from "./boots.ts";
import type { Tell } from "./notes.ts";
import { Refusal } from "./open.ts";
import type { Segment } from "./recordings.ts";

/** A zero comes from the store's whole seconds and from answers that took their time. */
const ZERO_OFF_US = 3e6;
/** As agent/clock/clock.ts has it: what a camera's crystal is off. */
const DRIFT = 200e-6;
/** More than any ring holds, so that what a later boot sealed again is still at hand. */
const HELD_US = 15 * 60e6;
/** A hole shorter than this is a late frame. */
const LATE_US = 200_000;

/**
 * The boots with the numbers of the first and the last boot of their machine run, and the zero of the first, so that the
 * time between their frames is true. By their records alone, so that an interval shows the same times as any other.
 * @param boots rising.
 */
export function inRuns(boots: readonly Boot[]): Boot[] {
  const runs: Boot[][] = [];
  for (const boot of boots) {
    const before = runs.at(-1)?.at(-1);
    if (before && sameRun(before, boot)) runs.at(-1)?.push(boot);
    else runs.push([boot]);
  }
  return runs.flatMap((run) => {
    const [first, last] = [run[0], run.at(-1)];
    if (!first || !last) return [];
    return run.map((boot) => ({
      ...boot,
      zero_us: first.zero_us,
      run: { first: first.boot, last: last.boot },
    }));
  });
}

/** After a power cycle the next zero is later by all that the boot before lived, at least up to its last record. */
function sameRun(before: Boot, next: Boot): boolean {
  if (before.zero_us === null || next.zero_us === null) return false;
  // Where records of one boot contradict each other, one of them must not move or cover the footage of another boot.
  if (before.otherZeros_us.length + next.otherZeros_us.length > 0) return false;
  const [earlier_us, later_us] = [before.lastRecord_us ?? 0, next.firstRecord_us ?? 0];
  const off_us = Math.min(ZERO_OFF_US, earlier_us / 2) + DRIFT * (later_us - earlier_us);
  return later_us > earlier_us && Math.abs(next.zero_us - before.zero_us) <= off_us;
}

/**
 * The same listing, in which a frame that several boots of one run sealed stands once. A later boot's segments whose time
 * earlier ones cover without a hole are left out. From the first that they do not cover, the later boot counts: the
 * earlier footage ends where it starts (`Segment.until_us`). Segments are told to be the same frames by the exact capture
 * times of their fragments, not by their time alone, which whoever tells the camera the time could make overlap.
 * What the earlier boot has behind a hole is left out with it; the later boot has sealed it again. Whoever has the camera's
 * keys can make a boot that claims so: `tell` is told which boots it is about.
 */
export async function* withoutCopies(
  listing: AsyncIterable<Segment | Refusal>,
  tell: Tell,
): AsyncGenerator<Segment | Refusal> {
  let held: (Segment | Refusal)[] = [];
  /** Of segments that were left out. */
  let missing = 0;
  for await (const item of listing) {
    if (item instanceof Refusal) {
      if (held.length === 0) yield item;
      else held.push(item);
      continue;
    }
    const newest = segmentsOf(held).at(-1);
    if (newest && newest.boot.run.first !== item.boot.run.first) {
      yield* held;
      [held, missing] = [[], 0];
    } else if (newest && newest.name.boot !== item.name.boot && isAgain(item, held)) {
      tell({ note: "sealed-again", boots: [newest.name.boot, item.name.boot] });
      if (isCovered(item, segmentsOf(held))) {
        missing += item.missingBefore;
        continue;
      }
      const cut = segmentsOf(held).filter(({ start_us }) => start_us >= item.start_us);
      missing += cut.reduce((sum, { missingBefore }) => sum + missingBefore, 0);
      held = held.flatMap((one) => endedAt(one, item.start_us));
    }
    held.push(missing === 0 ? item : { ...item, missingBefore: item.missingBefore + missing });
    missing = 0;
    // Nothing comes that could have been sealed again from the last boot of a run.
    const old_us = item.name.boot === item.boot.run.last ? 0 : HELD_US;
    const keep = held.findIndex(
      (one) => !(one instanceof Refusal) && endOf(one) > endOf(item) - old_us,
    );
    yield* held.splice(0, old_us === 0 ? held.length : Math.max(0, keep));
  }
  yield* held;
}

function segmentsOf(items: readonly (Segment | Refusal)[]): Segment[] {
  return items.flatMap((one) => (one instanceof Refusal ? [] : [one]));
}

function endOf({ start_us, duration_us }: Segment): number {
  return start_us + duration_us;
}

/** Whether a frame with which a fragment of the segment begins also begins one of these. */
function isAgain({ metadata }: Segment, held: readonly (Segment | Refusal)[]): boolean {
  const times = new Set(metadata.fragments.map(({ decodeTime }) => decodeTime ?? 0));
  return segmentsOf(held).some((one) =>
    one.metadata.fragments.some(({ decodeTime }) => times.has(decodeTime ?? 0)),
  );
}

function isCovered(segment: Segment, held: readonly Segment[]): boolean {
  let covered_us = segment.start_us;
  for (const one of held) {
    if (one.start_us <= covered_us + LATE_US) covered_us = Math.max(covered_us, endOf(one));
  }
  return covered_us >= endOf(segment) && held.some((one) => one.start_us <= segment.start_us);
}

/** What of an earlier boot stays where a later one begins. */
function endedAt(one: Segment | Refusal, until_us: number): (Segment | Refusal)[] {
  if (one instanceof Refusal || endOf(one) <= until_us) return [one];
  if (one.start_us >= until_us) return [];
  return [{ ...one, duration_us: until_us - one.start_us, until_us }];
}
