/**
 * What waits for the store, ordered by worth. Pure: it holds items and decides; its holder bounds it, in bytes and in number.
 *
 * Up: the worthiest first, among equals the oldest. Out, when room is needed: the least worthy first, among equals the
 * oldest, so that what is left is the newest unbroken footage.
 */

/** What the order looks at. Later versions fill in more classes (live, event, its pre-event seconds). */
export interface Worth {
  /** 0 continuous, 1 event; higher goes up first and is dropped last. */
  readonly worth: number;
  readonly captureUs: number;
}

/** Negative where `a` goes up before `b`. */
export function byWorth(a: Worth, b: Worth): number {
  return b.worth - a.worth || a.captureUs - b.captureUs;
}

/** Negative where `a` is dropped before `b`. */
export function byWorthlessness(a: Worth, b: Worth): number {
  return a.worth - b.worth || a.captureUs - b.captureUs;
}

export class UploadQueue<Item extends Worth> {
  readonly #waiting = new Set<Item>();
  #sending: Item | null = null;

  add(item: Item): void {
    this.#waiting.add(item);
  }

  /** Items that wait or are being sent. */
  get length(): number {
    return this.#waiting.size + (this.#sending === null ? 0 : 1);
  }

  /** What `take` gave and nobody has settled. */
  get sending(): Item | null {
    return this.#sending;
  }

  /** Takes the next to send; it stays in the queue until `settle` or `giveBack`. `null`: nothing waits. */
  take(): Item | null {
    if (this.#sending !== null) throw new Error("one object at a time");
    const item = first(this.#waiting, byWorth);
    if (item !== null) this.#waiting.delete(item);
    this.#sending = item;
    return item;
  }

  /** The item being sent leaves the queue: it is stored, or it is given up for good. */
  settle(): Item {
    const item = this.#sending;
    if (item === null) throw new Error("nothing is being sent");
    this.#sending = null;
    return item;
  }

  /** The attempt failed: the item waits again. */
  giveBack(): void {
    this.#waiting.add(this.settle());
  }

  /** Takes out the item to drop first; never the one being sent, which would free no room before its end. */
  drop(): Item | null {
    const item = first(this.#waiting, byWorthlessness);
    if (item !== null) this.#waiting.delete(item);
    return item;
  }
}

/** Some hundred items at most (WAITING_MAX in recorder.ts): a scan is shorter than a heap. */
function first<Item>(items: Iterable<Item>, compare: (a: Item, b: Item) => number): Item | null {
  let best: Item | null = null;
  for (const item of items) if (best === null || compare(item, best) < 0) best = item;
  return best;
}
