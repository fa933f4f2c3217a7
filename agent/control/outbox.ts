/**
 * What waits to be published: replies first, then segment records, each bounded. Status is not kept here: it is made when
 * it can be sent, so that it is never old. Pure.
 */

export interface Outgoing {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** Replies that wait; the oldest give way. */
const REPLIES_MAX = 16;
/** Segment records that wait. They are hints (the store is the truth), so the oldest give way. */
export const SEGMENTS_MAX = 64;
export class Outbox {
  #replies: Outgoing[] = [];
  #segments: Outgoing[] = [];
  readonly #inFlight = new Set<Outgoing>();
  #overflowed = 0;

  /** Records and replies that gave way since `takeOverflow`. */
  takeOverflow(): number {
    const overflowed = this.#overflowed;
    this.#overflowed = 0;
    return overflowed;
  }

  /** Waiting or on the way. */
  get size(): number {
    return this.#replies.length + this.#segments.length;
  }

  reply(message: Outgoing): void {
    this.#replies = this.#bounded([...this.#replies, message], REPLIES_MAX);
  }

  segment(message: Outgoing): void {
    this.#segments = this.#bounded([...this.#segments, message], SEGMENTS_MAX);
  }

  /** The next to publish, now on the way until `acknowledged` or `connectionLost`; `null`: none. */
  next(): Outgoing | null {
    const next = [...this.#replies, ...this.#segments].find((m) => !this.#inFlight.has(m));
    if (next === undefined) return null;
    this.#inFlight.add(next);
    return next;
  }

  /** The broker has it, or has refused it for good. */
  acknowledged(message: Outgoing): void {
    this.#inFlight.delete(message);
    this.#replies = this.#replies.filter((m) => m !== message);
    this.#segments = this.#segments.filter((m) => m !== message);
  }

  /** Whatever was on the way waits again; sent twice, it is the same record with the same number. */
  connectionLost(): void {
    this.#inFlight.clear();
  }

  #bounded(queue: Outgoing[], most: number): Outgoing[] {
    const excess = queue.splice(0, Math.max(0, queue.length - most));
    for (const message of excess) this.#inFlight.delete(message);
    this.#overflowed += excess.length;
    return queue;
  }
}
