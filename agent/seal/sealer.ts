/**
 * The edge that seals one stream: fragments in, whole objects out. Payload bytes go from ring to arena inside
 * `native`; here are numbers, boxes, metadata, header, signature and chain.
 */
import { ocellus } from "#proto";
import type { Clock } from "../clock/clock.ts";
import { join } from "../identity/encoding.ts";
import type { Encoder, EncoderConfig, Native, Segment, Written } from "../runtime/native.d.ts";
import { mimeCodec, sameSets } from "../segment/avc.ts";
import { fragmentBoxes, initBoxes, VIDEO_TRACK } from "../segment/boxes.ts";
import type { EndReason, FragmentDecision } from "../segment/segmenter.ts";
import { TIMESCALE } from "../segment/ticks.ts";
import type { Chain } from "./chain.ts";
import { encodeSigned, headerHash, signedMessage } from "./container.ts";
import { type CurrentEpoch, type Epochs, namedWraps } from "./epochs.ts";
import type { CameraIdentity } from "./writer.ts";

const { Codec, SegmentEnd, TimeQuality } = ocellus.v1;

/** A sealed object with its head, in the arena. Whoever holds it closes `handle`. */
export interface SealedSegment {
  readonly handle: Segment;
  readonly stream: number;
  readonly seq: number;
  readonly headerHash: Uint8Array;
  readonly objectBytes: number;
  readonly captureUs: number;
  readonly durationUs: number;
  /** 0 where the time was unknown when it was sealed. */
  readonly wallUs: number;
  readonly timeQuality: ocellus.v1.TimeQuality;
  readonly frames: number;
}

export interface SealerParts {
  readonly native: Native;
  readonly identity: CameraIdentity;
  readonly epochs: Epochs;
  readonly clock: Clock;
  readonly chain: Chain;
  readonly stream: number;
  /** Frees arena by dropping a waiting segment; false where there is none to drop. */
  makeRoom(): boolean;
}

const ENDS: Record<EndReason, ocellus.v1.SegmentEnd> = {
  duration: SegmentEnd.END_DURATION,
  "config-changed": SegmentEnd.END_CONFIG_CHANGED,
  encoder: SegmentEnd.END_ENCODER,
  discontinuity: SegmentEnd.END_DISCONTINUITY,
  shutdown: SegmentEnd.END_SHUTDOWN,
  epoch: SegmentEnd.END_EPOCH,
};

interface Open {
  readonly handle: Segment;
  readonly epoch: CurrentEpoch;
  readonly seq: number;
  readonly config: EncoderConfig;
  readonly captureUs: number;
  readonly lostBefore: number;
  readonly fragments: ocellus.v1.Fragment.$Properties[];
  frames: number;
  ticks: number;
}

export class Sealer {
  readonly #parts: SealerParts;
  #open: Open | null = null;
  #next = 0;
  #madeInit: { readonly config: EncoderConfig; readonly boxes: Uint8Array } | null = null;

  constructor(parts: SealerParts) {
    this.#parts = parts;
  }

  /** Number and frames so far of the open segment; `null` if none is open. */
  get open(): { readonly seq: number; readonly frames: number } | null {
    return this.#open;
  }

  /** Begins the next segment; numbers have no holes. The epochs must have recipients. */
  begin(config: EncoderConfig, captureUs: number, lostBefore: number): void {
    if (this.#open !== null) throw new Error("a segment is open");
    const { native, identity, epochs, stream } = this.#parts;
    const epoch = epochs.current();
    if (epoch === null) throw new Error("no recipients");
    const seq = this.#next++;
    const at = { stream, boot: identity.boot, epoch: epoch.number, seq };
    const handle = native.openSegment(epoch.handle, at);
    this.#open = {
      handle,
      epoch,
      seq,
      config,
      captureUs,
      lostBefore,
      fragments: [],
      frames: 0,
      ticks: 0,
    };
  }

