/** What a status says, put together from the camera's parts. Pure. */
import { ocellus } from "#proto";
import type { Claim } from "../identity/claim.ts";
import type { PipelineSnapshot } from "../pipeline.ts";
import { bootArguments } from "../runtime/boot-arguments.ts";
import type { RuntimeOptions, Usage } from "../runtime/native.d.ts";
import { type Settings, settingsToWire } from "../settings/settings.ts";
import { packStreams, type StatusView } from "./status.ts";

/** The camera as status and commands see it; asked whenever needed. */
export interface CameraView {
  readonly pairing: ocellus.v1.Pairing;
  /** Only while claiming. */
  readonly claim: Claim | null;
  /** Version of the list in force; 0 without one. */
  readonly recipientsVersion: number;
  /** SHA-256 of that list; empty without one. */
  readonly recipientsHash: Uint8Array;
  readonly settings: Settings;
  /** `null` while nothing is captured. */
  readonly pipeline: PipelineSnapshot | null;
}

/** What control and the machine add to it. */
export interface Surroundings {
  readonly nowUs: number;
  /** Connection number within the boot. */
  readonly connection: number;
  /** The control stage. */
  readonly control: ocellus.v1.Stage.$Properties;
  /** The newest access. */
  readonly access: ocellus.v1.AccessReport.$Properties;
  readonly options: RuntimeOptions;
  readonly usage: Usage;
}

/** What comes from deep below may be long; a status is not. */
const REASON_LENGTH = 200;
const CAUSE_LENGTH = 64;
const IMAGE_LENGTH = 64;

/** Without a recipients' list there is no private part: nobody could read it. */
export function statusView(camera: CameraView, around: Surroundings): StatusView {
  const { pairing, claim, recipientsVersion, recipientsHash, settings, pipeline } = camera;
  const { options, usage, access } = around;
  const open = {
    monotonicUs: around.nowUs,
    build: options.build,
    board: options.board,
    image: options.image.slice(0, IMAGE_LENGTH),
    slot: slotOf(options.commandLine),
    recipientsVersion,
    recipientsHash,
    pairing,
    connection: around.connection,
    ...(claim === null ? {} : { claim: claim.claim, claimMac: claim.mac }),
  };
  if (recipientsVersion === 0) return { open, secret: null };
  const stages = [...(pipeline?.stages ?? []), around.control];
  return {
    open,
    secret: {
      wallUs: pipeline?.wallUs ?? 0,
      timeQuality: pipeline?.timeQuality ?? ocellus.v1.TimeQuality.TIME_UNKNOWN,
      stages: stages.map((stage) => ({
        ...stage,
        reason: (stage.reason ?? "").slice(0, REASON_LENGTH),
        cause: (stage.cause ?? "").slice(0, CAUSE_LENGTH),
      })),
      streams: packStreams(pipeline?.streams ?? []),
      queueBytes: pipeline?.queueBytes ?? 0,
      queueLimitBytes: pipeline?.queueLimitBytes ?? options.queueBytes,
      heapKb: Math.round(usage.heapBytes / 1024),
      rssKb: Math.round(usage.rssBytes / 1024),
      settingsGeneration: settings.generation,
      startReason: options.startReason.slice(0, REASON_LENGTH),
      settings: settingsToWire(settings),
      uploadedBytes: pipeline?.uploadedBytes ?? 0,
      access: { ...access, reason: (access.reason ?? "").slice(0, REASON_LENGTH) },
    },
  };
}

function slotOf(commandLine: string): ocellus.v1.Slot {
  const slot = bootArguments(commandLine).get("slot");
  if (slot === "a") return ocellus.v1.Slot.SLOT_A;
  return slot === "b" ? ocellus.v1.Slot.SLOT_B : ocellus.v1.Slot.SLOT_UNKNOWN;
}
