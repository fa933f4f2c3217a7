/** What stands behind pipeline.ts: capture, segments, sealing, queue, upload and clock composed, and accounted for. */
import { ocellus } from "#proto";
import type { EncoderRequest } from "./capture/capture.ts";
import { Clock } from "./clock/clock.ts";
import { Health, type StageTrouble } from "./health.ts";
import type { Pipeline, PipelineDeps, PipelineSettings, PipelineSnapshot } from "./pipeline.ts";
import type { Native, NativeError } from "./runtime/native.d.ts";
import { Chain } from "./seal/chain.ts";
import type { RecipientKeys } from "./seal/epochs.ts";
import { bootObjectName, bootRecordTopic, segmentObjectName } from "./seal/names.ts";
import type { SealedSegment } from "./seal/sealer.ts";
import { type Lost, Stream } from "./stream.ts";
import { Ledger } from "./upload/ledger.ts";
import { UploadQueue } from "./upload/queue.ts";
import type { StoreAccessState } from "./upload/stores.ts";
import { type UploadEnd, Uploader, type UploadItem } from "./upload/uploader.ts";

const { DropReason, Kind, StageName, TimeQuality } = ocellus.v1;

export function makePipeline(native: Native, deps: PipelineDeps): Pipeline {
  return new Recorder(native, deps);
}

/** Chain heads and the time floor are looked at this often. */
const PERSIST_MS = 10 * 60 * 1_000;

/**
 * So many sealed segments wait at most, whatever the arena would still take: each costs the engine's heap about 1.6 KB
 * (measured on mipsel), and small ones (a still picture, a lens cap) would end it long before the arena is full. At
 * four seconds each it is more than half an hour.
 */
const WAITING_MAX = 512;

/** A sealed segment that waits for the store. */
interface SegmentItem extends UploadItem {
  readonly segment: SealedSegment;
}

interface StreamState {
  readonly stream: Stream;
  readonly chain: Chain;
  readonly ledger: Ledger;
  head: { readonly seq: number; readonly hash: Uint8Array } | null;
}

/** The store takes everything, but later than it is made: only what gives way tells. */
const TOO_SLOW: StageTrouble = {
  cause: "store-too-slow",
  reason: "Footage is lost: the store takes it slower than the camera makes it.",
};

const DROP_OF_LOST: Record<Lost, ocellus.v1.DropReason> = {
  lapped: DropReason.DROP_LAPPED,
  full: DropReason.DROP_QUEUE_FULL,
  "too-long": DropReason.DROP_TOO_LONG,
};

const DROP_OF_END: Record<Exclude<UploadEnd, "stored">, ocellus.v1.DropReason> = {
  conflict: DropReason.DROP_CONFLICT,
  refused: DropReason.DROP_REFUSED,
};

class Recorder implements Pipeline {
  readonly #native: Native;
  readonly #deps: PipelineDeps;
  readonly #clock: Clock;
  readonly #queue = new UploadQueue<SegmentItem>();
  readonly #segments = new Set<SegmentItem>();
  readonly #uploader: Uploader;
  readonly #streams: readonly StreamState[];
  readonly #health: Record<"capture" | "seal" | "upload" | "clock", Health>;
  #settings: PipelineSettings;
  #uploadedBytes = 0;
  #persistTimer: number | null = null;
  #persistedHeads = false;
  #changeSaid = false;
  /** The newest, which may wait still. */
  #bootRecord: UploadItem | null = null;
  /** Footage gave way, and the queue has not been half empty since. */
  #overrun = false;

