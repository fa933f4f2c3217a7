/** What came and was not looked at yet: the newest, so that whoever floods a topic fills no memory. */
export class Inbox {
  /** Each as large as a packet may be: 4 MiB in all. */
  static readonly MAX = 64;
  readonly #held: Uint8Array[] = [];

  /** Where it is full, the oldest is given up: a camera says all of it again. */
  push(payload: Uint8Array): void {
    if (this.#held.length >= Inbox.MAX) this.#held.shift();
    this.#held.push(payload);
  }

  /** The oldest, undefined where there is none. */
  shift(): Uint8Array | undefined {
    return this.#held.shift();
  }
}
