/**
 * The emulated camera with a cloud and an owner of its own, all real: paired, and recording a clip in a loop. Looked at as its
 * owner does, and where a fault is to be made, through the development image's shell.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ocellus } from "#proto";
import { isRefused } from "../../../agent/seal/refusal.ts";
import { clipFrom } from "../../../scripts/camera/footage.ts";
import { QemuCamera, SEEN_FROM_CAMERA } from "../../../scripts/camera/qemu.ts";
import { PAGE_MS, readWholeLog } from "../../../scripts/cli/log-pages.ts";
import { type Cloud, startCloud } from "../../../scripts/cloud/cloud.ts";
import { Console } from "../../../scripts/emulator/console.ts";
import type { Machine } from "../../../scripts/emulator/machine.ts";
import type { Owner, PairedCamera } from "../../../scripts/owner/owner.ts";
import { HeldOwner, pairCamera } from "../../../scripts/owner/pairing.ts";
import type { Status } from "../../../scripts/owner/status.ts";
import { startTalk, type Talk } from "../../../scripts/owner/talk.ts";
import { expectIn } from "./expected.ts";

/** Bounds what takes seconds on a machine that is not busy. */
const PATIENCE_MS = 240_000;
const REPLY_MS = 60_000;

/** A status with its private part. */
export type OwnStatus = Status & { readonly secret: ocellus.v1.StatusPrivate };

export interface Holder {
  after(stop: () => Promise<void>): void;
}

export interface GuestOptions {
  readonly more?: readonly string[];
}

/** Segments of the boot that are in the store. */
export const uploaded = ({ secret }: OwnStatus) => secret.streams[0]?.uploaded ?? 0;

export class Guest {
  readonly cloud: Cloud;
  readonly camera: QemuCamera;
  readonly console: Console;
  /** QEMU's events so far, by name. */
  readonly events: readonly string[];
  readonly paired: PairedCamera;
  readonly talk: Talk;

  private constructor(
    parts: Pick<Guest, "cloud" | "camera" | "console" | "events" | "paired" | "talk">,
  ) {
    this.cloud = parts.cloud;
    this.camera = parts.camera;
    this.console = parts.console;
    this.events = parts.events;
    this.paired = parts.paired;
    this.talk = parts.talk;
  }

  /**
   * Switches a new camera on and pairs it.
   * @param holder told what to do after it, such as a test.
   * @param more further arguments of QEMU.
   */
  static async start(holder: Holder, { more = [] }: GuestOptions = {}): Promise<Guest> {
    const directory = await mkdtemp(join(tmpdir(), "ocellus-guest-"));
    const stops: (() => Promise<unknown>)[] = [
      () => rm(directory, { recursive: true, force: true }),
    ];
    holder.after(async () => {
      for (const stop of stops.reverse()) await stop();
    });
    const state = join(directory, "cloud");
    const cloud = await startCloud({ state, names: ["localhost", SEEN_FROM_CAMERA] });
    stops.push(() => cloud.stop());
    const console = new Console((text) => camera.machine?.type(text));
    const events: string[] = [];
    const camera: QemuCamera = await QemuCamera.create({
      ...{ directory: join(directory, "camera"), board: "qemu/malta", image: "dev", more },
      onText: (text) => console.take(text),
      onEvent: ({ event }) => events.push(event),
    });
    stops.push(() => camera.stop());
    await camera.play({ ...(await clipFrom(undefined, directory, () => {})), loops: 0 });
    const [owner, paired] = await pair(cloud, camera);
    const talk = await startTalk(owner, [paired], true);
    stops.push(() => talk.close());
    return new Guest({ cloud, camera, console, events, paired, talk });
  }

  get machine(): Machine {
    const { machine } = this.camera;
    assert.ok(machine, "the camera is switched on");
    return machine;
  }

  /** What of QEMU's events tells that the machine was restarted, and whether by its watchdog. */
  get resets(): string[] {
    return this.events.filter((event) => event === "RESET" || event === "WATCHDOG");
  }

  /** Runs a command in the shell, which has to succeed. @returns what it printed. */
  async ask(command: string): Promise<string> {
    const { text, status } = await this.console.run(command);
    assert.equal(status, 0, `${command}: ${text}`);
    return text;
  }

  /** Plugs the network cable in, or out. */
  async plug(up: boolean): Promise<void> {
    await this.machine.qmp.ask("set_link", { name: "nic", up });
  }

  /** The newest status that is believed. */
  status(): OwnStatus | null {
    const { status } = this.talk.state(this.paired);
    if (status === null || isRefused(status) || status.secret === null) return null;
    return { ...status, secret: status.secret };
  }

  /** Sends a command, and asserts that it is obeyed. */
  async send(command: ocellus.v1.Command.$Properties): Promise<ocellus.v1.Reply> {
    const reply = await this.talk.send(this.paired, command, REPLY_MS);
    assert.equal(reply.result, ocellus.v1.Result.RESULT_OK, reply.text);
    return reply;
  }

  /** The end of the camera's log, as its owner reads it. */
  async log(): Promise<string> {
    const { log } = await this.send({ action: "log", log: {} });
    return Buffer.from(log).toString();
  }

  /** All of it. */
  async wholeLog(): Promise<string> {
    const log = await readWholeLog(async (back) => {
      await sleep(PAGE_MS);
      return await this.send({ action: "log", log: { back } });
    });
    return Buffer.from(log).toString();
  }

  /** Waits for a status of a later start of the machine, and for its shell. */
  async nextStart(last: OwnStatus): Promise<OwnStatus> {
    await this.console.see(/U-Boot 2025\.01 /);
    await this.console.see(/built-in shell \(ash\)/);
    return this.untilStatus("the next start", ({ boot }) => boot > last.boot);
  }

  /** Waits for a status that holds. @returns it. */
  untilStatus(what: string, holds: (status: OwnStatus) => boolean): Promise<OwnStatus> {
    return this.until(what, () => {
      const status = this.status();
      return status !== null && holds(status) ? status : null;
    });
  }

  /** Looks until there is something, or fails with what was awaited and the console's end. */
  async until<T>(what: string, look: () => T | null, within_ms = PATIENCE_MS): Promise<T> {
    const end_ms = Date.now() + within_ms;
    for (;;) {
      this.camera.check();
      const found = look();
      if (found !== null) return found;
      if (Date.now() > end_ms)
        assert.fail(`${what}: not in time\n${this.console.output.slice(-4000)}`);
      await sleep(100);
    }
  }
}

async function pair(cloud: Cloud, camera: QemuCamera): Promise<[Owner, PairedCamera]> {
  const { owner, expected } = await expectIn(cloud, camera, "guest");
  await camera.start();
  const held = new HeldOwner(owner);
  const pairing = { change: held.change, tell: () => {} };
  const { camera: paired } = await pairCamera(held.owner, expected, PATIENCE_MS, pairing);
  await camera.forgetProvisioning();
  return [held.owner, paired];
}
