/** Commands by the camera's own clock, which nothing but the camera's words tells: a real broker, and the real agent in Node. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ocellus } from "#proto";
import { VALIDITY_US as VALIDITY_MAX_US } from "../../agent/control/commands.ts";
import { toHex } from "../../agent/identity/encoding.ts";
import { topicName } from "../../agent/seal/names.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import type { CloudAccess } from "../../scripts/cloud/access.ts";
import type { CloudOptions } from "../../scripts/cloud/cloud.ts";
import { earliestTimes_us, VALIDITY_US } from "../../scripts/owner/camera-clock.ts";
import { signList } from "../../scripts/owner/lists.ts";
import { makeKeys, type Owner, type PairedCamera, withCamera } from "../../scripts/owner/owner.ts";
import { HeldOwner, pairCamera } from "../../scripts/owner/pairing.ts";
import { expectCamera, provisioningFile } from "../../scripts/owner/provision.ts";
import { rotateVault, sendList } from "../../scripts/owner/revoke.ts";
import { type CameraState, startTalk, type Talk } from "../../scripts/owner/talk.ts";
import { RealCamera } from "../agent/main/real.ts";
import { Owner as NoOwner } from "../agent/owner.ts";
import { connectMqtt, withCloud } from "../cloud/support.ts";

const MINUTE_US = 60e6;
const REPLY_MS = 15_000;
const { RESULT_OK, RESULT_INVALID } = ocellus.v1.Result;
const ping = { action: "ping", ping: { payload: Uint8Array.of(7) } } as const;

interface World {
  readonly owner: Owner;
  readonly paired: PairedCamera;
  readonly camera: RealCamera;
  /** The camera's own access to the broker, and the owner's. */
  readonly access: CloudAccess;
  readonly ownerAccess: CloudAccess;
}

async function withWorld(
  t: TestContext,
  use: (world: World) => Promise<void>,
  options: CloudOptions = {},
): Promise<void> {
  await withCloud(options, async (cloud) => {
    const keys = makeKeys(cloud.tenant, undefined);
    const now_us = Date.now() * 1000;
    const ownerAccess = await cloud.owner();
    const unpaired = { ...keys, list: signList(keys, 1, now_us), access: ownerAccess };
    const expected = expectCamera("door");
    const access = await cloud.addCamera({ camera: toHex(expected.id) });
    const provisioning = new TextEncoder().encode(provisioningFile(unpaired, expected, access));
    const camera = new RealCamera(new NoOwner(), access, { provisioning });
    try {
      const held = new HeldOwner(withCamera(unpaired, expected));
      const pairing = { change: held.change, tell: () => {} };
      const { camera: paired } = await pairCamera(held.owner, expected, 30_000, pairing);
      await use({ owner: held.owner, paired, camera, access, ownerAccess });
    } catch (error) {
      t.diagnostic(camera.double.log);
      throw error;
    } finally {
      camera.kill();
    }
  });
}

async function talking<T>(world: World, owner: Owner, use: (talk: Talk) => Promise<T>): Promise<T> {
  const talk = await startTalk(owner, [world.paired]);
  try {
    return await use(talk);
  } finally {
    await talk.close();
  }
}

/** A camera that may be silent for an hour. */
async function quiet(world: World): Promise<void> {
  const settings = { schema: 1, statusMaxSilenceS: 3_600 };
  const reply = await talking(world, world.owner, (talk) =>
    talk.send(world.paired, { action: "settings", settings }, REPLY_MS),
  );
  assert.equal(reply.result, RESULT_OK, reply.text);
}

/** Makes the broker hold, in place of the newest, the status that it retains now, once `change` is done. */
async function withOldStatus(world: World, change: () => void): Promise<void> {
  const broker = await connectMqtt(world.access.broker);
  const topic = topicName(world.owner.tenant, world.paired.id, "status");
  const reader = await connectMqtt(world.ownerAccess.broker);
  const old = await new Promise<Buffer>((resolve) => {
    reader.once("message", (_topic, payload) => resolve(payload));
    reader.subscribe(topic, { qos: 1 });
  });
  await reader.endAsync(true);
  change();
  await broker.publishAsync(topic, old, { qos: 1, retain: true });
  await broker.endAsync(true);
}

test("a camera whose last word is an hour old is reached all the same, whatever the broker retains", async (t) => {
  await withWorld(t, async (world) => {
    await quiet(world);
    for (const minutes of [4, 8, 12, 59]) {
      await withOldStatus(world, () => {
        world.camera.double.clock.aheadUs += minutes * MINUTE_US;
      });
      const reply = await talking(world, world.owner, (talk) =>
        talk.send(world.paired, ping, REPLY_MS),
      );
      assert.equal(reply.result, RESULT_OK, `${minutes} min: ${reply.text}`);
      assert.deepEqual([...reply.ping], [7]);
    }
  });
});

