/** The camera and mosquitto over TLS, in real time: what a scripted broker cannot show. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { MqttClient } from "mqtt";
import type { ocellus } from "#proto";
import { clientIdOf } from "../../../agent/control/client-id.ts";
import type { Cloud } from "../../../scripts/cloud/cloud.ts";
import { connectMqtt, withCloud } from "../../cloud/support.ts";
import { plain } from "../double/crypto.ts";
import { type CommandSpoils, Owner } from "../owner.ts";
import { eventually, idOf, RealCamera, v1 } from "./real.ts";

/** The owner's side of the broker: what was said on each topic, newest last. */
class Listener {
  readonly heard: { leaf: string; payload: Uint8Array; retain: boolean }[] = [];
  readonly owner: Owner;
  readonly client: MqttClient;
  claimed: { signingKey: Uint8Array; boxKey: Uint8Array } | null = null;

  private constructor(owner: Owner, client: MqttClient) {
    this.owner = owner;
    this.client = client;
    client.on("message", (topic, payload, { retain }) => {
      const leaf = topic.split("/").at(-1) ?? "";
      this.heard.push({ leaf, payload: plain(payload), retain });
    });
  }

  static async start(owner: Owner, cloud: Cloud): Promise<Listener> {
    const { broker } = await cloud.owner();
    const listener = new Listener(owner, await connectMqtt(broker));
    await listener.client.subscribeAsync(`v1/${owner.tenant}/${idOf(owner)}/#`, { qos: 1 });
    return listener;
  }

  newest(leaf: string): Uint8Array | null {
    return this.heard.filter((message) => message.leaf === leaf).at(-1)?.payload ?? null;
  }

  status(): { open: ocellus.v1.StatusPublic; secret: ocellus.v1.StatusPrivate | null } | null {
    const payload = this.newest("status");
    if (payload === null) return null;
    const body = v1.Body.decode(v1.Envelope.decode(payload).body);
    const open = v1.StatusPublic.decode(body.plain);
    if (this.claimed === null) {
      const { signingKey, boxKey } = v1.Claim.decode(open.claim);
      this.claimed = { signingKey, boxKey };
    }
    const { secret } = this.owner.read("status", payload, this.claimed.signingKey);
    return { open, secret: secret && v1.StatusPrivate.decode(secret) };
  }

  cause(): string | null {
    const stages = this.status()?.secret?.stages ?? [];
    return stages.find(({ name }) => name === v1.StageName.STAGE_CONTROL)?.cause ?? null;
  }

  send(
    camera: RealCamera,
    command: ocellus.v1.Command.$Properties,
    spoils: CommandSpoils = {},
  ): void {
    assert.ok(this.claimed);
    const notAfterUs = camera.double.clock.nowUs() + 30_000_000;
    const to = { boxKey: this.claimed.boxKey, boot: 1, notAfterUs };
    const bytes = this.owner.command(to, command, spoils);
    this.client.publish(this.owner.topic("cmd"), Buffer.from(bytes), { qos: 1 });
  }

  async adopt(camera: RealCamera): Promise<void> {
    await eventually("a claim", () => this.status());
    assert.ok(this.claimed);
    const record = this.owner.cameraRecord({ camera: this.owner.camera, ...this.claimed });
    const adopt = { ...record, recipients: this.owner.list() };
    this.send(camera, { adopt }, { signer: this.owner.root });
    await eventually("an adopted camera", () => this.status()?.secret ?? null);
  }

  /** Waits until a segment was recorded: by then the camera knows the time and has connected for good. */
  async recorded(owner: Owner): Promise<ocellus.v1.SegmentRecord> {
    const record = await eventually("a segment record", () => this.newest("seg"));
    assert.ok(this.claimed);
    const { secret } = owner.read("seg", record, this.claimed.signingKey);
    return v1.SegmentRecord.decode(secret ?? new Uint8Array(0));
  }

  async reply(): Promise<ocellus.v1.Reply> {
    const before = this.newest("rsp");
    return eventually("a reply", () => {
      const payload = this.newest("rsp");
      if (payload === null || payload === before || this.claimed === null) return null;
      const { secret } = this.owner.read("rsp", payload, this.claimed.signingKey);
      return secret && v1.Reply.decode(secret);
    });
  }
}

interface World {
  readonly cloud: Cloud;
  readonly owner: Owner;
  readonly camera: RealCamera;
  readonly listener: Listener;
}

