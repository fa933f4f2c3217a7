/** A cloud for one test file, and clients of its broker. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import type { CloudBrokerAccess } from "../../scripts/cloud/access.ts";
import { type Cloud, type CloudOptions, startCloud } from "../../scripts/cloud/cloud.ts";

/** A new private directory; the caller removes it with `removeDirectory`. */
export function makeDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), "ocellus-cloud-"));
}

export function removeDirectory(directory: string): Promise<void> {
  return rm(directory, { recursive: true, force: true });
}

/** Runs `use` with a fresh cloud, and stops and removes it whatever happens. */
export async function withCloud<T>(
  options: CloudOptions,
  use: (cloud: Cloud) => Promise<T>,
): Promise<T> {
  const state = await makeDirectory();
  try {
    const cloud = await startCloud({ state, ...options });
    try {
      return await use(cloud);
    } finally {
      await cloud.stop();
    }
  } finally {
    await removeDirectory(state);
  }
}

/** A camera id of one repeated hex digit. */
export function cameraId(digit: string): string {
  return digit.repeat(32);
}

/** MQTT 5, and no second try. */
export const ONCE = { protocolVersion: 5, reconnectPeriod: 0, connectTimeout: 15_000 } as const;

/** Connects an MQTT 5 client that neither reconnects nor trusts anybody else. The caller ends it. */
export function connectMqtt(
  access: CloudBrokerAccess,
  options: IClientOptions & { url?: string } = {},
): Promise<MqttClient> {
  const { url = access.url, ...rest } = options;
  return connectAsync(url, {
    ...{ ...ONCE, ca: access.caPem, username: access.username, password: access.password },
    ...rest,
  });
}

/** Resolves once a client's connection is over, whoever ended it. */
export function whenClosed(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once("close", () => resolve()));
}

/** Waits until something holds that no event tells; fails after 15 s. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end_ms = Date.now() + 15_000;
  while (!(await holds())) {
    assert.ok(Date.now() < end_ms, `not within 15 s: ${holds}`);
    await sleep(5);
  }
}

/** What a client received, and a way to wait for it. */
export class Inbox {
  readonly received: { topic: string; text: string; retained: boolean }[] = [];
  #waiting: (() => void) | undefined;

  constructor(client: MqttClient) {
    client.on("message", (topic, payload, { retain }) => {
      this.received.push({ topic, text: payload.toString(), retained: retain });
      this.#waiting?.();
    });
  }

  /** Waits until `count` messages are there. */
  async until(count: number, within_ms = 15_000): Promise<void> {
    const end_ms = Date.now() + within_ms;
    while (this.received.length < count) {
      const left_ms = end_ms - Date.now();
      assert.ok(
        left_ms > 0,
        `${this.received.length} of ${count}: ${JSON.stringify(this.received)}`,
      );
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, left_ms);
        this.#waiting = () => {
          clearTimeout(late);
          resolve();
        };
      });
    }
  }
}