test("a store whose clock is behind does not keep commands from the camera, whose time is wrong then", async (t) => {
  const behind_us = 20 * MINUTE_US;
  const hasStoresTime = ({ status }: CameraState) => {
    if (status === null || isRefused(status) || status.secret === null) return null;
    const off_us = Date.now() * 1000 - status.secret.wallUs;
    return Math.abs(off_us - behind_us) < MINUTE_US || null;
  };
  const use = async (world: World) => {
    for (const silence_s of [60, 3_600]) {
      // In a conversation of its own, as `ocellus send` has one: what it hears first is of unknown age.
      await talking(world, world.owner, async (talk) => {
        assert.ok(await talk.watch(world.paired, hasStoresTime, 30_000), "the store's time");
        const settings = { schema: 1, statusMaxSilenceS: silence_s };
        const command = { action: "settings", settings } as const;
        const reply = await talk.send(world.paired, command, REPLY_MS);
        assert.equal(reply.result, RESULT_OK, reply.text);
      });
    }
  };
  await withWorld(t, use, { now_ms: () => Date.now() - behind_us / 1000 });
});

test("a conversation that goes on for longer than a command is good follows the camera's clock", async (t) => {
  await withWorld(t, async (world) => {
    await quiet(world);
    await talking(world, world.owner, async (talk) => {
      await talk.settled(world.paired, 5_000);
      world.camera.double.clock.aheadUs += 30 * MINUTE_US;
      for (let i = 0; i < 2; i++) {
        const reply = await talk.send(world.paired, ping, REPLY_MS);
        assert.equal(reply.result, RESULT_OK, reply.text);
      }
    });
  });
});

test("what a camera refuses for another reason than its time is not sent again", async (t) => {
  await withWorld(t, async (world) => {
    const settings = { schema: 1, segmentS: 3 };
    const reply = await talking(world, world.owner, (talk) =>
      talk.send(world.paired, { action: "settings", settings }, REPLY_MS),
    );
    assert.equal(reply.result, RESULT_INVALID);
    assert.match(reply.text, /4 to 30/);
    const { log } = world.camera.double;
    assert.equal(log.match(/Carrying out command \d+ of \w+: settings/g)?.length, 1, log);
  });
});

test("nothing is sent to a camera that answers to other keys, but for the list of these", async (t) => {
  await withWorld(t, async (world) => {
    await quiet(world);
    // Another copy of the owner's keys gave the camera a list that these keys are not in.
    const { owner: other } = await rotateVault(world.owner, Date.now() * 1000);
    assert.deepEqual(await sendList(other), [{ camera: "door", trouble: null }]);
    const commands: Buffer[] = [];
    const spy = await connectMqtt(world.ownerAccess.broker);
    spy.on("message", (_topic, payload) => commands.push(payload));
    await spy.subscribeAsync(topicName(world.owner.tenant, world.paired.id, "cmd"), { qos: 1 });
    await talking(world, world.owner, async (talk) => {
      await assert.rejects(
        talk.send(world.paired, ping, REPLY_MS),
        /door" seals its answers to version 2 .*these keys do not open, so nothing was sent; .*keys recipients --send/,
      );
    });
    assert.equal(commands.length, 0);

    // Forty minutes after its last word, with answers that cannot be read, it still takes these keys' newer list.
    const { owner } = world;
    const second = { ...owner, list: signList(owner, 3, Date.now() * 1000) };
    await withOldStatus(world, () => {
      world.camera.double.clock.aheadUs += 40 * MINUTE_US;
    });
    assert.deepEqual(await sendList(second), [{ camera: "door", trouble: null }]);
    await spy.endAsync(true);
    const reply = await talking(world, second, (talk) => talk.send(world.paired, ping, REPLY_MS));
    assert.equal(reply.result, RESULT_OK);
  });
});

test("the windows of a command whose answers cannot be read leave no time out, and fit the camera's rate", () => {
  const said = { boot: 1, camera_us: 5e9, heard_us: 1e6, live: false };
  const times_us = earliestTimes_us(said, true, 1e6);
  for (let age_s = 0; age_s <= 3_600; age_s += 10) {
    const now_us = 5e9 + age_s * 1e6;
    const good = times_us.filter((time_us) => {
      const notAfter_us = time_us + VALIDITY_US;
      return notAfter_us >= now_us && notAfter_us - now_us <= VALIDITY_MAX_US;
    });
    assert.ok(good.length > 0, `${age_s} s`);
  }
  // The camera verifies eight at once.
  assert.ok(times_us.length <= 8);
  // A status that has just come needs one, and so do answers that can be read; the owner's clock goes on.
  assert.deepEqual(earliestTimes_us({ ...said, live: true }, true, 3e6), [5e9 + 2e6]);
  assert.deepEqual(earliestTimes_us(said, false, 3e6), [5e9 + 2e6]);
});
