/** A token bucket on the monotonic clock. Pure. */

export class Bucket {
  readonly #capacity: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledUs: number;

  /** Starts full. */
  constructor(capacity: number, perSecond: number, nowUs: number) {
    this.#capacity = capacity;
    this.#perSecond = perSecond;
    this.#tokens = capacity;
    this.#filledUs = nowUs;
  }

  /** Takes `cost` tokens if they are there. */
  take(cost: number, nowUs: number): boolean {
    this.#fill(nowUs);
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }

  /** Tokens that are there. */
  level(nowUs: number): number {
    this.#fill(nowUs);
    return this.#tokens;
  }

  /** Milliseconds, rounded up, until `cost` (at most the capacity) tokens will be there. */
  waitMs(cost: number, nowUs: number): number {
    this.#fill(nowUs);
    return Math.ceil((Math.max(0, cost - this.#tokens) * 1000) / this.#perSecond);
  }

  #fill(nowUs: number): void {
    const passed = Math.max(0, nowUs - this.#filledUs);
    this.#filledUs = nowUs;
    const gained = (passed * this.#perSecond) / 1_000_000;
    this.#tokens = Math.min(this.#capacity, this.#tokens + gained);
  }
}
