/**
 * The frames of a file that is being joined: sizes, times, gaps and parameter sets, in columns. Pure.
 */
import { same } from "../../agent/identity/encoding.ts";
import { viewOf } from "../../agent/seal/bytes.ts";
import { TIMESCALE } from "../../agent/segment/ticks.ts";
import { Problem } from "../build/problem.mjs";
import { inBand, parameterSets } from "./avcc.ts";
import { movieHead, type SampleTable } from "./moov.ts";
import { Unjoinable, type Video } from "./mp4.ts";

/** Missing footage shorter than this is a late frame, not a gap. */
const GAP_TOLD_S = 0.2;
/** Durations in stts are 32 bits, which ffmpeg reads as signed: 6.6 hours at 90 kHz. */
const DURATION_MAX = 2 ** 31 - 1;

/** Some frames of one opened segment. */
export interface JoinPart {
  readonly video: Video;
  /**
   * Samples `first` to `end` - 1 are wanted. `first` is a key frame, or the part goes on where the one before ended
   * (a camera without a key frame in time begins a segment in the middle).
   */
  readonly first: number;
  readonly end: number;
  /** The boot's zero, microseconds since 1970 UTC (or since any other zero that all parts share). */
  readonly bootZero_us: number;
  /** Its number; boots of one machine run have the same zero, and one may have several where its records disagree. */
  readonly boot: number;
}

/** Footage missing between two frames. */
export interface Gap {
  /** The end of the last frame before it, on the time line of the parts. */
  readonly at_us: number;
  readonly length_us: number;
}

/** What a file holds. */
export interface Summary {
  readonly frames: number;
  /** Of all frames, without parameter sets added between them. */
  readonly video_bytes: number;
  /** When the first frame was taken, on the time line of the parts. */
  readonly start_us: number;
  readonly duration_us: number;
  readonly gaps: readonly Gap[];
  /** Frames that were left out because the key frame they need is missing. */
  readonly undecodable: number;
  /** `avc3` where parameter sets change. */
  readonly entry: "avc1" | "avc3";
}

interface Config {
  readonly video: Video;
  /** Its parameter sets as they stand in a sample. */
  readonly sets: Uint8Array;
}

/** Frames in order. Starts empty. */
export class Timeline {
  /** Whether a frame before a gap stays until the gap's end; otherwise the gap is left out. */
  readonly #stretch: boolean;
  readonly #bytes: number[] = [];
  readonly #durations: number[] = [];
  readonly #keys: number[] = [];
  readonly #chunkSamples: number[] = [];
  readonly #configs: Config[] = [];
  /** For each key frame, which of the configs it needs. */
  readonly #configOfKey: number[] = [];
  readonly #gaps: Gap[] = [];
  #bootZero_us = 0;
  #boot = 0;
  /** Ticks: when the first frame was taken, when the last one ends, and how far the boot was moved to fit. */
  #start = 0;
  #end = 0;
  #shift = 0;
  #undecodable = 0;

  constructor(stretchGaps: boolean) {
    this.#stretch = stretchGaps;
  }

  /**
   * Takes the next frames. Where a key frame that they need is missing, those before the next one are left out.
   * Throws Unjoinable where they go back in time within one boot or have no parameter sets; nothing is changed then.
   * @returns the first sample that was taken; `part.end` where that is none.
   */
  add(part: JoinPart): number {
    const { video, end } = part;
    const first = this.#firstDecodable(part);
    const samples = video.samples.slice(first, end);
    const [head] = samples;
    const sets = inBand(parameterSets(video.avcC));
    if (head) this.#place(part, head.time);
    this.#undecodable += first - part.first;
    if (!head) return end;
    const known = this.#configOf(video);
    const config = known < 0 ? this.#configs.push({ video, sets }) - 1 : known;
    for (const sample of samples) {
      if (sample.key) {
        this.#keys.push(this.#bytes.length);
        this.#configOfKey.push(config);
      }
      this.#bytes.push(sample.bytes);
      this.#durations.push(sample.duration);
      this.#end += sample.duration;
    }
    this.#chunkSamples.push(samples.length);
    return first;
  }

