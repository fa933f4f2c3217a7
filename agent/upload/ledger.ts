/**
 * What became of every segment number of one stream in this boot: pending, uploaded, or dropped and why. Pure. Status says
 * it, signed, so that "the camera dropped it", "it is on its way" and "the cloud lost it" are different, provable things.
 */
import { ocellus } from "#proto";
import { coarsen } from "../control/status.ts";

type DropReason = ocellus.v1.DropReason;
type Range = ocellus.v1.Range.$Properties;

/** Ranges kept in memory; far more than a status carries. */
const RANGES_MAX = 512;

export class Ledger {
  /** Rising. */
  #pending: number[] = [];
  /** Rising, apart. Where ranges were joined, numbers in between lie in them too: some wait, some are in the store. */
  #dropped: { first: number; last: number; reason: DropReason }[] = [];
  #uploaded = 0;

  /** Segment `seq` was sealed and waits. */
  sealed(seq: number): void {
    this.#pending.push(seq);
  }

  /** It is in the store. */
  uploaded(seq: number): void {
    this.#settle(seq);
    this.#uploaded += 1;
  }

  /** It never will be; also for one that was abandoned before it was sealed. */
  dropped(seq: number, reason: DropReason): void {
    this.#settle(seq);
    const at = this.#dropped.findLastIndex(({ first }) => first <= seq) + 1;
    const [before, after] = [this.#dropped[at - 1], this.#dropped[at]];
    if (before !== undefined && before.last >= seq) {
      // It waited while the ranges on both sides of it were joined.
      if (before.reason !== reason) before.reason = ocellus.v1.DropReason.DROP_SEVERAL;
      return;
    }
    const joinsBefore = before?.reason === reason && before.last === seq - 1;
    const joinsAfter = after?.reason === reason && after.first === seq + 1;
    if (joinsBefore && joinsAfter) {
      before.last = after.last;
      this.#dropped.splice(at, 1);
    } else if (joinsBefore) before.last = seq;
    else if (joinsAfter) after.first = seq;
    else this.#dropped.splice(at, 0, { first: seq, last: seq, reason });
    if (this.#dropped.length > RANGES_MAX) this.#coarsen();
  }

  /** How many are in the store. */
  get uploadedCount(): number {
    return this.#uploaded;
  }

  /** Ranges that wait, rising; their reason says nothing. */
  pendingRanges(): Range[] {
    const ranges: { first: number; last: number }[] = [];
    for (const seq of this.#pending) {
      const last = ranges.at(-1);
      if (last?.last === seq - 1) last.last = seq;
      else ranges.push({ first: seq, last: seq });
    }
    return ranges;
  }

  /** Ranges that were dropped, rising, apart; where they were joined, they may hold numbers that wait or are in the store. */
  droppedRanges(): Range[] {
    return this.#dropped.map((range) => ({ ...range }));
  }

  #settle(seq: number): void {
    const at = this.#pending.indexOf(seq);
    if (at >= 0) this.#pending.splice(at, 1);
  }

  /** Half as many, so that it is not done for each drop of a long bad time. */
  #coarsen(): void {
    this.#dropped = coarsen(this.#dropped, RANGES_MAX / 2).map(({ first, last, reason }) => ({
      first: first ?? 0,
      last: last ?? 0,
      reason: reason ?? ocellus.v1.DropReason.DROP_UNKNOWN,
    }));
  }
}