  /**
   * Appends a fragment. Otherwise than on "ok" it is lost ("full": no room could be made); the segment can be finished with
   * what it holds, or abandoned where it holds nothing.
   */
  write(fragment: FragmentDecision, encoder: Encoder): Written {
    const open = this.#mustBeOpen();
    const { frames, durations, decodeTime } = fragment;
    const key = frames[0]?.key === true;
    const sizes = frames.map(({ bytes }) => bytes);
    const number = open.fragments.length + 1;
    const moof = fragmentBoxes(number, { sizes, durations, decodeTime, key });
    const boxes = number === 1 ? join(this.#init(open.config), moof) : moof;
    let written = open.handle.writeFragment(boxes, encoder, frames, key);
    while (written === "full" && this.#parts.makeRoom())
      written = open.handle.writeFragment(boxes, encoder, frames, key);
    if (written !== "ok") return written;
    const duration = durations.reduce((sum, ticks) => sum + ticks, 0);
    open.fragments.push({ decodeTime, frames: frames.length, duration });
    open.frames += frames.length;
    open.ticks += duration;
    return "ok";
  }

  /** Gives the open segment up before it has a header. */
  abandon(): void {
    this.#mustBeOpen().handle.close();
    this.#open = null;
  }

  /** Seals the open segment, signs it and makes it an object. "full": it has a header, but no room could be made. */
  finish(end: EndReason): SealedSegment | { readonly full: number } {
    const open = this.#mustBeOpen();
    this.#open = null;
    const { native, identity, chain, stream, clock } = this.#parts;
    const { handle, epoch, seq, captureUs } = open;
    const durationUs = Math.round((open.ticks * 1_000_000) / TIMESCALE);
    const { wallUs, quality } = clock.wall(captureUs);
    const timeQuality = quality === "store" ? TimeQuality.TIME_STORE : TimeQuality.TIME_UNKNOWN;
    const about = { captureUs, durationUs, wallUs, timeQuality };
    const metadata = handle.sealMetadata(this.#metadata(open, end, about));
    const chunks = handle.seal();
    const signed = encodeSigned({
      camera: identity.camera,
      stream,
      boot: identity.boot,
      epoch: epoch.number,
      seq,
      ...chain.link(seq),
      ephemeral: epoch.ephemeral,
      wraps: namedWraps(epoch, handle.wraps),
      commitment: handle.commitment,
      recipientsVersion: epoch.recipients.version,
      ...chunks,
      metadata,
    });
    const hash = headerHash(native, signed);
    chain.add(seq, hash);
    const head = join(signed, native.sign(signedMessage(signed), identity.signingSecret));
    let attached = handle.attachHead(head);
    while (attached === "full" && this.#parts.makeRoom()) attached = handle.attachHead(head);
    if (attached === "full") {
      handle.close();
      return { full: seq };
    }
    const { objectBytes } = handle;
    return { handle, stream, seq, headerHash: hash, objectBytes, ...about, frames: open.frames };
  }

  /** ftyp and moov, made once for each configuration: few segments have another than the one before. */
  #init(config: EncoderConfig): Uint8Array {
    const made = this.#madeInit;
    if (made !== null && sameConfig(made.config, config)) return made.boxes;
    const boxes = initBoxes(config);
    this.#madeInit = { config, boxes };
    return boxes;
  }

  #metadata(
    open: Open,
    end: EndReason,
    about: Pick<SealedSegment, "captureUs" | "durationUs" | "wallUs" | "timeQuality">,
  ): Uint8Array {
    const { config, fragments, lostBefore } = open;
    const track = {
      id: VIDEO_TRACK,
      codec: Codec.CODEC_H264,
      mimeCodec: mimeCodec(config.sps),
      width: config.width,
      height: config.height,
      timescale: TIMESCALE,
    };
    return ocellus.v1.SegmentMetadata.encode({
      ...about,
      tracks: [track],
      fragments,
      framesLostBefore: lostBefore,
      event: false,
      end: ENDS[end],
    }).finish();
  }

  #mustBeOpen(): Open {
    if (this.#open === null) throw new Error("no segment is open");
    return this.#open;
  }
}

function sameConfig(a: EncoderConfig, b: EncoderConfig): boolean {
  return a.width === b.width && a.height === b.height && sameSets(a, b);
}