  #firstDecodable({ video, first, end, bootZero_us }: JoinPart): number {
    const head = video.samples[first];
    const goesOn =
      head !== undefined &&
      this.#bytes.length > 0 &&
      bootZero_us === this.#bootZero_us &&
      this.#configOf(video) === this.#configOfKey.at(-1) &&
      zeroOf(bootZero_us) + head.time + this.#shift === this.#end;
    if (goesOn) return first;
    const key = video.samples.findIndex((sample, index) => index >= first && sample.key);
    return key < 0 ? end : Math.min(key, end);
  }

  /** Finds when the part starts, and closes or tells the gap before it. */
  #place({ bootZero_us, boot }: JoinPart, time: number): void {
    const zero = zeroOf(bootZero_us);
    if (this.#bytes.length === 0) {
      this.#bootZero_us = bootZero_us;
      this.#boot = boot;
      this.#start = zero + time;
      this.#end = this.#start;
      return;
    }
    const last = this.#durations.length - 1;
    if (boot !== this.#boot || bootZero_us !== this.#bootZero_us) {
      if (bootZero_us === this.#bootZero_us) this.#shortenLast(zero + time + this.#shift);
      else this.#shift = 0;
      this.#boot = boot;
      this.#bootZero_us = bootZero_us;
      // Where the clocks of two boots overlap by what they were off, the later boot starts where the earlier ended.
      this.#shift += Math.max(0, this.#end - (zero + time + this.#shift));
    }
    const missing = zero + time + this.#shift - this.#end;
    // Only within a boot, where nothing was changed above: what another boot's clock says was made to fit.
    if (missing < 0) throw new Unjoinable("it starts before the one before it ends");
    if (missing >= GAP_TOLD_S * TIMESCALE) {
      this.#gaps.push({ at_us: this.#us(this.#end), length_us: this.#us(missing) });
    }
    const shown = this.#durations[last] ?? 0;
    if (this.#stretch) this.#durations[last] = Math.min(DURATION_MAX, shown + missing);
    this.#end += missing;
  }

  /** How long a boot's last frame lasts is a guess; when the next boot of the same run has its first frame is known. */
  #shortenLast(next: number): void {
    const last = this.#durations.length - 1;
    const duration = this.#durations[last] ?? 0;
    const early = this.#end - next;
    if (early <= 0 || early >= duration) return;
    this.#durations[last] = duration - early;
    this.#end -= early;
  }

  /** Which of the configs it is; -1 for a new one. */
  #configOf(video: Video): number {
    return this.#configs.findIndex((one) => same(one.video.avcC, video.avcC));
  }

  /** What is in it. Throws Problem where that is nothing. */
  summary(): Summary {
    this.#first();
    const ticks = this.#durations.reduce((sum, duration) => sum + duration, 0);
    return {
      frames: this.#bytes.length,
      video_bytes: this.#bytes.reduce((sum, bytes) => sum + bytes, 0),
      start_us: this.#us(this.#start),
      duration_us: this.#us(ticks),
      gaps: this.#gaps,
      undecodable: this.#undecodable,
      entry: this.#configs.length > 1 ? "avc3" : "avc1",
    };
  }

  /** Everything before the frames in the file. */
  head(): Uint8Array {
    const { video } = this.#first();
    const { entry, start_us } = this.summary();
    const videos = this.#configs.map((config) => config.video);
    const width = Math.max(...videos.map((one) => one.width));
    const height = Math.max(...videos.map((one) => one.height));
    const sampleEntry = video.sampleEntry.slice();
    if (entry === "avc3") {
      sampleEntry.set(new TextEncoder().encode("avc3"), 4);
      viewOf(sampleEntry).setUint16(32, width);
      viewOf(sampleEntry).setUint16(34, height);
    }
    const shape = { timescale: TIMESCALE, width, height, sampleEntry, created_us: start_us };
    return movieHead(shape, this.#table());
  }

  #table(): SampleTable {
    const bytes = this.#bytes.slice();
    for (const { sample, sets } of this.insertions())
      bytes[sample] = (bytes[sample] ?? 0) + sets.length;
    return {
      bytes,
      durations: this.#durations,
      keys: this.#keys,
      chunkSamples: this.#chunkSamples,
    };
  }

  /** Parameter sets that stand before frames in the file: none in `avc1`, else those of each key frame. */
  insertions(): { sample: number; at_bytes: number; sets: Uint8Array }[] {
    if (this.#configs.length < 2) return [];
    let sample = 0;
    let at_bytes = 0;
    return this.#keys.map((key, index) => {
      for (; sample < key; sample++) at_bytes += this.#bytes[sample] ?? 0;
      const config = this.#configs[this.#configOfKey[index] ?? 0] ?? this.#first();
      return { sample, at_bytes, sets: config.sets };
    });
  }

  #first(): Config {
    const [first] = this.#configs;
    if (!first) throw new Problem("there is no footage to join.");
    return first;
  }

  #us(ticks: number): number {
    return Math.round((ticks * 1e6) / TIMESCALE);
  }
}

function zeroOf(bootZero_us: number): number {
  return Math.round((bootZero_us * TIMESCALE) / 1e6);
}
