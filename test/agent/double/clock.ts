/**
 * Time for the double: a clock that stands still until a test moves it, and the turns of the poll loop.
 *
 * Every callback of the contract runs in a turn of its own. Between turns promises are drained, as the runtime does.
 */

interface Timer {
  readonly number: number;
  readonly dueUs: number;
  readonly callback: () => void;
}

/** How `Native` gets its time and its turns; the virtual clock and the wall clock (realtime.ts) both serve. */
export interface Turns {
  nowUs(): number;
  setTimer(ms: number, callback: () => void): number;
  clearTimer(timer: number): void;
  /** Runs `callback` in a turn of its own, soon. */
  post(callback: () => void): void;
}

export class VirtualClock implements Turns {
  #nowUs: number;
  #timers: Timer[] = [];
  #posted: (() => void)[] = [];
  #next = 1;

  /** @param startUs the camera's monotonic clock when the agent starts. */
  constructor(startUs = 3_700_000) {
    this.#nowUs = startUs;
  }

  nowUs(): number {
    return this.#nowUs;
  }

  setTimer(ms: number, callback: () => void): number {
    if (!(Number.isInteger(ms) && ms >= 0 && ms <= 0x7fff_ffff))
      throw new RangeError(`timer of ${ms} ms`);
    const number = this.#next++;
    this.#timers.push({ number, dueUs: this.#nowUs + ms * 1000, callback });
    return number;
  }

  clearTimer(timer: number): void {
    this.#timers = this.#timers.filter(({ number }) => number !== timer);
  }

  post(callback: () => void): void {
    this.#posted.push(callback);
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.length;
  }

  /** Runs posted turns until there are none, without moving time. */
  async settle(): Promise<void> {
    await drainPromises();
    for (let turns = 0; ; turns++) {
      const callback = this.#posted.shift();
      if (callback === undefined) return;
      if (turns > 1_000_000) throw new Error("the agent posts turns without end");
      callback();
      await drainPromises();
    }
  }

  /** Moves time on by `ms`, running every timer when it is due, in order. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowUs + Math.round(ms * 1000);
    await this.settle();
    for (;;) {
      const due = this.#timers
        .filter(({ dueUs }) => dueUs <= end)
        .sort((a, b) => a.dueUs - b.dueUs || a.number - b.number)[0];
      if (due === undefined) break;
      this.#timers.splice(this.#timers.indexOf(due), 1);
      this.#nowUs = Math.max(this.#nowUs, due.dueUs);
      due.callback();
      await this.settle();
    }
    this.#nowUs = end;
  }

  /** Moves time on in steps until `done` says so; throws after `limitMs`. */
  async until(done: () => boolean, limitMs = 60_000, stepMs = 10): Promise<void> {
    await this.settle();
    for (let passed = 0; !done(); passed += stepMs) {
      if (passed > limitMs) throw new Error(`not reached within ${limitMs} ms of virtual time`);
      await this.advance(stepMs);
    }
  }
}

/** Lets all promise jobs run: they are done before the next macrotask. */
function drainPromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
