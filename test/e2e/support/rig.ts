/**
 * A camera, its cloud and its owner, all real: mosquitto, the embedded store, the encoder, the agent in its runtime.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ocellus } from "#proto";
import { toHex } from "../../../agent/identity/encoding.ts";
import { isRefused } from "../../../agent/seal/refusal.ts";
import { type Clip, clipFrom } from "../../../scripts/camera/footage.ts";
import {
  HostCamera,
  type HostCameraOptions,
  type Play,
  type Variant,
} from "../../../scripts/camera/host.ts";
import type { Exit } from "../../../scripts/camera/supervise.ts";
import { type Cloud, type CloudOptions, startCloud } from "../../../scripts/cloud/cloud.ts";
import type { CameraView } from "../../../scripts/owner/heads.ts";
import { signList } from "../../../scripts/owner/lists.ts";
import { type Named, Refusal } from "../../../scripts/owner/open.ts";
import {
  makeKeys,
  type Owner,
  type PairedCamera,
  withCamera,
} from "../../../scripts/owner/owner.ts";
import { HeldOwner, pairCamera } from "../../../scripts/owner/pairing.ts";
import { makePhrase, recoveryPublic } from "../../../scripts/owner/phrase.ts";
import { expectCamera, provisioningFile } from "../../../scripts/owner/provision.ts";
import { findSegments, type Segment, type Wanted } from "../../../scripts/owner/recordings.ts";
import type { Status } from "../../../scripts/owner/status.ts";
import { openStore, type Store } from "../../../scripts/owner/store.ts";
import { startTalk, type Talk } from "../../../scripts/owner/talk.ts";
import { openingKeys, trustCamera } from "../../../scripts/owner/trust.ts";

const { StageName, StageState } = ocellus.v1;

/** The street of the project's footage where it is there, else undefined: then the default clip. */
export const STREET: string | undefined = [
  fileURLToPath(new URL("../../../../shared/footage/street-640x480-25fps.h264", import.meta.url)),
].find((path) => existsSync(path));

const FINDING = /(Address|Leak)Sanitizer|runtime error:/;

/** With sanitizers unless told otherwise: these tests drive the whole runtime into every corner. */
const VARIANT: Variant = "asan";

export interface RigOptions {
  readonly variant?: Variant;
  readonly cloud?: CloudOptions;
  readonly host?: Partial<HostCameraOptions>;
  /** What the encoder plays; by default the clip for ever. */
  readonly play?: Partial<Play>;
}

/** Where a file's rig starts: cloud, owner, and a camera that is laid out but neither provisioned nor started. */
export class Rig {
  readonly directory: string;
  readonly cloud: Cloud;
  readonly host: HostCamera;
  readonly clip: Clip;
  /** Ends of the agent that were none of ours. */
  readonly exits: Exit[];
  readonly lines: string[];
  /** Lines with which sanitizers begin to tell what they found; leaks are told when a process ends in order. */
  readonly findings: string[];
  readonly #play: Partial<Play>;
  #owner: Owner;
  #paired: PairedCamera | null = null;
  #store: Store | null = null;
  #talk: Talk | null = null;

  private constructor(parts: {
    directory: string;
    cloud: Cloud;
    host: HostCamera;
    clip: Clip;
    exits: Exit[];
    lines: string[];
    findings: string[];
    owner: Owner;
    play: Partial<Play>;
  }) {
    this.directory = parts.directory;
    this.cloud = parts.cloud;
    this.host = parts.host;
    this.clip = parts.clip;
    this.exits = parts.exits;
    this.lines = parts.lines;
    this.findings = parts.findings;
    this.#owner = parts.owner;
    this.#play = parts.play;
  }

  static async create(options: RigOptions = {}): Promise<Rig> {
    const directory = await mkdtemp(join(tmpdir(), "ocellus-e2e-"));
    const cloud = await startCloud({ state: join(directory, "cloud"), ...options.cloud });
    const lines: string[] = [];
    const findings: string[] = [];
    const exits: Exit[] = [];
    const host = await HostCamera.create({
      directory: join(directory, "camera"),
      variant: options.variant ?? VARIANT,
      onLine: (from, line) => {
        lines.push(`${from}: ${line}`);
        if (FINDING.test(line)) findings.push(`${from}: ${line}`);
      },
      onExit: (from, exit, then) => {
        if (from === "agent" && then === "again") exits.push(exit);
      },
      ...options.host,
    });
    const clip = await clipFrom(STREET, directory, () => {});
    const keys = makeKeys(cloud.tenant, recoveryPublic(makePhrase()));
    const owner = { ...keys, list: signList(keys, 1, nowUs()), access: await cloud.owner() };
    const play = options.play ?? {};
    return new Rig({ directory, cloud, host, clip, exits, lines, findings, owner, play });
  }

  get owner(): Owner {
    return this.#owner;
  }

  /** Puts another state of the owner's in place, such as one with a new vault key. */
  set owner(owner: Owner) {
    this.#owner = owner;
  }

