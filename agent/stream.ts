/**
 * One stream from the encoder's door to sealed segments: carries out what the segmenter decides, and counts what is lost.
 */
import type { ocellus } from "#proto";
import { Capture, type CaptureSink, type EncoderRequest } from "./capture/capture.ts";
import type { StageTrouble } from "./health.ts";
import type { Encoder, Frame, Native, Written } from "./runtime/native.d.ts";
import { type SealedSegment, Sealer, type SealerParts } from "./seal/sealer.ts";
import { type Decision, type EndReason, Segmenter } from "./segment/segmenter.ts";

/** Why a number never became an object. */
export type Lost = Exclude<Written, "ok">;

export interface StreamParts extends SealerParts {
  readonly segmentS: number;
  /** A segment is sealed; the receiver closes its handle. */
  sealed(segment: SealedSegment): void;
  /** Segment `seq` is lost before it became an object. */
  lost(seq: number, why: Lost): void;
  captureHealth(trouble: StageTrouble | null): void;
  sealHealth(trouble: StageTrouble | null): void;
}

/** Frames wait in the ring until their fragment ends: 1/8 of the default ring. */
const FRAGMENT_BYTES = 512 << 10;
/** A segment takes at most this part of the arena, so that one can wait while another is sent and a third grows. */
const SEGMENT_SHARE = 1 / 4;

const FULL: StageTrouble = {
  cause: "queue-full",
  reason: "Footage is lost: no room for it while older footage waits for the store.",
};
/** The segmenter keeps a segment shorter than that, unless a single frame is of an absurd size. */
const TOO_LONG: StageTrouble = {
  cause: "too-long",
  reason: "Footage is lost: a segment cannot hold what the encoder makes. Lower its bitrate.",
};
const LAPPED: StageTrouble = {
  cause: "lapped",
  reason: "Footage is lost: the camera was too slow to take it from the encoder.",
};
const TROUBLE: Record<Lost, StageTrouble> = { full: FULL, lapped: LAPPED, "too-long": TOO_LONG };

export class Stream implements CaptureSink {
  readonly number: number;
  readonly #parts: StreamParts;
  readonly #capture: Capture;
  readonly #segmenter: Segmenter;
  readonly #sealer: Sealer;
  #encoder: Encoder | null = null;
  /** The segmenter's name for the segment that the sealer has open. */
  #ordinal = -1;
  /** The segment before became an object: what continues it can be decoded. */
  #keptBefore = false;
  #frames = 0;
  #framesLost = 0;
  #lostSinceSegment = 0;
  #size = { width: 0, height: 0 };

