/**
 * The edge to the encoder: opens its door with jittered back-off, drains frames as they become readable, and says what it
 * met. One for each stream.
 */
import type { Encoder, EncoderConfig, Frame, Native, NativeError } from "../runtime/native.d.ts";

/** Whom the capture tells. Called from turns of the poll loop, never inside a call to the capture. */
export interface CaptureSink {
  /** The next frame. `encoder` is borrowed for this turn. */
  frame(frame: Frame, encoder: Encoder): void;
  /** So many frames were overwritten before they could be read. */
  lapped(frames: number): void;
  /** No frame follows from this encoder: it ended, went away, or stalled. */
  interrupted(): void;
  /** Frames come, or why they do not: a machine-readable cause and a sentence. `null`: all is well. */
  health(trouble: CaptureTrouble | null): void;
}

export interface CaptureTrouble {
  /** no-encoder, bad-ring, io, encoder-ended, encoder-stalled. */
  readonly cause: string;
  readonly reason: string;
}

/** What the encoder may be asked for once it is there. */
export interface EncoderRequest {
  readonly what: "keyFrame" | "bitrate" | "frameRate" | "flip" | "night";
  readonly value: number;
}

/** Frames handed on in one turn: 5 s at 25 fps; a backlog takes several turns, so that the network gets its own. */
const FRAMES_A_TURN = 128;
const RETRY_FIRST_MS = 100;
const RETRY_CAP_MS = 5_000;
/** The encoder starts together with the agent: only after this long is it missed. */
const PATIENCE_MS = 5_000;
/** No frame for so long: the encoder hangs. */
const STALL_MS = 10_000;

export class Capture {
  readonly #native: Native;
  readonly #stream: number;
  readonly #sink: CaptureSink;
  readonly #startedUs: number;
  #encoder: Encoder | null = null;
  #wanted: readonly EncoderRequest[] = [];
  #stopped = false;
  /** Attempts to open the door, or rings that broke, since the last frame. */
  #failures = 0;
  #retryTimer: number | null = null;
  #drainTimer: number | null = null;
  #stallTimer: number | null = null;
  /** Capture time of the newest frame handed on, and when it was. */
  #newestUs = -1;
  #handedUs = 0;
  /** When the newest frame was handed on, or since when one is awaited. */
  #awaitedUs: number;
  /** No frame of this connection was handed on yet. */
  #fresh = true;
  #ended = false;
  #gone = false;

  constructor(native: Native, stream: number, sink: CaptureSink) {
    this.#native = native;
    this.#stream = stream;
    this.#sink = sink;
    this.#startedUs = native.monotonicUs();
    this.#awaitedUs = this.#startedUs;
  }

  /** When the newest frame came, or since when one is awaited; `null`: the encoder says that none will follow. */
  get pictureUs(): number | null {
    return this.#ended ? null : this.#awaitedUs;
  }

  /** Opens the door, again and again until it does. */
  start(): void {
    this.#openLater(0);
  }

