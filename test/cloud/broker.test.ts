import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import { connectAsync, ErrorWithReasonCode, type MqttClient } from "mqtt";
import type { CloudBrokerAccess } from "../../scripts/cloud/access.ts";
import { PACKET_MAX_BYTES } from "../../scripts/cloud/broker-files.ts";
import { type Cloud, startCloud } from "../../scripts/cloud/cloud.ts";
import {
  cameraId,
  connectMqtt,
  Inbox,
  makeDirectory,
  ONCE,
  removeDirectory,
  whenClosed,
} from "./support.ts";

/** MQTT 5.0 section 2.4. */
const NOT_AUTHORIZED = 0x87;
const BAD_USER_NAME_OR_PASSWORD = 0x86;
/** Of the will: long enough for a busy machine to be back in time. */
const DELAY_S = 3;
const A = cameraId("a");
const B = cameraId("b");
/** Of a fleet's rollout, any depth below `update`. */
const UPDATE = "v1/home/update/stable/stage";

describe("broker", { timeout: 120_000 }, () => {
  let state: string;
  let cloud: Cloud;
  let cameraA: CloudBrokerAccess;
  let cameraB: CloudBrokerAccess;
  let owner: CloudBrokerAccess;
  before(async () => {
    state = await makeDirectory();
    cloud = await startCloud({ state });
    cameraA = (await cloud.addCamera({ camera: A })).broker;
    cameraB = (await cloud.addCamera({ camera: B })).broker;
    owner = (await cloud.owner()).broker;
  });
  after(async () => {
    await cloud.stop();
    await removeDirectory(state);
  });

  const using = async <T>(
    access: CloudBrokerAccess,
    use: (client: MqttClient, inbox: Inbox) => Promise<T>,
    options: Parameters<typeof connectMqtt>[1] = {},
  ): Promise<T> => {
    const client = await connectMqtt(access, options);
    try {
      return await use(client, new Inbox(client));
    } finally {
      await client.endAsync(true);
    }
  };
  const topic = (camera: string, leaf: string) => `v1/home/${camera}/${leaf}`;

  it("nobody connects without a name, with a wrong password or under another's name", async () => {
    for (const url of [cloud.brokerUrl, cloud.webSocketUrl]) {
      for (const [username, password] of [
        ["", ""],
        [A, ""],
        [A, "wrong"],
        [A, cameraB.password],
        ["owner-home", cameraA.password],
        ["nobody", cameraA.password],
      ] as const) {
        await assert.rejects(
          connectMqtt({ ...owner, username, password }, { url }),
          (error) =>
            error instanceof ErrorWithReasonCode &&
            [NOT_AUTHORIZED, BAD_USER_NAME_OR_PASSWORD].includes(error.code),
          username,
        );
      }
      await assert.rejects(connectAsync(url, { ...ONCE, ca: owner.caPem }), /[Nn]ot authorized/);
    }
  });

  it("a camera publishes on its own topics, and nowhere else", async () => {
    await using(owner, async (watcher, inbox) => {
      await watcher.subscribeAsync("v1/home/#", { qos: 1 });
      await using(cameraA, async (camera) => {
        const leaves = ["link", "status", "seg", "evt", "live", "rsp"];
        for (const leaf of leaves) await camera.publishAsync(topic(A, leaf), leaf, { qos: 1 });
        await inbox.until(leaves.length);
        for (const foreign of [
          topic(A, "cmd"),
          topic(A, "status/more"),
          topic(A, "other"),
          `v1/home/${A}`,
          topic(B, "status"),
          topic(B, "link"),
          topic(B, "cmd"),
          "v1/home/update/stable",
          `v1/elsewhere/${A}/status`,
          "status",
          "$SYS/broker/version",
        ]) {
          await assert.rejects(
            camera.publishAsync(foreign, "x", { qos: 1 }),
            (error) => error instanceof ErrorWithReasonCode && error.code === NOT_AUTHORIZED,
            foreign,
          );
        }
        await camera.publishAsync(topic(A, "seg"), "last", { qos: 1 });
        await inbox.until(leaves.length + 1);
        assert.deepEqual(
          inbox.received.map(({ topic, text }) => [topic, text]),
          [...leaves.map((leaf) => [topic(A, leaf), leaf]), [topic(A, "seg"), "last"]],
        );
      });
    });
  });

  it("a camera receives its own commands and its tenant's updates, and nothing else", async () => {
    const strangers = (await cloud.owner("elsewhere")).broker;
    await using(cameraA, async (a, inboxOfA) => {
      await using(cameraB, async (b) => {
        // mosquitto acknowledges any subscription; what counts is what is delivered.
        await a.subscribeAsync(["#", "v1/#", topic(A, "#"), topic(B, "#"), topic(B, "cmd")]);
        await a.subscribeAsync([topic(A, "status"), "$SYS/#", "$share/all/v1/#"]);
        await b.publishAsync(topic(B, "status"), "of b", { qos: 1, retain: true });
        await b.publishAsync(topic(B, "seg"), "of b", { qos: 1 });
        await a.publishAsync(topic(A, "status"), "of a", { qos: 1 });
        await using(owner, async (sender) => {
          await sender.publishAsync(topic(B, "cmd"), "for b", { qos: 1 });
          await sender.publishAsync(topic(A, "cmd"), "for a", { qos: 1 });
          await sender.publishAsync(UPDATE, "for all", { qos: 1, retain: true });
        });
        await using(strangers, (stranger) =>
          stranger.publishAsync("v1/elsewhere/update/stable", "x", { qos: 1 }),
        );
        const kinds = () => inboxOfA.received.map(({ topic, text }) => `${topic} ${text}`);
        while (!kinds().some((kind) => kind.startsWith(UPDATE))) {
          await inboxOfA.until(inboxOfA.received.length + 1);
        }
        await sleep(200);
        assert.deepEqual(
          new Set(kinds()),
          new Set([`${topic(A, "cmd")} for a`, `${UPDATE} for all`]),
        );
      });
    });
  });

  it("a retained update waits for a camera that was off, and until the owner takes it back", async () => {
    await using(owner, (sender) => sender.publishAsync(UPDATE, "newest", { qos: 1, retain: true }));
    await using(cameraB, async (camera, inbox) => {
      await camera.subscribeAsync("v1/home/update/#", { qos: 1 });
      await inbox.until(1);
      const [message] = inbox.received;
      assert.deepEqual(
        [message?.topic, message?.text, message?.retained],
        [UPDATE, "newest", true],
      );
    });
    await using(owner, (sender) => sender.publishAsync(UPDATE, "", { qos: 1, retain: true }));
    await using(cameraB, async (camera, inbox) => {
      await camera.subscribeAsync("v1/home/update/#", { qos: 1 });
      await sleep(200);
      assert.deepEqual(inbox.received, []);
    });
  });

  it("the owner reads all of its tenant and writes commands and updates only", async () => {
    const strangers = (await cloud.owner("elsewhere")).broker;
    await using(owner, async (client, inbox) => {
      for (const foreign of [
        ...["status", "seg", "link", "live", "rsp"].map((leaf) => topic(A, leaf)),
        `v1/elsewhere/${A}/cmd`,
        `v1/home/${A}/deeper/cmd`,
        "v1/home/cmd",
        "v1/home/updates/stable",
        UPDATE.replace("home", "elsewhere"),
      ]) {
        await assert.rejects(
          client.publishAsync(foreign, "forged", { qos: 1, retain: true }),
          (error) => error instanceof ErrorWithReasonCode && error.code === NOT_AUTHORIZED,
          foreign,
        );
      }
      await using(strangers, async (stranger, strangersInbox) => {
        await stranger.subscribeAsync(["v1/home/#", "v1/#", "#", "v1/elsewhere/#"]);
        await client.subscribeAsync("v1/#");
        await using(cameraA, (camera) => camera.publishAsync(topic(A, "evt"), "seen", { qos: 1 }));
        await inbox.until(1);
        await sleep(200);
        assert.deepEqual(strangersInbox.received, []);
      });
    });
  });

  it("a retained status waits for who comes later, over TLS 1.3 and over WebSocket", async () => {
    await using(cameraA, async (camera) => {
      assert.ok(camera.stream instanceof TLSSocket);
      assert.equal(camera.stream.getProtocol(), "TLSv1.3");
      await camera.publishAsync(topic(A, "status"), "retained", { qos: 1, retain: true });
    });
    for (const url of [cloud.brokerUrl, cloud.webSocketUrl]) {
      await using(
        owner,
        async (client, inbox) => {
          await client.subscribeAsync(topic(A, "status"));
          await inbox.until(1);
          const [message] = inbox.received;
          assert.deepEqual([message?.text, message?.retained], ["retained", true]);
        },
        { url },
      );
    }
  });

  it("a will is told after its delay, and not where the camera was back in time", async () => {
    const clientId = "camera-a-once";
    const will = (text: string) => ({
      ...{ topic: topic(A, "link"), payload: Buffer.from(text), qos: 1 as const, retain: true },
      properties: { willDelayInterval: DELAY_S },
    });
    const dying = (text: string) =>
      connectMqtt(cameraA, {
        ...{ clientId, will: will(text), clean: false },
        properties: { sessionExpiryInterval: 30 },
      });
    const breakOff = async (client: MqttClient): Promise<void> => {
      const closed = whenClosed(client);
      client.stream.destroy();
      await closed;
    };
    await using(owner, async (watcher, inbox) => {
      await watcher.subscribeAsync(topic(A, "link"), { qos: 1, rh: 2 });
      await breakOff(await dying("first"));
      const back = await dying("second");
      await sleep(DELAY_S * 1500);
      assert.equal(inbox.received.length, 0, "back within the delay");
      const since_ms = Date.now();
      await breakOff(back);
      await inbox.until(1);
      assert.equal(inbox.received[0]?.text, "second");
      const waited_ms = Date.now() - since_ms;
      assert.ok(waited_ms >= DELAY_S * 900, `told after ${waited_ms} ms`);
    });
  });

  it("a camera added while the broker runs may connect at once; a removed one is cut off", async () => {
    const camera = cameraId("c");
    const access = (await cloud.addCamera({ camera })).broker;
    const client = await connectMqtt(access);
    await client.publishAsync(topic(camera, "status"), "here", { qos: 1, retain: true });
    const closed = whenClosed(client);
    await cloud.removeCamera({ camera });
    await closed;
    await assert.rejects(connectMqtt(access));
    // What it said last stays for its owner to see.
    await using(owner, async (watcher, inbox) => {
      await watcher.subscribeAsync(topic(camera, "status"));
      await inbox.until(1);
      assert.equal(inbox.received[0]?.text, "here");
    });
  });

  it("others stay connected while cameras come and go", async () => {
    await using(cameraA, async (client) => {
      let closed = false;
      client.once("close", () => {
        closed = true;
      });
      for (const digit of ["1", "2", "3"]) {
        await cloud.addCamera({ camera: cameraId(digit) });
        await cloud.removeCamera({ camera: cameraId(digit) });
      }
      await client.publishAsync(topic(A, "seg"), "still", { qos: 1 });
      assert.equal(closed, false);
    });
  });

  it("renewed credentials work beside the old ones until those are retired", async () => {
    const camera = cameraId("d");
    const old = (await cloud.addCamera({ camera })).broker;
    const renewed = (await cloud.rotateCamera({ camera })).broker;
    assert.notEqual(renewed.password, old.password);
    for (const access of [old, renewed]) {
      await using(access, (client) => client.publishAsync(topic(camera, "seg"), "x", { qos: 1 }));
    }
    await cloud.retireCamera({ camera });
    await assert.rejects(connectMqtt(old));
    await using(renewed, (client) => client.publishAsync(topic(camera, "seg"), "x", { qos: 1 }));
    const third = (await cloud.rotateCamera({ camera })).broker;
    assert.notEqual(third.username, renewed.username);
  });

  it("a packet beyond the bound ends the connection that sent it", async () => {
    // MQTT 3.1.1 has no word for the bound, so this client sends the packet instead of refusing to.
    await using(
      cameraA,
      async (client) => {
        await client.publishAsync(topic(A, "live"), Buffer.alloc(128 * 1024), { qos: 1 });
        const closed = whenClosed(client);
        client.publish(topic(A, "live"), Buffer.alloc(PACKET_MAX_BYTES), { qos: 1 });
        await closed;
      },
      { protocolVersion: 4 },
    );
  });

  it("what is retained survives an orderly stop, and an outage ends where it began", async () => {
    await using(cameraA, (camera) =>
      camera.publishAsync(topic(A, "status"), "before", { qos: 1, retain: true }),
    );
    const { mqttPort } = cloud.broker;
    await cloud.broker.stop();
    await assert.rejects(connectMqtt(cameraA));
    await cloud.broker.start();
    assert.equal(cloud.broker.mqttPort, mqttPort);
    await using(owner, async (watcher, inbox) => {
      await watcher.subscribeAsync(topic(A, "status"));
      await inbox.until(1);
      assert.equal(inbox.received[0]?.text, "before");
    });
    await cloud.broker.stop("SIGKILL");
    await cloud.broker.start();
    await using(cameraA, async () => {});
  });

  it("no secret stands in its log", async () => {
    const log = await readFile(cloud.broker.logFile, "utf8");
    assert.match(log, /Client .* disconnected/);
    for (const { password } of [cameraA, cameraB, owner]) assert.ok(!log.includes(password));
  });
});
