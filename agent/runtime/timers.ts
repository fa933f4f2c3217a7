/** setTimeout and its kin (HTML standard, "Timers") over the machine's one-shot timers. */
import type { Native } from "./native.d.ts";

type Run = (...args: unknown[]) => void;

export interface Timers {
  /** Milliseconds; below zero or missing is 0. Timer numbers are positive. */
  setTimeout(run: Run, ms?: number, ...args: unknown[]): number;
  clearTimeout(timer?: unknown): void;
  setInterval(run: Run, ms?: number, ...args: unknown[]): number;
  clearInterval(timer?: unknown): void;
}

/** The longest that a native timer takes. */
const MS_MAX = 0x7fff_ffff;

export function timersFor(native: Pick<Native, "setTimer" | "clearTimer">): Timers {
  /** Native timer of each interval that runs, by the number the caller knows: that of its first round. */
  const intervals = new Map<number, number>();

  const wait = (ms: number | undefined) => {
    const whole = Math.ceil(Number(ms ?? 0));
    return whole > 0 ? Math.min(whole, MS_MAX) : 0;
  };

  const clear = (timer?: unknown) => {
    if (typeof timer !== "number") return;
    native.clearTimer(intervals.get(timer) ?? timer);
    intervals.delete(timer);
  };

  return {
    setTimeout: (run, ms, ...args) => native.setTimer(wait(ms), () => run(...args)),
    clearTimeout: clear,
    setInterval: (run, ms, ...args) => {
      // 1 ms at least: an interval of nothing would starve the poll loop.
      const every = Math.max(1, wait(ms));
      const round = () => {
        intervals.set(first, native.setTimer(every, round));
        run(...args);
      };
      const first = native.setTimer(every, round);
      intervals.set(first, first);
      return first;
    },
    clearInterval: clear,
  };
}