/** A cloud with one paired camera; all is stopped afterwards. */
async function withCamera(t: TestContext, use: (world: World) => Promise<void>): Promise<void> {
  await withCloud({}, async (cloud) => {
    const owner = new Owner();
    const listener = await Listener.start(owner, cloud);
    const camera = new RealCamera(owner, await cloud.addCamera({ camera: idOf(owner) }));
    try {
      await listener.adopt(camera);
      await use({ cloud, owner, camera, listener });
    } catch (error) {
      t.diagnostic(camera.double.log);
      throw error;
    } finally {
      camera.kill();
      await listener.client.endAsync(true);
    }
  });
}

test("mosquitto takes the camera in, keeps its last words, and tells of its death by the will", async (t) => {
  await withCamera(t, async ({ camera, listener, owner, cloud }) => {
    const { object } = await listener.recorded(owner);
    assert.match(object, /\/0000000000-/);

    const late = await Listener.start(owner, cloud);
    await eventually("the retained status", () => late.newest("status"));
    const greeting = await eventually("the retained greeting", () => late.newest("link"));
    assert.equal(v1.Link.decode(greeting).up, true);
    assert.ok(late.heard.every(({ retain }) => retain));
    await late.client.endAsync(true);

    const died = Date.now();
    camera.kill();
    const will = await eventually("the will", () => {
      const link = v1.Link.decode(listener.newest("link") ?? new Uint8Array(0));
      return link.up ? null : link;
    });
    // The second: the first was made before it knew the time.
    assert.deepEqual([will.boot, will.connection], [1, 2]);
    assert.ok(Date.now() - died > 9_000, "the will waits for a reconnection");
  });
});

test("a short absence is not told on link and loses no command; a longer one is told", async (t) => {
  await withCamera(t, async ({ camera, listener, owner }) => {
    await listener.recorded(owner);
    const words = () =>
      listener.heard
        .filter(({ leaf }) => leaf === "link")
        .map(({ payload }) => v1.Link.decode(payload));
    const isDown = ({ up }: ocellus.v1.Link) => !up;
    const connections = () => words().map(({ connection }) => connection);
    await eventually(
      "the connection of whoever knows the time",
      () => connections().includes(2) || null,
    );
    // Made anew at once, which is short.
    assert.deepEqual(words().filter(isDown), []);

    const cut_ms = Date.now();
    camera.cut();
    listener.send(camera, { ping: {} });
    assert.equal((await listener.reply()).result, v1.Result.RESULT_OK);
    await eventually("the camera again", () => connections().includes(3) || null);
    // Where the machine was so slow that it was away for long, the will is right.
    const wasShort = Date.now() - cut_ms < 9_000;
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    if (wasShort) assert.deepEqual(words().filter(isDown), []);

    camera.offline = true;
    const died_ms = Date.now();
    camera.cut();
    const will = await eventually("the will", () => words().slice(3).find(isDown) ?? null);
    assert.equal(will.connection, 3);
    assert.ok(Date.now() - died_ms > 9_000, "the will waits for a reconnection");
    camera.offline = false;
    await eventually("the camera again", () => words().at(-1)?.up || null, 40_000);
  });
});

test("nobody else at the broker can end a camera's session by its client id", async (t) => {
  await withCamera(t, async ({ cloud, owner, camera, listener }) => {
    await listener.recorded(owner);
    // A camera whose id differs in its last digit only, and what its thief may try.
    const id = idOf(owner);
    const sibling = `${id.slice(0, -1)}${id.endsWith("0") ? "1" : "0"}`;
    const { broker } = await cloud.addCamera({ camera: sibling });
    const guesses = [`ocellus-${id}`, `ocellus-${id}`.slice(0, 23), id, id.slice(0, 22)];
    const known = clientIdOf(camera.double.native.sha256, {
      camera: owner.camera,
      deviceSeed: new Uint8Array(32),
    });
    for (const clientId of [...guesses, known]) {
      await (await connectMqtt(broker, { clientId })).endAsync();
    }
    const other = new Owner();
    Object.assign(other, { camera: Buffer.from(sibling, "hex") });
    const second = new RealCamera(other, await cloud.addCamera({ camera: sibling }));
    try {
      await eventually("both connected", () =>
        second.double.log.includes("Connected to the broker") ? true : null,
      );
      listener.send(camera, { ping: {} });
      assert.equal((await listener.reply()).result, v1.Result.RESULT_OK);
      for (const { log } of [camera.double, second.double]) {
        assert.doesNotMatch(log, /No connection to the broker/);
      }
    } finally {
      second.kill();
    }
  });
});