  constructor(native: Native, deps: PipelineDeps) {
    this.#native = native;
    this.#deps = deps;
    this.#settings = deps.settings;
    const now = native.monotonicUs();
    this.#health = {
      capture: new Health(StageName.STAGE_CAPTURE, now),
      seal: new Health(StageName.STAGE_SEAL, now),
      upload: new Health(StageName.STAGE_UPLOAD, now),
      clock: new Health(StageName.STAGE_CLOCK, now),
    };
    this.#clock = new Clock({
      buildTimeS: native.options.buildTimeS,
      floorUs: deps.timeFloorUs,
    });
    this.#streams = (deps.streams ?? [0]).map((number) => this.#makeStream(number));
    this.#uploader = new Uploader({
      native,
      clock: this.#clock,
      queue: this.#queue,
      access: deps.access,
      health: (trouble) => this.#say("upload", trouble ?? this.#overrunTrouble()),
      clockHealth: (trouble) => this.#say("clock", trouble),
      timeKnown: () => this.#timeKnown(),
      accessProven: () => this.#later(() => deps.accessProven()),
      accessFailed: (reason) => this.#later(() => deps.accessFailed(reason)),
    });
  }

  start(): void {
    const { seconds, known } = this.#clock.tlsTime(this.#native.monotonicUs());
    this.#native.setTlsTime(seconds, known);
    this.#wantOfEncoder();
    for (const { stream } of this.#streams) stream.start();
    this.#uploader.start();
    this.#persistLater();
  }

  async stop(withinMs: number): Promise<void> {
    for (const { stream } of this.#streams) stream.stop();
    await this.#uploader.stop(withinMs);
    for (const item of [...this.#segments]) this.#drop(item, DropReason.DROP_SHUTDOWN);
    if (this.#persistTimer !== null) this.#native.clearTimer(this.#persistTimer);
    const now = this.#native.monotonicUs();
    const floorUs = this.#clock.finalFloor(now);
    if (floorUs !== null) this.#persistFloor(floorUs);
    this.#persistHeads();
    // Whoever waits for the end also wants what is still to be said.
    await new Promise<void>((resolve) => this.#later(resolve));
  }

  setRecipients(recipients: RecipientKeys): undefined | NativeError {
    const failed = this.#deps.epochs.setRecipients(recipients);
    if (failed !== undefined) return failed;
    for (const { stream } of this.#streams) stream.recipientsChanged();
    return undefined;
  }

  setSettings(settings: PipelineSettings): void {
    this.#settings = settings;
    for (const { stream } of this.#streams) stream.setSegmentS(settings.segmentS);
    this.#wantOfEncoder();
  }

  setAccess(access: StoreAccessState): void {
    this.#uploader.setAccess(access);
  }

  signs(): ReturnType<Pipeline["signs"]> {
    const pictures = this.#streams.flatMap(({ stream }) => stream.pictureUs ?? []);
    const pictureUs = pictures.length === 0 ? null : Math.min(...pictures);
    return { pictureUs, uploadDueUs: this.#uploader.dueUs };
  }

  snapshot(): PipelineSnapshot {
    const { wallUs, quality } = this.#clock.wall(this.#native.monotonicUs());
    const { queueUsedBytes, queueBytes } = this.#native.usage();
    const { capture, seal, upload, clock } = this.#health;
    return {
      wallUs,
      timeQuality: quality === "store" ? TimeQuality.TIME_STORE : TimeQuality.TIME_UNKNOWN,
      stages: [capture, seal, upload, clock].map((health) => health.report()),
      streams: this.#streams.map((state) => statusOf(state)),
      queueBytes: queueUsedBytes,
      queueLimitBytes: queueBytes,
      uploadedBytes: this.#uploadedBytes,
    };
  }

  // ---- capture to queue -----------------------------------------------------------------------------------------------

  #makeStream(number: number): StreamState {
    const { identity, epochs, chainHeads, settings } = this.#deps;
    const native = this.#native;
    const chain = new Chain(number, identity.boot, chainHeads);
    const ledger = new Ledger();
    const stream = new Stream(native, {
      native,
      identity,
      epochs,
      clock: this.#clock,
      chain,
      stream: number,
      segmentS: settings.segmentS,
      makeRoom: () => this.#makeRoom(),
      sealed: (segment) => this.#sealed(state, segment),
      lost: (seq, why) => {
        ledger.dropped(seq, DROP_OF_LOST[why]);
        this.#changed();
      },
      captureHealth: (trouble) => this.#say("capture", trouble),
      sealHealth: (trouble) => this.#say("seal", trouble),
    });
    const state: StreamState = { stream, chain, ledger, head: null };
    return state;
  }

  #sealed(state: StreamState, segment: SealedSegment): void {
    const { identity } = this.#deps;
    const { seq, headerHash } = segment;
    state.head = { seq, hash: headerHash };
    state.ledger.sealed(seq);
    const name = segmentObjectName({
      tenant: identity.tenant,
      camera: identity.camera,
      stream: segment.stream,
      footageClass: this.#settings.nameClasses ? "continuous" : "all",
      boot: identity.boot,
      seq,
      hash: headerHash,
    });
    const item: SegmentItem = {
      name,
      body: segment.handle,
      worth: 0,
      captureUs: segment.captureUs,
      uncertainAt: new Set(),
      segment,
      ended: (how) => this.#ended(state, item, how),
    };
    if (this.#queue.length >= WAITING_MAX) this.#makeRoom();
    this.#segments.add(item);
    this.#queue.add(item);
    this.#uploader.wake();
    if (!this.#persistedHeads) this.#persistHeads();
  }

  #ended(state: StreamState, item: SegmentItem, how: UploadEnd): void {
    const { segment, name } = item;
    if (how !== "stored") {
      this.#drop(item, DROP_OF_END[how]);
      return;
    }
    this.#segments.delete(item);
    segment.handle.close();
    state.ledger.uploaded(segment.seq);
    this.#uploadedBytes += segment.objectBytes;
    const { stream, seq, headerHash, objectBytes, captureUs, durationUs, wallUs, timeQuality } =
      segment;
    const said = { stream, seq, headerHash, captureUs, durationUs, wallUs, timeQuality };
    this.#later(() => this.#deps.onUploaded({ ...said, object: name, objectBytes }));
  }

  #drop(item: SegmentItem, reason: ocellus.v1.DropReason): void {
    this.#segments.delete(item);
    item.segment.handle.close();
    const state = this.#streams.find(({ stream }) => stream.number === item.segment.stream);
    state?.ledger.dropped(item.segment.seq, reason);
    this.#changed();
  }

  #makeRoom(): boolean {
    const item = this.#queue.drop();
    if (item === null) return false;
    this.#drop(item, DropReason.DROP_QUEUE_FULL);
    this.#overrun = true;
    // Where the store does worse than being slow, that is the reason.
    if (this.#health.upload.ok) this.#say("upload", TOO_SLOW);
    return true;
  }

  #overrunTrouble(): StageTrouble | null {
    const { queueUsedBytes, queueBytes } = this.#native.usage();
    const half = queueUsedBytes < queueBytes / 2 && this.#queue.length < WAITING_MAX / 2;
    if (half) this.#overrun = false;
    return this.#overrun ? TOO_SLOW : null;
  }

  #wantOfEncoder(): void {
    const { bitrateKbps, frameRate, flip } = this.#settings;
    const requests: EncoderRequest[] = [];
    if (bitrateKbps > 0) requests.push({ what: "bitrate", value: bitrateKbps });
    if (frameRate > 0) requests.push({ what: "frameRate", value: frameRate });
    if (flip !== null) requests.push({ what: "flip", value: flip ? 1 : 0 });
    for (const { stream } of this.#streams) stream.want(requests);
  }

  // ---- time and what is kept ------------------------------------------------------------------------------------------

  #timeKnown(): void {
    const floorUs = this.#clock.floorToPersist(this.#native.monotonicUs());
    if (floorUs !== null) this.#persistFloor(floorUs);
    this.#putBootRecord();
    const sinceUs = this.#clock.adoptedUs;
    this.#later(() => this.#deps.timeKnown(sinceUs));
    this.#changed();
  }

  /**
   * Also after a jump of the clock: readers take the boot record with the greatest monotonic time first, so one that still waits
   * gives way to a newer one.
   */
  #putBootRecord(): void {
    const { identity, records } = this.#deps;
    const { build, startReason } = this.#native.options;
    const monotonicUs = this.#native.monotonicUs();
    const { wallUs } = this.#clock.wall(monotonicUs);
    const timeQuality = TimeQuality.TIME_STORE;
    const said = { monotonicUs, wallUs, timeQuality, build, startReason };
    const secret = ocellus.v1.BootRecord.encode(said).finish();
    const topic = bootRecordTopic(identity.tenant, identity.camera, identity.boot);
    const body = records.write({ kind: Kind.KIND_BOOT, topic, secret });
    if (body === null) return;
    const hash = this.#native.sha256(body);
    const name = bootObjectName(identity.tenant, identity.camera, identity.boot, hash);
    const ended = () => {};
    const item = { name, body, worth: 0, captureUs: 0, uncertainAt: new Set<string>(), ended };
    this.#uploader.putFirst(item, this.#bootRecord);
    this.#bootRecord = item;
  }

  #persistLater(): void {
    this.#persistTimer = this.#native.setTimer(PERSIST_MS, () => {
      const floorUs = this.#clock.floorToPersist(this.#native.monotonicUs());
      if (floorUs !== null) this.#persistFloor(floorUs);
      this.#persistHeads();
      this.#persistLater();
    });
  }

  #persistFloor(floorUs: number): void {
    this.#clock.persisted(floorUs, this.#native.monotonicUs());
    this.#deps.persistTimeFloor(floorUs);
  }

  #persistHeads(): void {
    const heads = this.#streams.flatMap(({ chain }) => chain.head ?? []);
    if (heads.length === 0) return;
    this.#persistedHeads = true;
    this.#deps.persistChainHeads(heads);
  }

  // ---- what is said ---------------------------------------------------------------------------------------------------

  #say(stage: "capture" | "seal" | "upload" | "clock", trouble: StageTrouble | null): void {
    if (!this.#health[stage].set(trouble, this.#native.monotonicUs())) return;
    if (trouble !== null) this.#native.log("warning", `${stage}: ${trouble.reason}`);
    else this.#native.log("info", `${stage}: all is well.`);
    this.#changed();
  }

  /** One call for all changes of a turn. */
  #changed(): void {
    if (this.#changeSaid) return;
    this.#changeSaid = true;
    this.#later(() => {
      this.#changeSaid = false;
      this.#deps.onChange();
    });
  }

  /** Callbacks never run inside a call to the pipeline. */
  #later(callback: () => void): void {
    this.#native.setTimer(0, callback);
  }
}

function statusOf({ stream, ledger, head }: StreamState): ocellus.v1.StreamStatus.$Properties {
  return {
    ...stream.status,
    headSeq: head?.seq ?? 0,
    headHash: head?.hash ?? new Uint8Array(0),
    sealedAny: head !== null,
    uploaded: ledger.uploadedCount,
    pending: ledger.pendingRanges(),
    dropped: ledger.droppedRanges(),
  };
}
