/**
 * A camera that has an identity: claiming until its owner adopts it, paired from then on. Joins control and pipeline, and
 * keeps on flash what they want kept.
 */
import { ocellus } from "#proto";
import { Control } from "./control/control.ts";
import type { Trouble } from "./control/trouble.ts";
import { type Claim, makeClaim } from "./identity/claim.ts";
import type { CounterFile } from "./identity/counters.ts";
import { files } from "./identity/files.ts";
import type { Identity } from "./identity/identity.ts";
import { loadRecipients, type Recipients } from "./identity/recipients.ts";
import { type AccessTrial, type KeptAccess, keptToFile } from "./identity/trial.ts";
import { type Ordered, ordersFor } from "./orders.ts";
import type { ChainHead, Pipeline, PipelineDeps } from "./pipeline.ts";
import type { Native, NativeError } from "./runtime/native.d.ts";
import { Epochs } from "./seal/epochs.ts";
import { RecordWriter } from "./seal/writer.ts";
import { DEFAULT_SETTINGS, type Settings, settingsFromFile } from "./settings/settings.ts";
import { IDLE, type Signs } from "./vitals.ts";

const { Pairing } = ocellus.v1;

export type MakePipeline = (native: Native, deps: PipelineDeps) => Pipeline;

export interface OwnedParts {
  readonly identity: Identity;
  readonly paired: boolean;
  readonly counters: CounterFile;
  readonly trial: AccessTrial;
  readonly makePipeline: MakePipeline;
}

/** Why the camera stops, with the words for the last status and the exit status (native.d.ts, `exit`). */
const ENDINGS = {
  shutdown: { cause: "shutdown", reason: "The camera was told to stop.", exit: 0 },
  reboot: { cause: "reboot", reason: "The camera reboots, as its owner asked.", exit: 76 },
} as const satisfies Record<string, Trouble & { exit: 0 | 76 }>;

/** Five seconds from SIGTERM to the end (native.d.ts, `onStop`), shared out. */
const PIPELINE_STOP_MS = 3_000;
const RECORDS_STOP_MS = 500;
const CONTROL_STOP_MS = 1_000;
/** How long the reply to an order may take to leave before the order takes effect. */
const REPLY_MS = 2_000;

export class OwnedCamera implements Ordered {
  readonly counters: CounterFile;
  readonly trial: AccessTrial;
  readonly #native: Native;
  readonly #makePipeline: MakePipeline;
  readonly #epochs: Epochs;
  readonly #records: RecordWriter;
  readonly #control: Control;
  #identity: Identity;
  #claim: Claim | null;
  #settings: Settings;
  /** Of the list in force. */
  #recipientsHash: Uint8Array = new Uint8Array(0);
  #pipeline: Pipeline | null = null;
  #stopping = false;

