/**
 * A private cloud, an owner and one paired camera that records: real store, broker, encoder and agent. For tests of what
 * the camera does when the world fails it.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ocellus } from "#proto";
import { isRefused } from "../../../agent/seal/refusal.ts";
import {
  cameraDirectory,
  findCamera,
  openOwner,
  startPaired,
} from "../../../scripts/camera/development.ts";
import { clipFrom } from "../../../scripts/camera/footage.ts";
import { HostCamera, type HostCameraOptions } from "../../../scripts/camera/host.ts";
import { hostDevice } from "../../../scripts/camera/host-device.ts";
import { type Cloud, type CloudOptions, startCloud } from "../../../scripts/cloud/cloud.ts";
import type { Keystore } from "../../../scripts/owner/keystore.ts";
import type { Owner, PairedCamera } from "../../../scripts/owner/owner.ts";
import type { Status } from "../../../scripts/owner/status.ts";
import { startTalk, type Talk } from "../../../scripts/owner/talk.ts";

export interface World {
  readonly directory: string;
  readonly cloud: Cloud;
  readonly store: Keystore;
  readonly owner: Owner;
  readonly camera: PairedCamera;
  readonly host: HostCamera;
  readonly talk: Talk;
  /** All lines of the camera's log so far. */
  readonly log: readonly string[];
  /** Processes that ended since the start. */
  readonly exits: readonly string[];
}

export interface WorldOptions {
  readonly cloud?: CloudOptions;
  readonly host?: Partial<HostCameraOptions>;
}

/** Runs `use` with a camera that is paired and records the default clip in a loop; takes everything away afterwards. */
export async function withWorld(
  options: WorldOptions,
  use: (world: World) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "ocellus-e2e-"));
  const stops: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })];
  try {
    const log: string[] = [];
    const exits: string[] = [];
    const cloud = await startCloud({ state: join(directory, "cloud"), ...options.cloud });
    stops.push(() => cloud.stop());
    const host = await HostCamera.create({
      variant: "host",
      directory: cameraDirectory(cloud),
      onLine: (from, line) => log.push(`${from}: ${line}`),
      onExit: (from, exit) => exits.push(`${from} ${JSON.stringify(exit)}`),
      ...options.host,
    });
    stops.push(() => host.stop());
    const store: Keystore = { home: join(directory, "owner"), askPassphrase: noPassphrase };
    const unpaired = await openOwner(cloud, store);
    const clip = await clipFrom(undefined, directory, () => undefined);
    await host.startEncoder({ ...clip, loops: 0 });
    const device = hostDevice(host);
    const known = await findCamera(device.directory, store, unpaired);
    const starting = { cloud, store, owner: unpaired, device, known };
    const camera = await startPaired(starting, () => undefined);
    const owner = { ...unpaired, cameras: [camera] };
    const talk = await startTalk(owner, [camera], true);
    stops.push(() => talk.close());
    await use({ directory, cloud, store, owner, camera, host, talk, log, exits });
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function noPassphrase(): Promise<Uint8Array> {
  throw new Error("these keys have no passphrase");
}

/** The newest verified status with its private part. */
export function statusOf(world: World): Status & { secret: ocellus.v1.StatusPrivate } {
  const { status } = world.talk.state(world.camera);
  assert.ok(status !== null && !isRefused(status), "a status that verifies");
  const { secret } = status;
  assert.ok(secret !== null, "the private part");
  return { ...status, secret };
}

/** Waits until `holds`, and fails with what was awaited and the end of the camera's log. */
export async function until(
  world: World,
  what: string,
  within_ms: number,
  holds: () => boolean,
): Promise<void> {
  const end_ms = Date.now() + within_ms;
  while (!holds()) {
    assert.ok(Date.now() < end_ms, `${what}: not in time\n${world.log.slice(-25).join("\n")}`);
    await sleep(100);
  }
}

/** Whether the newest status tells this cause for a stage; "" asks for a stage that is well. */
export function tells(world: World, name: ocellus.v1.StageName, cause: string): boolean {
  const { status } = world.talk.state(world.camera);
  if (status === null || isRefused(status)) return false;
  const stage = status.secret?.stages.find((one) => (one.name ?? 0) === name);
  const well = stage?.state === ocellus.v1.StageState.STAGE_OK;
  return cause === "" ? well : !well && stage?.cause === cause;
}

/** Segments in the store by the camera's own word. */
export function uploaded(world: World): number {
  return statusOf(world).secret.streams.reduce((sum, stream) => sum + (stream.uploaded ?? 0), 0);
}

/** Segments that the camera says it dropped for a reason. */
export function dropped(world: World, reason: ocellus.v1.DropReason): number {
  let count = 0;
  for (const stream of statusOf(world).secret.streams) {
    for (const range of stream.dropped ?? []) {
      if (range.reason === reason) count += (range.last ?? 0) - (range.first ?? 0) + 1;
    }
  }
  return count;
}

/** Objects that the store holds under the main stream of the camera, by its request log. */
export function stored(world: World): string[] {
  return world.cloud.store.log.entries
    .filter(({ method, status, key }) => method === "PUT" && status === 200 && /\/0\//.test(key))
    .map(({ key }) => key);
}
