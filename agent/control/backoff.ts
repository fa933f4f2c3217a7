/** How long to wait before the next attempt: doubling, jittered, capped. Pure. */

const FIRST_MS = 1_000;
/** Cap of a single wait. */
export const BACKOFF_CAP_MS = 60_000;

/**
 * Milliseconds to wait after `failures` (at least 1) attempts in a row that failed. `random` is uniform in [0, 1): half of
 * the wait is drawn, so that cameras that lost one broker together do not come back together.
 */
export function backoffMs(failures: number, random: number): number {
  const full = Math.min(BACKOFF_CAP_MS, FIRST_MS * 2 ** Math.min(failures - 1, 16));
  return Math.round(full / 2 + (full / 2) * random);
}