  /** Takes over the identity's secrets. */
  constructor(native: Native, parts: OwnedParts) {
    this.#native = native;
    this.#identity = parts.identity;
    this.counters = parts.counters;
    this.trial = parts.trial;
    this.#makePipeline = parts.makePipeline;
    this.#claim = parts.paired ? null : makeClaim(parts.identity, native);
    this.#settings = loadSettings(native);
    this.#epochs = new Epochs(native);
    this.#records = new RecordWriter(native, this.#recordIdentity(), this.#epochs);
    this.#control = new Control({
      native,
      identity: parts.identity,
      boot: parts.counters.boot,
      records: this.#records,
      trial: parts.trial,
      effects: ordersFor(native, this),
      view: () => ({
        pairing: this.#claim === null ? Pairing.PAIRING_PAIRED : Pairing.PAIRING_CLAIMING,
        claim: this.#claim,
        recipientsVersion: this.#epochs.recipients?.version ?? 0,
        recipientsHash: this.#recipientsHash,
        settings: this.#settings,
        pipeline: this.#pipeline?.snapshot() ?? null,
      }),
      brokerWorked: () => this.#keepAccess(),
    });
  }

  get identity(): Identity {
    return this.#identity;
  }

  get settings(): Settings {
    return this.#settings;
  }

  /** Connects to the broker and, if paired, begins to record. Once. */
  start(): void {
    if (this.#claim === null) this.#startPaired();
    else
      this.#native.log("info", "Claiming: nothing is recorded until the owner adopts this camera.");
    this.#control.start(this.#pipeline !== null);
  }

  /** What tells whether it lives. */
  signs(): Signs {
    return { ...IDLE, ...this.#pipeline?.signs(), controlDueUs: this.#control.dueUs };
  }

  /** Ends the process within five seconds: seals and uploads what is open, says goodbye. Further calls do nothing. */
  stop(why: keyof typeof ENDINGS): void {
    if (this.#stopping) return;
    this.#stopping = true;
    const { exit, ...words } = ENDINGS[why];
    this.#native.log("info", words.reason);
    const end = async () => {
      await this.#pipeline?.stop(PIPELINE_STOP_MS);
      await this.#control.flushed(RECORDS_STOP_MS);
      await this.#control.stop(words, CONTROL_STOP_MS);
      this.#epochs.close();
      // In a turn of its own: `exit` does not return, and a promise job is no place to end in.
      this.#native.setTimer(0, () => this.#native.exit(exit));
    };
    void end();
  }

  // ---- what the owner orders ------------------------------------------------------------------------------------------

  applySettings(settings: Settings): void {
    this.#settings = settings;
    this.#pipeline?.setSettings(settings);
  }

  adopted(identity: Identity, recipients: Recipients): void {
    this.#identity = identity;
    this.#claim = null;
    this.#native.log("info", "Adopted: this camera is paired and records.");
    this.#control.setAdopted();
    this.#takeRecipients(recipients);
  }

  applyRecipients(recipients: Recipients): void {
    this.#native.log("info", `Recipients' list of version ${recipients.version} is in force.`);
    this.#takeRecipients(recipients);
  }

  applyAccess(kept: KeptAccess): void {
    this.trial.take(kept);
    this.#pipeline?.setAccess(this.trial.store());
    this.#afterReply(() => {
      if (!this.#stopping) this.#control.reconnect();
    });
  }

  reboot(): void {
    this.#afterReply(() => this.stop("reboot"));
  }

  /** The reply to the command that is being carried out is queued after this turn and gets two seconds to leave. */
  #afterReply(then: () => void): void {
    this.#native.setTimer(0, () => void this.#control.flushed(REPLY_MS).then(then));
  }

  // ---- recording ------------------------------------------------------------------------------------------------------

  #startPaired(): void {
    this.#control.setAdopted();
    const { rootKey, tenant, box } = this.#identity;
    const judge = { rootKey, tenant, boxSecret: box.secretKey };
    const list = loadRecipients(this.#native, judge, this.counters.recipientsVersion);
    if ("mistake" in list) {
      const advice = "Nothing is recorded until the owner sends a list with `ocellus send`.";
      this.#native.log("error", `${list.mistake} ${advice}`);
      return;
    }
    this.#warn(this.counters.raiseRecipientsVersion(list.version), "counters");
    this.#takeRecipients(list);
  }

  #takeRecipients(recipients: Recipients): void {
    this.#control.setSigners(recipients.signers);
    if (this.#pipeline !== null) {
      mustNotFail(this.#pipeline.setRecipients(recipients));
      this.#recipientsHash = recipients.hash;
      return;
    }
    mustNotFail(this.#epochs.setRecipients(recipients));
    this.#recipientsHash = recipients.hash;
    this.#pipeline = this.#makePipeline(this.#native, this.#pipelineDeps());
    this.#pipeline.start();
  }

  #pipelineDeps(): PipelineDeps {
    return {
      identity: this.#recordIdentity(),
      epochs: this.#epochs,
      records: this.#records,
      access: this.trial.store(),
      settings: this.#settings,
      timeFloorUs: this.counters.timeFloorUs,
      chainHeads: this.#loadChain(),
      accessProven: () => {
        if (this.trial.storeWorked()) this.#keepAccess();
        this.#control.changed();
      },
      accessFailed: (reason) => {
        this.trial.storeFailed(reason);
        this.#control.changed();
      },
      persistTimeFloor: (floorUs) => this.#warn(this.counters.raiseTimeFloor(floorUs), "counters"),
      persistChainHeads: (heads) =>
        this.#warn(files.chain.save(this.#native, { heads: [...heads] }), "chain"),
      timeKnown: (sinceUs) => this.#control.timeKnown(sinceUs),
      onUploaded: (segment) => this.#control.uploaded(segment),
      onChange: () => this.#control.changed(),
    };
  }

  #recordIdentity(): PipelineDeps["identity"] {
    const { camera, tenant, signing } = this.#identity;
    return {
      camera,
      tenant,
      boot: this.counters.boot,
      signingPublic: signing.publicKey,
      signingSecret: signing.secretKey,
    };
  }

  #loadChain(): ChainHead[] {
    const file = files.chain.load(this.#native);
    if (file.is === "bad") this.#native.log("warning", `${file.why} The chain starts anew.`);
    if (file.is !== "ok") return [];
    return file.value.heads.map(({ stream, boot, seq, headerHash }) => ({
      stream: stream ?? 0,
      boot: boot ?? 0,
      seq: seq ?? 0,
      headerHash: new Uint8Array(headerHash ?? []),
    }));
  }

  #keepAccess(): void {
    this.#warn(files.access.save(this.#native, keptToFile(this.trial.kept)), "access");
  }

  #warn(error: NativeError | null, name: string): void {
    if (error === null) return;
    this.#native.log("error", `The state file "${name}" cannot be written: ${error.text}`);
  }
}

function loadSettings(native: Native): Settings {
  const file = files.settings.load(native);
  if (file.is === "absent") return DEFAULT_SETTINGS;
  const settings = file.is === "ok" ? settingsFromFile(file.value) : { mistake: file.why };
  if (!("mistake" in settings)) return settings;
  native.log("warning", `${settings.mistake} The defaults are used.`);
  return DEFAULT_SETTINGS;
}

/** Every list was checked for low-order keys, which is all that an epoch can refuse. */
function mustNotFail(error: undefined | NativeError): void {
  if (error !== undefined) throw new Error(error.text);
}
