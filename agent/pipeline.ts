/**
 * The pipeline: capture → segment → seal → upload, with the clock that dates it. This page is what the rest of the agent
 * sees of it; main.ts makes one once the camera is paired.
 */
import type { ocellus } from "#proto";
import type { NativeError } from "./runtime/native.d.ts";
import type { Epochs, RecipientKeys } from "./seal/epochs.ts";
import type { CameraIdentity, RecordWriter } from "./seal/writer.ts";

/** A store that the camera may put to: `StoreAccess` of identity.proto with every field present. */
export interface StoreAccess {
  /** https://host[:port], without a path. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** PEM; empty: the roots built into the image. */
  readonly caPem: string;
  readonly pathStyle: boolean;
  /** Empty where the credentials are not temporary. */
  readonly sessionToken: string;
}

/** Access in force and, until it has worked, the one before (identity/FORMAT.md, "Who holds what"). */
export interface StoreAccessState {
  readonly current: StoreAccess;
  readonly previous: StoreAccess | null;
}

/** The settings that the pipeline obeys; 0 leaves the encoder's own value. */
export interface PipelineSettings {
  /** 4 to 30. */
  readonly segmentS: number;
  readonly nameClasses: boolean;
  readonly bitrateKbps: number;
  readonly frameRate: number;
  /** `null` leaves the encoder's own. */
  readonly flip: boolean | null;
}

/** Newest header hash of a stream, kept over a boot (identity.proto, ChainHead). */
export interface ChainHead {
  readonly stream: number;
  readonly boot: number;
  readonly seq: number;
  /** 32 bytes. */
  readonly headerHash: Uint8Array;
}

/** What the pipeline is given and whom it tells. Callbacks may be called from any turn but never inside a call to the pipeline. */
export interface PipelineDeps {
  readonly identity: CameraIdentity;
  /** Shared with control; recipients must have been set. The owner of `Epochs` closes it. */
  readonly epochs: Epochs;
  /** Shared with control. */
  readonly records: RecordWriter;
  readonly access: StoreAccessState;
  readonly settings: PipelineSettings;
  /** `Counters.time_floor_us` as kept; the pipeline itself adds the build time. */
  readonly timeFloorUs: number;
  /** `ChainHeads` as kept. */
  readonly chainHeads: readonly ChainHead[];
  /** 0 and 1; by default only the main stream. */
  readonly streams?: readonly number[];
  /** The current access has worked: the previous one may be forgotten. Once after each `setAccess`. */
  accessProven(): void;
  /** Keep a new floor, durably; rare (at most hourly, and when stopping). */
  persistTimeFloor(floorUs: number): void;
  /** Keep the newest chain heads, durably; rare (first segment, every 10 minutes, and when stopping). */
  persistChainHeads(heads: readonly ChainHead[]): void;
  /** A segment is in the store: what its KIND_SEGMENT record says. */
  onUploaded(segment: ocellus.v1.SegmentRecord.$Properties): void;
  /** Something that `snapshot` tells has changed: a stage, a drop, the time. Not called for mere counts. */
  onChange(): void;
}

/** The pipeline's part of StatusPrivate (record.proto). */
export interface PipelineSnapshot {
  readonly wallUs: number;
  readonly timeQuality: ocellus.v1.TimeQuality;
  /** Capture, seal, upload, clock. */
  readonly stages: readonly ocellus.v1.Stage.$Properties[];
  readonly streams: readonly ocellus.v1.StreamStatus.$Properties[];
  readonly queueBytes: number;
  readonly queueLimitBytes: number;
  /** Sealed bytes put into the store in this boot. */
  readonly uploadedBytes: number;
}

export interface Pipeline {
  /** Opens the encoder's door and begins. Once. */
  start(): void;
  /**
   * Closes the open segments, tries to upload what waits for at most `withinMs`, accounts for the rest as DROP_SHUTDOWN,
   * keeps floor and chain heads, closes every handle. Resolves once; never rejects.
   */
  stop(withinMs: number): Promise<void>;
  /** A newer verified list. The open segment ends at its next key frame, and what follows is sealed to the new list. */
  setRecipients(recipients: RecipientKeys): undefined | NativeError;
  /** Segment length and classes apply from the next segment; encoder requests are sent at once. */
  setSettings(settings: PipelineSettings): void;
  /** New access: tried first; falls back to `previous` until it has worked. */
  setAccess(access: StoreAccessState): void;
  snapshot(): PipelineSnapshot;
}
