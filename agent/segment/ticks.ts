/**
 * The media clock: 90 kHz since the boot's zero (CLOCK_MONOTONIC). Every time is computed from an absolute capture time,
 * so that rounding never accumulates: durations are differences of ticks.
 */

/** Ticks a second. */
export const TIMESCALE = 90_000;

/** Capture time in ticks, rounded down. Exact for any capture time below 2^53 / 9 µs (31 years). */
export function ticksAt(captureUs: number): number {
  return Math.floor((captureUs * 9) / 100);
}
