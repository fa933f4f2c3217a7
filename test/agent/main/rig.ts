/**
 * A whole camera on the double: encoder, store, broker and owner around it, with a clock that tests move. The agent runs
 * as its TypeScript in Node, or as its bundle in QuickJS.
 */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { ocellus } from "#proto";
import { startCamera } from "../../../agent/camera.ts";
import { toHex } from "../../../agent/identity/encoding.ts";
import { makePipeline } from "../../../agent/pipeline.ts";
import { ScriptedBroker } from "../control/scripted-broker.ts";
import { CONFIG, syntheticFrame } from "../double/clip.ts";
import { createDouble, type Double, type DoubleOptions, Exit } from "../double/double.ts";
import { MemoryRing } from "../double/ring.ts";
import { DoubleStore } from "../double/store.ts";
import { type CommandSpoils, Owner } from "../owner.ts";
import { bundleText, Engine } from "../runtime/engine.ts";

const { v1 } = ocellus;

/** The store's wall clock at monotonic zero: 2026-11-20, after the double's build time. */
export const STORE_S = 1_795_176_000;

export type Host = "node" | "quickjs";

export interface Status {
  readonly seq: number;
  readonly boot: number;
  readonly open: ocellus.v1.StatusPublic;
  readonly secret: ocellus.v1.StatusPrivate | null;
}

export class CameraRig {
  readonly owner: Owner;
  readonly double: Double;
  readonly broker: ScriptedBroker;
  readonly store: DoubleStore;
  readonly ring = new MemoryRing();
  /** Made by the first claim that the owner checked. */
  claimed: { readonly signingKey: Uint8Array; readonly boxKey: Uint8Array } | null = null;
  engine: Engine | null = null;
  /** Wall clock of the store at monotonic zero, seconds; tests may move it. */
  storeS = STORE_S;
  #fed = 0;
  /** Verified once: verification takes milliseconds, and tests look again and again. */
  readonly #seen = new WeakMap<Uint8Array, Status>();

  /** A state directory and an owner may be handed on, for a reboot. */
  constructor(owner = new Owner(), options: DoubleOptions = {}) {
    this.owner = owner;
    this.double = createDouble(options);
    const { network, clock } = this.double;
    this.broker = new ScriptedBroker(network);
    const wallS = () => Math.floor(this.storeS + clock.nowUs() / 1e6);
    this.store = new DoubleStore(network, { port: 9000, wallS });
    this.ring.setConfig(CONFIG);
    this.double.door.start(this.ring);
  }

  /** Lays down a provisioning file. */
  provision(over: Parameters<Owner["provisioning"]>[0] = {}): void {
    this.double.provisioning = this.owner.provisioningFile(over);
  }

  async start(host: Host = "node"): Promise<void> {
    if (host === "node") {
      startCamera(this.double.native, makePipeline);
    } else {
      this.engine = await Engine.start(this.double.native);
      this.engine.run(await bundleText());
      assert.deepEqual(this.engine.defects, []);
    }
    await this.double.clock.settle();
  }

  /** The same camera after a restart: state directory, owner and provisioning file are handed on. `prepare` sees it before its start. */
  async reboot(
    host: Host = "node",
    options: DoubleOptions = {},
    prepare: (next: CameraRig) => void = () => {},
  ): Promise<CameraRig> {
    const startUs = this.double.clock.nowUs() + 5_000_000;
    const next = new CameraRig(this.owner, { state: this.double.state, startUs, ...options });
    next.double.provisioning = this.double.provisioning;
    next.claimed = this.claimed;
    prepare(next);
    await next.start(host);
    return next;
  }

  /** Ends the engine and fails on whatever would have ended the process. */
  end(): void {
    const defects = this.engine?.defects ?? [];
    this.engine?.dispose();
    this.engine = null;
    assert.deepEqual(defects, []);
  }

  until(done: () => boolean, limitMs = 60_000): Promise<void> {
    return this.double.clock.until(done, limitMs, 20);
  }

  advance(ms: number): Promise<void> {
    return this.double.clock.advance(ms);
  }

