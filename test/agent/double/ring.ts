/** The encoder's side of the double: a ring of frames in memory, and the door that hands it out. */
import type {
  Encoder,
  EncoderConfig,
  Frame,
  NativeError,
} from "../../../agent/runtime/native.d.ts";
import type { Turns } from "./clock.ts";

/** A frame to put into the ring. */
export interface NewFrame {
  readonly payload: Uint8Array;
  readonly key: boolean;
  readonly captureUs: number;
  readonly discontinuity?: boolean;
}

interface Kept extends Frame {
  readonly payload: Uint8Array;
}

/** One writer's ring. A writer that starts again makes a new one. */
export class MemoryRing {
  readonly capacityBytes: number;
  #frames: Kept[] = [];
  #configs = new Map<number, EncoderConfig>();
  #generation = 0;
  #next: number;
  #ended = false;
  #heldBytes = 0;
  #listeners = new Set<() => void>();
  broken = false;

  constructor(capacityBytes = 4 << 20, firstSeq = 0) {
    this.capacityBytes = capacityBytes;
    this.#next = firstSeq;
  }

  /** New parameter sets; frames pushed from here on need them. Returns the generation. */
  setConfig(config: Omit<EncoderConfig, "generation">): number {
    this.#generation += 1;
    this.#configs.set(this.#generation, { generation: this.#generation, ...config });
    this.#configs.delete(this.#generation - 8);
    return this.#generation;
  }

