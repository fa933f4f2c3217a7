/**
 * The segmenter: frames in, decisions out (design, "Segments"). Pure: no clock, no bytes, no handles.
 *
 * - A segment starts on a key frame and closes at the first key frame past its target (segment_s - 0.5 s; the first one
 *   after boot past 1 s), so that it lasts about segment_s.
 * - Without a key frame it closes at twice its target, and where its size says so. What follows is a *continuation*: the
 *   one kind of segment that does not start on a key frame, because dropping footage until the encoder makes one would be
 *   worse. It closes at the next key frame.
 * - New parameter sets, a discontinuity, frames lost to a lap, a new recipients' list (at the next key frame) close it too.
 *   After a lap or a discontinuity the next segment waits for a key frame; what comes before that is counted lost.
 * - A fragment ends at about 1 s, before each key frame, before its frames exceed `fragmentBytes` (they wait in the ring
 *   until it ends), and with the segment.
 * - A frame's duration is the next frame's time minus its own; where there is no next one it repeats the one before.
 */
import type { Frame } from "../runtime/native.d.ts";
import { TIMESCALE, ticksAt } from "./ticks.ts";

/** Why a segment ends; the names of SegmentEnd in seal.proto. */
export type EndReason =
  | "duration"
  | "config-changed"
  | "encoder"
  | "discontinuity"
  | "shutdown"
  | "epoch";

/** What the segmenter wants done, in order. */
export type Decision =
  /** Begin a segment with this frame, which comes again in the first fragment. */
  | {
      readonly do: "open";
      readonly first: Frame;
      /** Counts this segmenter's segments, so that `spoilt` can name one. */
      readonly ordinal: number;
    }
  /** Append a fragment to the open segment. */
  | FragmentDecision
  /** The open segment is complete. */
  | { readonly do: "close"; readonly end: EndReason }
  /** The open segment has no fragment and will get none: give it up. Its frames were said to be lost. */
  | { readonly do: "abandon" }
  /** So many frames are in no segment and never will be. */
  | { readonly do: "lost"; readonly frames: number }
  /** The segment is overdue: ask the encoder for a key frame. Once for each segment. */
  | { readonly do: "ask-key-frame" };

export interface FragmentDecision {
  readonly do: "fragment";
  /** At least one; only the first can be a key frame. */
  readonly frames: readonly Frame[];
  /** Of each frame, ticks. */
  readonly durations: readonly number[];
  /** Of the first frame, ticks of the boot's media clock. */
  readonly decodeTime: number;
}

export interface SegmenterOptions {
  /** 4 to 30 s; changes with `setSegmentS`. */
  readonly segmentS: number;
  /** Most bytes of frames in a fragment with more than one frame: a share of the ring. */
  readonly fragmentBytes: number;
  /** Most bytes of frames in a segment with more than one fragment: a share of what holds sealed segments. */
  readonly segmentBytes: number;
}

const FIRST_TARGET_US = 1_000_000;
const EARLY_US = 500_000;
/** A fragment ends with the frame after which it lasts at least this long: 1 s less half a frame at 25 fps. */
const FRAGMENT_US = 980_000;
/** A gap between frames that no duration may state: u32 ticks would hold 13 h, but no camera pauses for a minute. */
const GAP_MAX_US = 60_000_000;
/** Most frames in a fragment, whatever their capture times: below the 1,024 that `writeFragment` takes. */
export const FRAGMENT_FRAMES_MAX = 512;
/** Keeps the signed header, which lists chunks and fragments, well below its 65,536 bytes. */
export const FRAGMENTS_MAX = 400;
export const SEGMENT_BYTES_MAX = 16 << 20;
/** What a lone frame is given: 25 fps. */
const LONE_FRAME_TICKS = TIMESCALE / 25;

interface OpenSegment {
  readonly ordinal: number;
  readonly firstUs: number;
  readonly config: number;
  readonly targetUs: number;
  readonly continuation: boolean;
  fragments: number;
  bytes: number;
  asked: boolean;
}

export class Segmenter {
  readonly #fragmentBytes: number;
  readonly #segmentBytes: number;
  #segmentS: number;
  #open: OpenSegment | null = null;
  /** Frames of the fragment that is being gathered. */
  #gathered: Frame[] = [];
  #gatheredBytes = 0;
  #last: Frame | null = null;
  #lastDuration = LONE_FRAME_TICKS;
  #segments = 0;
  #epochEnds = false;

  constructor(options: SegmenterOptions) {
    this.#segmentS = options.segmentS;
    this.#fragmentBytes = options.fragmentBytes;
    this.#segmentBytes = Math.min(options.segmentBytes, SEGMENT_BYTES_MAX);
  }

  /** Applies from the next segment on. */
  setSegmentS(segmentS: number): void {
    this.#segmentS = segmentS;
  }

  /** The recipients' list has changed: the open segment ends at the next key frame. */
  endAtKeyFrame(): void {
    this.#epochEnds = this.#open !== null;
  }