  /** Frames at 25 fps with a key frame each second. */
  async feed(seconds: number): Promise<void> {
    for (let i = 0; i < seconds * 25; i++) {
      const key = this.#fed % 25 === 0;
      const payload = syntheticFrame(this.#fed, key ? 6_000 : 1_500, key);
      this.ring.push({ payload, key, captureUs: this.double.clock.nowUs() });
      this.#fed += 1;
      await this.advance(40);
    }
  }

  /** Names of segments in the store. */
  get segments(): string[] {
    return this.store.names.filter((name) => !name.includes("/boot/"));
  }

  // ---- what the camera says -------------------------------------------------------------------------------------------

  /** All statuses so far, verified and opened as the owner does. */
  statuses(): Status[] {
    const payloads = this.broker.on(this.owner.topic("status"));
    return payloads.map((bytes) => {
      const seen = this.#seen.get(bytes) ?? this.#readStatus(bytes);
      this.#seen.set(bytes, seen);
      return seen;
    });
  }

  #readStatus(bytes: Uint8Array): Status {
    const { record, secret } = this.owner.read("status", bytes, this.#signingKey(bytes));
    return {
      seq: record.body.seq,
      boot: record.body.boot,
      open: v1.StatusPublic.decode(record.body.plain),
      secret: secret && v1.StatusPrivate.decode(secret),
    };
  }

  /** The newest status. */
  status(): Status {
    const status = this.statuses().at(-1);
    assert.ok(status, `no status; the log says:\n${this.double.log}`);
    return status;
  }

  /** The control stage of the newest status. */
  control(): ocellus.v1.Stage.$Properties {
    const stages = this.status().secret?.stages ?? [];
    const found = stages.find(({ name }) => name === v1.StageName.STAGE_CONTROL);
    assert.ok(found, "the status has no control stage");
    return found;
  }

  replies(): ocellus.v1.Reply[] {
    return this.broker.on(this.owner.topic("rsp")).map((bytes) => {
      const { secret } = this.owner.read("rsp", bytes, this.#signing());
      assert.ok(secret);
      return v1.Reply.decode(secret);
    });
  }

  segmentRecords(): ocellus.v1.SegmentRecord[] {
    return this.broker.on(this.owner.topic("seg")).map((bytes) => {
      const { secret } = this.owner.read("seg", bytes, this.#signing());
      assert.ok(secret);
      return v1.SegmentRecord.decode(secret);
    });
  }

  // ---- what the owner does --------------------------------------------------------------------------------------------

  /** Provisions, waits for the claim, checks it and adopts the camera. */
  async pair(host: Host = "node"): Promise<void> {
    this.provision();
    await this.start(host);
    await this.adopt();
  }

  /** Waits for the claim and answers it; resolves when the camera says that it is paired. */
  async adopt(): Promise<void> {
    const { owner } = this;
    await this.until(() => this.broker.on(owner.topic("status")).length > 0);
    const { open, boot } = this.status();
    assert.ok(this.claimed);
    const camera = { camera: owner.camera, ...this.claimed };
    const recipients = owner.list();
    const adopt = { ...owner.cameraRecord(camera), recipients };
    this.send({ adopt }, { signer: owner.root }, { boot, nowUs: open.monotonicUs });
    await this.until(() => this.status().open.pairing === v1.Pairing.PAIRING_PAIRED);
  }

  /** Publishes a command for the running boot, valid for a minute. */
  send(
    command: ocellus.v1.Command.$Properties,
    spoils: CommandSpoils = {},
    at: { boot?: number; nowUs?: number } = {},
  ): Uint8Array {
    assert.ok(this.claimed, "no claim was seen yet");
    const nowUs = at.nowUs ?? this.double.clock.nowUs();
    const boot = at.boot ?? this.status().boot;
    const to = { boxKey: this.claimed.boxKey, boot, notAfterUs: nowUs + 60_000_000 };
    const bytes = this.owner.command(to, command, spoils);
    this.broker.publish(this.owner.topic("cmd"), bytes);
    return bytes;
  }

  /** Publishes a command and waits for its reply. */
  async order(
    command: ocellus.v1.Command.$Properties,
    spoils: CommandSpoils = {},
  ): Promise<ocellus.v1.Reply> {
    const before = this.replies().length;
    this.send(command, spoils);
    await this.until(() => this.replies().length > before, 5_000);
    const reply = this.replies().at(-1);
    assert.ok(reply);
    return reply;
  }

  #signing(): Uint8Array {
    assert.ok(this.claimed, "no claim was seen yet");
    return this.claimed.signingKey;
  }

  /** The claimed signing key; from the first status with a claim, once its HMAC is checked. */
  #signingKey(status: Uint8Array): Uint8Array {
    if (this.claimed !== null) return this.claimed.signingKey;
    const { body } = v1.Envelope.decode(status);
    const { claim, claimMac } = v1.StatusPublic.decode(v1.Body.decode(body).plain);
    const mac = createHmac("sha256", this.owner.token).update("ocellus/v1/claim\0").update(claim);
    assert.equal(toHex(claimMac), mac.digest("hex"), "the claim's HMAC");
    const { camera, signingKey, boxKey, rootKey } = v1.Claim.decode(claim);
    assert.equal(toHex(camera), toHex(this.owner.camera));
    assert.equal(toHex(rootKey), toHex(this.owner.root.publicKey));
    this.claimed = { signingKey, boxKey };
    return signingKey;
  }
}

/** Waits until the agent has called `exit`, in Node or in QuickJS, and gives the status. */
export async function exitOf(rig: CameraRig, limitMs = 10_000): Promise<number> {
  try {
    await rig.until(() => rig.double.exits.length > 0, limitMs);
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
  }
  const [status] = rig.double.exits;
  assert.ok(status !== undefined);
  if (rig.engine !== null) {
    // In the engine `exit` shows as an exception that nobody catches.
    rig.engine.defects.splice(0);
  }
  return status;
}