  get paired(): PairedCamera {
    assert.ok(this.#paired, "the camera is not paired");
    return this.#paired;
  }

  /** The camera's footage as its owner. */
  get view(): CameraView {
    const trusted = trustCamera(this.#owner, this.paired);
    this.#store ??= openStore(this.#access().store);
    return { store: this.#store, trusted, keys: openingKeys(this.#owner), cache: null };
  }

  get talk(): Talk {
    assert.ok(this.#talk, "not talking");
    return this.#talk;
  }

  #access() {
    assert.ok(this.#owner.access);
    return this.#owner.access;
  }

  /** Provisions and pairs the camera. Its agent then runs, its encoder does not. */
  async pair(): Promise<PairedCamera> {
    const expected = expectCamera("door");
    const access = await this.cloud.addCamera({ camera: toHex(expected.id) });
    await this.host.provision(provisioningFile(this.#owner, expected, access));
    await this.host.startAgent();
    const held = new HeldOwner(withCamera(this.#owner, expected));
    const pairing = { change: held.change, tell: () => {} };
    this.#paired = (await pairCamera(held.owner, expected, 30_000, pairing)).camera;
    this.#owner = held.owner;
    await this.host.forgetProvisioning();
    await this.talkAgain();
    return this.#paired;
  }

  /** Listens with the owner's keys as they are now. */
  async talkAgain(): Promise<void> {
    await this.#talk?.close();
    this.#talk = await startTalk(this.#owner, [this.paired], true);
  }

  /** Pairs, and lets the encoder play. */
  async record(): Promise<void> {
    await this.pair();
    await this.play();
  }

  /** Ends the agent in order and starts it again: a new boot. Resolves once that boot says that it is well. */
  async restartAgent(): Promise<void> {
    const before = this.status()?.boot ?? 0;
    await this.host.stopAgent();
    await this.host.startAgent();
    await this.untilStatus(
      "the next boot",
      ({ boot }) => boot > before && Object.values(this.stages()).every(({ ok }) => ok),
    );
  }

  async play(): Promise<void> {
    await this.host.startEncoder({ ...this.clip, loops: 0, ...this.#play });
  }

  /** The newest status that is believed. */
  status(): Status | null {
    const { status } = this.talk.state(this.paired);
    return status === null || isRefused(status) ? null : status;
  }

  /** Waits until the status has what is looked for. */
  async untilStatus<T>(
    what: string,
    look: (status: Status, secret: ocellus.v1.StatusPrivate) => T | null | undefined | false,
    within_ms = 40_000,
  ): Promise<T> {
    return until(
      what,
      () => {
        this.host.check();
        const status = this.status();
        return status?.secret ? look(status, status.secret) : null;
      },
      within_ms,
      () => JSON.stringify(this.stages()),
    );
  }

  /** Each stage's state, cause and reason, by name. */
  stages(): Record<string, { ok: boolean; cause: string; reason: string }> {
    const stages = this.status()?.secret?.stages ?? [];
    return Object.fromEntries(
      stages.map((stage) => [
        (StageName[stage.name ?? 0] ?? "").replace("STAGE_", "").toLowerCase(),
        {
          ok: stage.state === StageState.STAGE_OK,
          cause: stage.cause ?? "",
          reason: stage.reason ?? "",
        },
      ]),
    );
  }

  /** What of the boot that runs is in the store. */
  async segments(wanted: Partial<Wanted> = {}): Promise<Segment[]> {
    const boot = this.status()?.boot ?? 1;
    const all = { stream: 0, from_us: 0, to_us: Number.MAX_SAFE_INTEGER, boot, ...wanted };
    const found: Segment[] = [];
    for await (const one of findSegments(this.view, all)) {
      if (one instanceof Refusal) throw one;
      found.push(one);
    }
    return found;
  }

  /** Waits until so many more segments are in the store than are now. @returns their names. */
  async untilStored(more: number, within_ms = 60_000): Promise<Named[]> {
    const before = (await this.segments()).length;
    return until(
      `${more} more segments in the store`,
      async () => {
        this.host.check();
        const now = await this.segments();
        return now.length >= before + more ? now.slice(before).map(({ name }) => name) : null;
      },
      within_ms,
      () => this.lines.slice(-8).join("\n"),
    );
  }

  /** The agent has neither ended nor been restarted. */
  assertNeverRestarted(): void {
    assert.deepEqual(this.exits, [], this.lines.slice(-8).join("\n"));
  }

  async stop(): Promise<void> {
    await this.#talk?.close();
    this.#store?.close();
    await this.host.stop();
    await this.cloud.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Runs `use` with a rig, and stops it whatever happens. Fails where a sanitizer found something. */
export async function withRig(
  options: RigOptions,
  use: (rig: Rig) => Promise<void>,
): Promise<void> {
  const rig = await Rig.create(options);
  try {
    await use(rig);
  } finally {
    await rig.stop();
  }
  assert.deepEqual(rig.findings, [], rig.lines.slice(-40).join("\n"));
}

/** Looks until there is something, or fails with what it waited for. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  within_ms: number,
  explain: () => string = () => "",
): Promise<T> {
  const end_ms = Date.now() + within_ms;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (Date.now() > end_ms) assert.fail(`waited ${within_ms} ms for ${what}; ${explain()}`);
    await sleep(100);
  }
}

export function nowUs(): number {
  return Date.now() * 1000;
}
