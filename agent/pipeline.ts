/**
 * The pipeline: capture → segment → seal → upload, with the clock that dates it. This page is what the rest of the agent
 * sees of it; main.ts makes one once the camera is paired.
 */
import type { ocellus } from "#proto";
import type { StoreAccess } from "./identity/access.ts";
import type { NativeError } from "./runtime/native.d.ts";
import type { ChainHead } from "./seal/chain.ts";
import type { Epochs, RecipientKeys } from "./seal/epochs.ts";
import type { CameraIdentity, RecordWriter } from "./seal/writer.ts";
import type { StoreAccessState } from "./upload/stores.ts";
import type { Signs } from "./vitals.ts";

export { makePipeline } from "./recorder.ts";
export type { ChainHead, StoreAccess, StoreAccessState };

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
  /** The store failed with the current access, for `reason`, one sentence: the previous one is used for the next attempts. */
  accessFailed(reason: string): void;
  /** Keep a new floor, durably; rare (at most hourly, and when stopping). */
  persistTimeFloor(floorUs: number): void;
  /** Keep the newest chain heads, durably; rare (first segment, every 10 minutes, and when stopping). */
  persistChainHeads(heads: readonly ChainHead[]): void;
  /** A segment is in the store: what its KIND_SEGMENT record says. */
  onUploaded(segment: ocellus.v1.SegmentRecord.$Properties): void;
  /**
   * The time has become known, at first or after a jump, by an answer that came at `sinceUs` (monotonic): TLS handshakes
   * begun later were judged by it, and no session kept from before is resumed.
   */
  timeKnown(sinceUs: number): void;
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
  /** Its part of what tells whether the camera lives. */
  signs(): Pick<Signs, "pictureUs" | "uploadDueUs">;
}