  /** The next frame of the stream. */
  push(frame: Frame): Decision[] {
    const decisions: Decision[] = [];
    const segment = this.#open;
    const end = segment === null ? null : this.#endBefore(segment, frame);
    if (segment !== null && end === null) {
      this.#gather(frame, decisions);
      this.#askIfOverdue(segment, frame, decisions);
      return decisions;
    }
    const continues = end === "duration" && !frame.key;
    if (end !== null) this.#close(end, continues || frame.key ? frame : null, decisions);
    if (frame.key || continues) this.#begin(frame, continues, decisions);
    else decisions.push({ do: "lost", frames: 1 });
    return decisions;
  }

  /** `lost` frames were overwritten before they were given. Those gathered are older, so they are gone as well. */
  lapped(lost: number): Decision[] {
    const decisions: Decision[] = [];
    const frames = lost + this.#forgetGathered();
    if (this.#open !== null) {
      const end: Decision = { do: "close", end: "discontinuity" };
      decisions.push(this.#open.fragments > 0 ? end : { do: "abandon" });
      this.#open = null;
    }
    decisions.push({ do: "lost", frames });
    return decisions;
  }

  /** No frame follows for now: closes the open segment with all that was gathered. */
  flush(end: EndReason): Decision[] {
    const decisions: Decision[] = [];
    if (this.#open !== null) this.#close(end, null, decisions);
    this.#last = null;
    return decisions;
  }

  /**
   * Segment `ordinal` could not be kept (its frames were overwritten, or there was no room); the caller counts those of its
   * fragments. If it is still open, the next one waits for a key frame.
   */
  spoilt(ordinal: number): Decision[] {
    if (this.#open?.ordinal !== ordinal) return [];
    this.#open = null;
    return [{ do: "lost", frames: this.#forgetGathered() }];
  }

  #endBefore(segment: OpenSegment, frame: Frame): EndReason | null {
    const last = this.#last;
    const sinceLastUs = last === null ? 0 : frame.captureUs - last.captureUs;
    if (frame.discontinuity || sinceLastUs < 0 || sinceLastUs > GAP_MAX_US) return "discontinuity";
    if (frame.config !== segment.config) return "config-changed";
    const lastsUs = frame.captureUs - segment.firstUs;
    const bytes = segment.bytes + this.#gatheredBytes + frame.bytes;
    if (bytes > this.#segmentBytes || segment.fragments >= FRAGMENTS_MAX - 1) return "duration";
    if (!frame.key) return lastsUs >= 2 * segment.targetUs ? "duration" : null;
    if (this.#epochEnds) return "epoch";
    return segment.continuation || lastsUs >= segment.targetUs ? "duration" : null;
  }

  #begin(frame: Frame, continuation: boolean, decisions: Decision[]): void {
    const first = this.#segments === 0;
    const targetUs = first ? FIRST_TARGET_US : this.#segmentS * 1_000_000 - EARLY_US;
    const ordinal = this.#segments++;
    this.#epochEnds = false;
    this.#open = {
      ordinal,
      firstUs: frame.captureUs,
      config: frame.config,
      targetUs,
      continuation,
      fragments: 0,
      bytes: 0,
      asked: false,
    };
    decisions.push({ do: "open", first: frame, ordinal });
    this.#gather(frame, decisions);
  }

  #gather(frame: Frame, decisions: Decision[]): void {
    const first = this.#gathered[0];
    if (first !== undefined) {
      const full =
        this.#gatheredBytes + frame.bytes > this.#fragmentBytes ||
        this.#gathered.length >= FRAGMENT_FRAMES_MAX;
      if (frame.key || full || frame.captureUs - first.captureUs >= FRAGMENT_US)
        this.#endFragment(frame, decisions);
    }
    this.#gathered.push(frame);
    this.#gatheredBytes += frame.bytes;
    this.#last = frame;
  }

  /** @param next the frame that follows, whose time ends the last duration; `null`: none that continues. */
  #endFragment(next: Frame | null, decisions: Decision[]): void {
    const frames = this.#gathered;
    const [first] = frames;
    const segment = this.#open;
    if (first === undefined || segment === null) return;
    const durations = frames.map((frame, i) => {
      const following = frames[i + 1] ?? next;
      if (following !== null)
        this.#lastDuration = ticksAt(following.captureUs) - ticksAt(frame.captureUs);
      return this.#lastDuration;
    });
    decisions.push({ do: "fragment", frames, durations, decodeTime: ticksAt(first.captureUs) });
    segment.fragments += 1;
    segment.bytes += this.#gatheredBytes;
    this.#gathered = [];
    this.#gatheredBytes = 0;
  }

  #close(end: EndReason, next: Frame | null, decisions: Decision[]): void {
    this.#endFragment(end === "discontinuity" ? null : next, decisions);
    decisions.push({ do: "close", end });
    this.#open = null;
  }

  #askIfOverdue(segment: OpenSegment, frame: Frame, decisions: Decision[]): void {
    if (segment.asked || frame.captureUs - segment.firstUs < 1.5 * segment.targetUs) return;
    segment.asked = true;
    decisions.push({ do: "ask-key-frame" });
  }

  #forgetGathered(): number {
    const frames = this.#gathered.length;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#last = null;
    return frames;
  }
}
