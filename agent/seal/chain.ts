/** The chain of header hashes of one stream, in capture order (FORMAT.md, "Chain and name"). Pure. */

/** Newest header hash of a stream, kept over a boot (identity.proto, ChainHead). */
export interface ChainHead {
  readonly stream: number;
  readonly boot: number;
  readonly seq: number;
  /** 32 bytes. */
  readonly headerHash: Uint8Array;
}

export interface ChainLink {
  readonly previous: Uint8Array;
  readonly skipped: number;
}

export class Chain {
  readonly #stream: number;
  readonly #boot: number;
  #previous: Uint8Array;
  #next = 0;
  #head: ChainHead | null;

  /** @param kept heads persisted by earlier boots, of any stream. */
  constructor(stream: number, boot: number, kept: readonly ChainHead[]) {
    this.#stream = stream;
    this.#boot = boot;
    this.#head = kept.find((head) => head.stream === stream) ?? null;
    const hash = this.#head?.headerHash;
    this.#previous = hash?.length === 32 ? hash : new Uint8Array(32);
  }

  /** What the header of segment `seq` states. Numbers never go back. */
  link(seq: number): ChainLink {
    if (seq < this.#next) throw new RangeError("the chain goes forward");
    return { previous: this.#previous, skipped: seq - this.#next };
  }

  /** Segment `seq` has a header with this hash, whatever becomes of it. */
  add(seq: number, headerHash: Uint8Array): void {
    this.#previous = headerHash;
    this.#next = seq + 1;
    this.#head = { stream: this.#stream, boot: this.#boot, seq, headerHash };
  }

  /** To persist; `null` where this stream never had a segment. */
  get head(): ChainHead | null {
    return this.#head;
  }
}