  /** Closes the encoder. What was not drained stays in the ring. */
  stop(): void {
    this.#stopped = true;
    this.#close();
    if (this.#retryTimer !== null) this.#native.clearTimer(this.#retryTimer);
  }

  /** What the encoder is asked for now, and again after each time the door was opened. */
  want(requests: readonly EncoderRequest[]): void {
    this.#wanted = requests;
    for (const request of requests) this.ask(request);
  }

  /** Asks once; a request to an encoder that is not there is forgotten. */
  ask({ what, value }: EncoderRequest): void {
    this.#encoder?.request(what, value);
  }

  /** `null`: that generation is no longer in the ring. */
  config(generation: number): EncoderConfig | null {
    return this.#encoder?.config(generation) ?? null;
  }

  #open(): void {
    const opened = this.#native.openEncoder(this.#stream, {
      readable: () => {
        if (this.#encoder === opened) this.#drain();
      },
      reply: () => {},
      closed: (error) => {
        if (this.#encoder !== opened) return;
        if (error !== null) {
          this.#close();
          this.#missed(error);
          return;
        }
        this.#gone = true;
        this.#drain();
      },
    });
    if ("error" in opened) {
      this.#missed(opened);
      return;
    }
    this.#encoder = opened;
    this.#fresh = true;
    if (this.#ended) this.#awaitedUs = this.#native.monotonicUs();
    this.#ended = false;
    this.#gone = false;
    this.#handedUs = this.#native.monotonicUs();
    for (const request of this.#wanted) this.ask(request);
    this.#watchForStall();
  }

  /** The door did not open. */
  #missed(error: NativeError): void {
    const waitedMs = (this.#native.monotonicUs() - this.#startedUs) / 1000;
    if (this.#newestUs >= 0 || waitedMs > PATIENCE_MS)
      this.#sink.health({ cause: error.error, reason: `No pictures: ${error.text}.` });
    this.#retry();
  }

  /** Hands on what waits in the ring, in several turns where it is much. */
  #drain(): void {
    const encoder = this.#encoder;
    for (let frames = 0; encoder !== null && frames < FRAMES_A_TURN; frames++) {
      const next = encoder.next();
      if (next === null || next === "ended" || "error" in next) {
        this.#drained(next);
        return;
      }
      if ("lapped" in next) this.#sink.lapped(next.lapped);
      else this.#take(next, encoder);
      if (this.#encoder !== encoder) return;
    }
    if (encoder === null) return;
    this.#drainTimer ??= this.#native.setTimer(0, () => {
      this.#drainTimer = null;
      this.#drain();
    });
  }

  #take(frame: Frame, encoder: Encoder): void {
    // A connection begins at the oldest key frame in the ring, which the last connection may have taken already.
    if (this.#fresh && frame.captureUs <= this.#newestUs) return;
    this.#handedUs = this.#native.monotonicUs();
    this.#awaitedUs = this.#handedUs;
    this.#newestUs = frame.captureUs;
    if (this.#fresh) {
      this.#fresh = false;
      this.#failures = 0;
      this.#sink.health(null);
    }
    this.#sink.frame(frame, encoder);
  }

  /** Nothing more can be read for now, or ever. */
  #drained(why: null | "ended" | NativeError): void {
    if (why !== null && why !== "ended") {
      this.#sink.health({ cause: why.error, reason: `The encoder's ring fails: ${why.text}.` });
      this.#reopen();
    } else if (this.#gone) {
      this.#sink.health({ cause: "no-encoder", reason: "No pictures: the encoder went away." });
      this.#reopen();
    } else if (why === "ended" && !this.#ended) {
      // The process may stay, and to open its door again would give the same footage.
      this.#ended = true;
      this.#stopWatching();
      this.#sink.interrupted();
      const reason = "No pictures: the encoder says that its footage is over.";
      this.#sink.health({ cause: "encoder-ended", reason });
    }
  }

  #reopen(): void {
    if (!this.#ended) this.#sink.interrupted();
    this.#close();
    this.#retry();
  }

  #close(): void {
    this.#encoder?.close();
    this.#encoder = null;
    this.#stopWatching();
    if (this.#drainTimer !== null) this.#native.clearTimer(this.#drainTimer);
    this.#drainTimer = null;
  }

  #watchForStall(): void {
    this.#stallTimer = this.#native.setTimer(STALL_MS, () => {
      const silentMs = (this.#native.monotonicUs() - this.#handedUs) / 1000;
      if (silentMs < STALL_MS) {
        this.#watchForStall();
        return;
      }
      const reason = `No pictures: the encoder has given none for ${Math.round(silentMs / 1000)} s.`;
      this.#sink.health({ cause: "encoder-stalled", reason });
      this.#reopen();
    });
  }

  #stopWatching(): void {
    if (this.#stallTimer !== null) this.#native.clearTimer(this.#stallTimer);
    this.#stallTimer = null;
  }

  #retry(): void {
    this.#failures += 1;
    const full = Math.min(RETRY_CAP_MS, RETRY_FIRST_MS * 2 ** Math.min(this.#failures - 1, 16));
    const random = (this.#native.random(1)[0] ?? 0) / 256;
    this.#openLater(Math.round(full / 2 + (full / 2) * random));
  }

  #openLater(ms: number): void {
    if (this.#stopped) return;
    this.#retryTimer = this.#native.setTimer(ms, () => {
      this.#retryTimer = null;
      this.#open();
    });
  }
}