test("after an orderly end there is no will, only the camera's own word", async (t) => {
  await withCamera(t, async ({ camera, listener }) => {
    camera.double.askToStop();
    await eventually("the end", () => camera.double.exits[0] ?? null);
    await eventually("the last word", () => {
      const link = v1.Link.decode(listener.newest("link") ?? new Uint8Array(0));
      return link.up ? null : link;
    });
    assert.deepEqual(camera.double.exits, [0]);
    assert.equal(listener.cause(), "shutdown");
    const words = listener.heard.filter(({ leaf }) => leaf === "link").length;
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    assert.equal(listener.heard.filter(({ leaf }) => leaf === "link").length, words);
  });
});

test("a broker that is away for a while is found again, and the reason told", async (t) => {
  await withCamera(t, async ({ cloud, listener, owner, camera }) => {
    await cloud.broker.stop();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await cloud.broker.start();
    await listener.client.endAsync(true);
    const again = await Listener.start(owner, cloud);
    again.claimed = listener.claimed;
    await eventually("a reason", () => again.cause() || null, 40_000);
    // mosquitto says that it shuts down; attempts after that find nobody.
    assert.match(again.cause() ?? "", /^(refused|broker-shutting-down|broker-closed|reset)$/);
    again.send(camera, { ping: { payload: Uint8Array.of(1) } });
    assert.equal((await again.reply()).result, v1.Result.RESULT_OK);
    await again.client.endAsync(true);
  });
});

test("credentials are renewed by a command: proven with the new, then the old may be retired", async (t) => {
  await withCamera(t, async ({ cloud, owner, camera, listener }) => {
    const { store, broker } = await cloud.rotateCamera({ camera: idOf(owner) });
    const { url, username, password, caPem } = broker;
    listener.send(camera, { access: { store, broker: { url, username, password, caPem } } });
    assert.equal((await listener.reply()).result, v1.Result.RESULT_OK);
    const kept = () =>
      v1.AccessState.decode((camera.double.state.get("access") ?? new Uint8Array(8)).slice(0, -8));
    await eventually("proof by broker and store", () => (kept().proven ? true : null), 30_000);
    assert.equal(kept().current?.broker?.username, username);
    assert.equal(kept().previous ?? null, null);
    await cloud.retireCamera({ camera: idOf(owner) });
    listener.send(camera, { ping: {} });
    assert.equal((await listener.reply()).result, v1.Result.RESULT_OK);
  });
});

test("retired credentials: the camera keeps its footage and says in its log what is wrong", async (t) => {
  await withCamera(t, async ({ cloud, owner, camera }) => {
    await cloud.rotateCamera({ camera: idOf(owner) });
    await cloud.retireCamera({ camera: idOf(owner) });
    await eventually("the refusal", () =>
      /refuses the camera's user name or password|does not allow this camera/.test(
        camera.double.log,
      )
        ? true
        : null,
    );
  });
});

test("a flood through the real broker is held back by TCP or cut off, and the camera stays itself", async (t) => {
  await withCamera(t, async ({ camera, listener, owner }) => {
    const before = process.memoryUsage().rss;
    const topic = owner.topic("cmd");
    const end = Date.now() + 16_000;
    const junk = Buffer.alloc(500);
    while (Date.now() < end) {
      for (let i = 0; i < 20; i++) listener.client.publish(topic, junk, { qos: 0 });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // What follows does not wait behind the flood in this client.
    await listener.client.publishAsync(topic, junk, { qos: 1 });
    await eventually("the cut", () =>
      /sent more than the camera takes/.test(camera.double.log) ? true : null,
    );
    await eventually(
      "the reason",
      () => (listener.cause() === "broker-flooding" ? true : null),
      60_000,
    );
    // The first may be lost with a connection that is still full of the flood.
    const pings = setInterval(() => listener.send(camera, { ping: {} }), 2_000);
    const reply = await listener.reply().finally(() => clearInterval(pings));
    assert.equal(reply.result, v1.Result.RESULT_OK);
    assert.ok(process.memoryUsage().rss - before < 200 << 20);
  });
});
