/**
 * What the camera's own monotonic clock shows, as far as its owner can tell: commands are good until a time on that clock.
 *
 * No wall clock is asked. A camera takes the time from its store, which may be wrong, so the age of a status cannot be read
 * from what it says of wall time. What is certain: the clock showed what a verified record states, and has gone on since
 * that record was heard, by the owner's own monotonic clock. It may show more, because a record may be old when it is
 * heard: one that the broker retained, or that it kept back or says again.
 */
import type { Status } from "./status.ts";

/** The camera's clock as one of its verified records states it, and when that was heard. */
export interface ClockReading {
  readonly boot: number;
  /** What the record states. */
  readonly camera_us: number;
  /** The owner's monotonic clock when it was heard. */
  readonly heard_us: number;
  /** It came as it was said, as far as the broker can be believed: it was not retained. */
  readonly live: boolean;
}

/** A command is good for so long from the earliest time that the camera may have; the camera takes ten minutes at most. */
export const VALIDITY_US = 9.5 * 60e6;
/** Silence that a camera's settings may allow between two statuses. */
const SILENCE_MAX_US = 3_600e6;

/** The owner's monotonic clock. */
export function ownerMonotonic_us(): number {
  return performance.now() * 1000;
}

/**
 * Earliest times that the camera may have now. A command that is made for one of them is good from then on for
 * VALIDITY_US; together they cover what must be covered:
 *
 * - Where its answers can be opened, one. A camera that refuses a command for its time states its clock in the refusal,
 *   which answers that very command and so cannot be old: the next command is made for that.
 * - Where they cannot be opened (`unreadable`) and the reading was retained, as many as reach over the longest silence.
 *   They stay good for as long together, so a broker may hold some back and deliver them up to an hour later in the same
 *   boot. So only what does no harm then is sent in this way: a recipients' list, which a camera takes once and never
 *   after a newer one.
 */
export function earliestTimes_us(
  { camera_us, heard_us, live }: ClockReading,
  unreadable: boolean,
  now_us: number,
): number[] {
  const earliest_us = camera_us + Math.max(0, now_us - heard_us);
  const windows = unreadable && !live ? Math.ceil(SILENCE_MAX_US / VALIDITY_US) : 1;
  return Array.from({ length: windows }, (_one, i) => Math.round(earliest_us + i * VALIDITY_US));
}

/** Whether the camera's answers to us cannot be opened, or it has nobody to seal them to. */
export function isUnreadable({ secret }: Status): boolean {
  return secret === null;
}