  push(frame: NewFrame): void {
    const { key, captureUs, payload } = frame;
    this.#frames.push({
      seq: this.#next,
      bytes: payload.length,
      key,
      discontinuity: frame.discontinuity ?? false,
      config: this.#generation,
      captureUs,
      payload,
    });
    this.#next = (this.#next + 1) >>> 0;
    this.#heldBytes += payload.length;
    while (this.#heldBytes > this.capacityBytes)
      this.#heldBytes -= this.#frames.shift()?.bytes ?? 0;
    for (const wake of this.#listeners) wake();
  }

  /** No frame will follow. */
  end(): void {
    this.#ended = true;
    for (const wake of this.#listeners) wake();
  }

  /** Payload of a frame; `null` once it was overwritten. */
  payload(frame: Frame): Uint8Array | null {
    return this.#frames.find(({ seq }) => seq === frame.seq)?.payload ?? null;
  }

  /** @internal */
  config(generation: number): EncoderConfig | null {
    return this.#configs.get(generation) ?? null;
  }

  /** @internal The frame `after` the given number, as a reader would get it; undefined number: the oldest key frame. */
  read(after: number | undefined): Frame | { lapped: number } | null | "ended" {
    const oldest = this.#frames[0];
    if (after === undefined) return strip(this.#frames.find(({ key }) => key)) ?? this.#none();
    const wanted = (after + 1) >>> 0;
    if (wanted === this.#next) return this.#none();
    const found = this.#frames.find(({ seq }) => seq === wanted);
    if (found !== undefined) return strip(found);
    const newest = this.#frames.findLast(({ key }) => key) ?? oldest;
    return { lapped: ((newest?.seq ?? this.#next) - wanted) >>> 0 };
  }

  /** @internal Number before the newest key frame: where a lapped reader goes on. */
  beforeNewestKey(): number {
    return ((this.#frames.findLast(({ key }) => key)?.seq ?? this.#next) - 1) >>> 0;
  }

  /** @internal */
  listen(wake: () => void): () => void {
    this.#listeners.add(wake);
    return () => this.#listeners.delete(wake);
  }

  #none(): null | "ended" {
    return this.#ended ? "ended" : null;
  }
}

function strip(frame: Kept | undefined): Frame | null {
  if (frame === undefined) return null;
  const { payload: _, ...rest } = frame;
  return rest;
}

interface Consumer {
  wake(): void;
  closed(): void;
}

/** The encoder's socket: what `openEncoder` finds behind it, and what it was asked for. */
export class Door {
  readonly requests: { what: string; value: number }[] = [];
  /** How requests are answered from here on. */
  answer: "ok" | "unsupported" | "refused" = "ok";
  /** Why the encoder lets nobody in from here on; null: it does. */
  refusal: NativeError | null = null;
  readonly #turns: Turns;
  readonly #rings = new Map<number, MemoryRing>();
  readonly #consumers = new Map<number, Set<Consumer>>();
  #opened = 0;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** How many times `openEncoder` was called, successful or not. */
  get attempts(): number {
    return this.#opened;
  }

  /** Handles that were not closed, but for those of encoders that died. */
  get connected(): number {
    return [...this.#consumers.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Starts an encoder for a stream. */
  start(ring: MemoryRing, stream = 0): void {
    this.#rings.set(stream, ring);
  }

  /** The encoder process goes away: its frames can still be read, and the door does not open. */
  die(stream = 0): void {
    this.#rings.delete(stream);
    for (const consumer of this.#consumers.get(stream) ?? []) consumer.closed();
    this.#consumers.delete(stream);
  }

  open(
    stream: number,
    on: {
      readable(): void;
      reply(id: number, result: "ok" | "unsupported" | "refused"): void;
      closed(error: NativeError | null): void;
    },
  ): DoubleEncoder | NativeError {
    this.#opened += 1;
    const ring = this.#rings.get(stream);
    if (ring === undefined) return { error: "no-encoder", text: "no encoder listens" };
    let waking = false;
    const wake = () => {
      if (waking) return;
      waking = true;
      this.#turns.post(() => {
        waking = false;
        if (encoder.isOpen) on.readable();
      });
    };
    const stopListening = ring.listen(wake);
    const consumer: Consumer = {
      wake,
      closed: () => {
        wake();
        this.#turns.post(() => {
          if (encoder.isOpen) on.closed(null);
        });
      },
    };
    const consumers = this.#consumers.get(stream) ?? new Set();
    this.#consumers.set(stream, consumers.add(consumer));
    const encoder = new DoubleEncoder(ring, {
      request: (id, what, value) => {
        this.requests.push({ what, value });
        const answer = this.answer;
        this.#turns.post(() => {
          if (encoder.isOpen) on.reply(id, answer);
        });
      },
      close: () => {
        stopListening();
        consumers.delete(consumer);
      },
    });
    const { refusal } = this;
    this.#turns.post(() => {
      if (!encoder.isOpen) return;
      if (refusal !== null) return on.closed(refusal);
      encoder.attached = true;
      wake();
    });
    return encoder;
  }
}

/** What `openEncoder` gives; `ring` is for the double's `writeFragment`. */
export class DoubleEncoder implements Encoder {
  readonly ring: MemoryRing;
  isOpen = true;
  /** The ring was handed over. */
  attached = false;
  #last: number | undefined;
  #requests = 0;
  readonly #door: {
    request(id: number, what: string, value: number): void;
    close(): void;
  };

  constructor(
    ring: MemoryRing,
    door: { request(id: number, what: string, value: number): void; close(): void },
  ) {
    this.ring = ring;
    this.#door = door;
  }

  next(): Frame | { lapped: number } | null | "ended" | NativeError {
    this.#mustBeOpen();
    if (!this.attached) return null;
    if (this.ring.broken) return { error: "bad-ring", text: "the ring contradicts itself" };
    const found = this.ring.read(this.#last);
    if (found === null || found === "ended") return found;
    this.#last = "lapped" in found ? this.ring.beforeNewestKey() : found.seq;
    return found;
  }

  config(generation: number): EncoderConfig | null {
    this.#mustBeOpen();
    return this.attached ? this.ring.config(generation) : null;
  }

  request(what: "keyFrame" | "bitrate" | "frameRate" | "flip" | "night", value: number): number {
    this.#mustBeOpen();
    this.#requests += 1;
    this.#door.request(this.#requests, what, value);
    return this.#requests;
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#door.close();
  }

  #mustBeOpen(): void {
    if (!this.isOpen) throw new Error("the encoder handle is closed");
  }
}