  constructor(native: Native, parts: StreamParts) {
    this.number = parts.stream;
    this.#parts = parts;
    this.#capture = new Capture(native, parts.stream, this);
    this.#sealer = new Sealer(parts);
    this.#segmenter = new Segmenter({
      segmentS: parts.segmentS,
      fragmentBytes: FRAGMENT_BYTES,
      segmentBytes: native.options.queueBytes * SEGMENT_SHARE,
    });
  }

  start(): void {
    this.#capture.start();
  }

  /** Seals what is open and leaves the encoder. */
  stop(): void {
    this.#flush("shutdown");
    this.#capture.stop();
  }

  setSegmentS(segmentS: number): void {
    this.#segmenter.setSegmentS(segmentS);
  }

  /** A new recipients' list is in force: the open segment ends at the next key frame, which is asked for. */
  recipientsChanged(): void {
    this.#segmenter.endAtKeyFrame();
    this.#capture.ask({ what: "keyFrame", value: 0 });
  }

  /** What the encoder is asked for, now and after each time it was opened. */
  want(requests: readonly EncoderRequest[]): void {
    this.#capture.want(requests);
  }

  /** When the newest picture came, or since when one is awaited; `null`: none is due. */
  get pictureUs(): number | null {
    return this.#capture.pictureUs;
  }

  /** This stream's own part of StreamStatus. */
  get status(): Pick<
    ocellus.v1.StreamStatus.$Properties,
    "stream" | "frames" | "framesLost" | "width" | "height"
  > {
    const { width, height } = this.#size;
    return {
      stream: this.number,
      frames: this.#frames,
      framesLost: this.#framesLost,
      width,
      height,
    };
  }

  // ---- CaptureSink ----------------------------------------------------------------------------------------------------

  frame(frame: Frame, encoder: Encoder): void {
    this.#encoder = encoder;
    this.#carryOut(this.#segmenter.push(frame));
  }

  lapped(frames: number): void {
    this.#carryOut(this.#segmenter.lapped(frames));
    this.#parts.sealHealth(LAPPED);
  }

  interrupted(): void {
    this.#flush("encoder");
    this.#encoder = null;
  }

  health(trouble: StageTrouble | null): void {
    this.#parts.captureHealth(trouble);
  }

  // ---- decisions ------------------------------------------------------------------------------------------------------

  #flush(end: EndReason): void {
    this.#carryOut(this.#segmenter.flush(end));
  }

  #carryOut(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      switch (decision.do) {
        case "open":
          this.#begin(decision.first, decision.ordinal);
          break;
        case "fragment":
          this.#write(decision);
          break;
        case "close":
          if (this.#sealer.open !== null) this.#finish(decision.end);
          break;
        case "abandon":
          if (this.#sealer.open !== null) this.#giveUp("lapped");
          break;
        case "lost":
          this.#lose(decision.frames);
          break;
        case "ask-key-frame":
          this.#capture.ask({ what: "keyFrame", value: 0 });
          break;
      }
    }
  }

  #begin(first: Frame, ordinal: number): void {
    this.#ordinal = ordinal;
    if (!first.key && !this.#keptBefore) {
      this.#carryOut(this.#segmenter.spoilt(ordinal));
      return;
    }
    const config = this.#encoder?.config(first.config) ?? null;
    if (config === null) {
      // Eight newer generations came while the frame waited: it is as good as overwritten.
      this.#parts.sealHealth(LAPPED);
      this.#carryOut(this.#segmenter.spoilt(ordinal));
      return;
    }
    this.#size = { width: config.width, height: config.height };
    this.#sealer.begin(config, first.captureUs, this.#lostSinceSegment);
    this.#lostSinceSegment = 0;
  }

  #write(decision: Decision & { do: "fragment" }): void {
    if (this.#sealer.open === null || this.#encoder === null) {
      this.#lose(decision.frames.length);
      return;
    }
    const written = this.#sealer.write(decision, this.#encoder);
    if (written === "ok") {
      this.#frames += decision.frames.length;
      return;
    }
    this.#lose(decision.frames.length);
    // Nothing of the fragment was written: what the segment holds so far is kept.
    if (this.#sealer.open.frames > 0) this.#finish("discontinuity");
    else this.#giveUp(written);
    this.#keptBefore = false;
    this.#parts.sealHealth(TROUBLE[written]);
    this.#carryOut(this.#segmenter.spoilt(this.#ordinal));
  }

  #finish(end: EndReason): void {
    const sealed = this.#sealer.finish(end);
    this.#keptBefore = !("full" in sealed);
    if ("full" in sealed) {
      this.#parts.sealHealth(FULL);
      this.#parts.lost(sealed.full, "full");
      return;
    }
    this.#parts.sealHealth(null);
    this.#parts.sealed(sealed);
  }

  /** For a segment that holds nothing yet. */
  #giveUp(why: Lost): void {
    const open = this.#sealer.open;
    if (open === null) return;
    this.#sealer.abandon();
    this.#keptBefore = false;
    this.#parts.lost(open.seq, why);
  }

  #lose(frames: number): void {
    this.#framesLost += frames;
    this.#lostSinceSegment += frames;
  }
}
