/** A list of recipients is in force only where the camera's signed word says so: a real broker, and the real agent in Node. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ocellus } from "#proto";
import { toHex } from "../../agent/identity/encoding.ts";
import { files } from "../../agent/identity/files.ts";
import { topicName } from "../../agent/seal/names.ts";
import { parseRecord } from "../../agent/seal/record.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import type { CloudAccess } from "../../scripts/cloud/access.ts";
import type { Cloud } from "../../scripts/cloud/cloud.ts";
import { makeBackup, openBackup } from "../../scripts/owner/backup.ts";
import { connectBroker } from "../../scripts/owner/broker.ts";
import { boxPairOf, crypto, encoded, signingPairOf } from "../../scripts/owner/crypto.ts";
import { signList } from "../../scripts/owner/lists.ts";
import {
  accessOf,
  freshVault,
  makeKeys,
  newestVault,
  type Owner,
  type PairedCamera,
  withCamera,
} from "../../scripts/owner/owner.ts";
import { HeldOwner, type Paired, pairCamera } from "../../scripts/owner/pairing.ts";
import { makePhrase, recoveryPublic } from "../../scripts/owner/phrase.ts";
import { expectCamera, provisioningFile } from "../../scripts/owner/provision.ts";
import { rotateVault, type SentList, sendList } from "../../scripts/owner/revoke.ts";
import type { Status } from "../../scripts/owner/status.ts";
import { startTalk } from "../../scripts/owner/talk.ts";
import { RealCamera } from "../agent/main/real.ts";
import { Owner as NoOwner } from "../agent/owner.ts";
import { connectMqtt, until as waitUntil, withCloud } from "../cloud/support.ts";
import { type Sealer, sealRecord } from "./support/sealed.ts";

const PHRASE = makePhrase();
const { Kind, Pairing, Result } = ocellus.v1;

/** What else happens when the pairing has changed the owner for the first, second, … time. */
type Meanwhile = (held: HeldOwner, nth: number) => Promise<void>;

class World {
  owner: Owner;
  camera: RealCamera;
  readonly paired: PairedCamera;
  /** What the pairing said of the recipients' list. */
  readonly trouble: string | null;
  readonly access: CloudAccess;

  constructor(owner: Owner, camera: RealCamera, paired: Paired, access: CloudAccess) {
    this.owner = owner;
    this.camera = camera;
    this.paired = paired.camera;
    this.trouble = paired.trouble;
    this.access = access;
  }

  static async make(cloud: Cloud, meanwhile: Meanwhile): Promise<World> {
    const keys = makeKeys(cloud.tenant, recoveryPublic(PHRASE));
    const unpaired = { ...keys, list: signList(keys, 1, nowUs()), access: await cloud.owner() };
    const expected = expectCamera("door");
    const access = await cloud.addCamera({ camera: toHex(expected.id) });
    const provisioning = new TextEncoder().encode(provisioningFile(unpaired, expected, access));
    const camera = new RealCamera(new NoOwner(), access, { provisioning });
    const held = new HeldOwner(withCamera(unpaired, expected));
    let nth = 0;
    const change = async <T>(by: (owner: Owner) => [Owner, T]): Promise<T> => {
      const result = await held.change(by);
      nth += 1;
      await meanwhile(held, nth);
      return result;
    };
    try {
      // Whoever waits knows the owner as he was when he began.
      await meanwhile(held, 0);
      const owner = withCamera(unpaired, expected);
      const paired = await pairCamera(owner, expected, 30_000, { change, tell: () => {} });
      return new World(held.owner, camera, paired, access);
    } catch (error) {
      camera.kill();
      throw error;
    }
  }

  /** What the broker holds of the camera, as `owner` sees it. */
  async status(owner = this.owner): Promise<Status> {
    const talk = await startTalk(owner, [this.paired]);
    const { status } = await talk.settled(this.paired, 5_000);
    await talk.close();
    assert.ok(status !== null && !isRefused(status));
    return status;
  }

  /** Starts the camera again as it is on flash: the next boot. */
  restart(change: (state: Map<string, Uint8Array>) => void = () => {}): void {
    const { state } = this.camera.double;
    this.camera.kill();
    change(state);
    this.camera = new RealCamera(new NoOwner(), this.access, { state });
  }

  /** The camera's keys in a thief's hands. */
  stolen(): Sealer {
    const file = files.identity.load(this.camera.double.native);
    assert.ok(file.is === "ok");
    const { camera, tenant, signingSecret, boxSecret } = file.value;
    const signing = signingPairOf(signingSecret.slice(0, 32));
    const recipient = newestVault(this.owner);
    return { camera, tenant, signing, box: boxPairOf(boxSecret), recipient };
  }
}

async function withWorld(
  t: TestContext,
  use: (world: World, cloud: Cloud) => Promise<void>,
  meanwhile: Meanwhile = async () => {},
) {
  await withCloud({}, async (cloud) => {
    const world = await World.make(cloud, meanwhile);
    try {
      await use(world, cloud);
    } catch (error) {
      t.diagnostic(world.camera.double.log);
      throw error;
    } finally {
      world.camera.kill();
    }
  });
}

const nowUs = () => Date.now() * 1000;

const rotate = async (owner: Owner) => (await rotateVault(owner, nowUs())).owner;

async function troubleOf(owner: Owner): Promise<string | null> {
  const [sent, ...others] = await sendList(owner);
  assert.ok(sent && others.length === 0);
  assert.equal(sent.camera, "door");
  return sent.trouble;
}

/** The camera's newest status says that this owner's list is in force. */
async function assertInForce(world: World, owner: Owner): Promise<void> {
  const { open, foreign } = await world.status(owner);
  assert.equal(open.recipientsVersion, owner.list.version);
  assert.deepEqual(Buffer.from(open.recipientsHash), Buffer.from(crypto.sha256(owner.list.list)));
  assert.equal(foreign, false);
}

test("a rotation is in force at the camera when it is reported so, and is not sent again", async (t) => {
  await withWorld(t, async (world) => {
    const rotated = await rotate(world.owner);
    assert.deepEqual([rotated.list.version, newestVault(rotated).version], [2, 2]);
    assert.equal(await troubleOf(rotated), null);
    await assertInForce(world, rotated);
    // Whoever has only the old vault key reads what is open, and that it is not for him.
    const old = await world.status(world.owner);
    assert.deepEqual([old.foreign, old.secret, old.open.recipientsVersion], [true, null, 2]);
    const log = world.camera.double.log;
    assert.equal(await troubleOf(rotated), null);
    assert.equal(
      log.split("Carrying out").length,
      world.camera.double.log.split("Carrying out").length,
    );
  });
});

/** How often the camera was given a list after it was adopted. */
const listsTaken = ({ camera }: World) => camera.double.log.match(/out .*: recipients/g)?.length;

test("whoever rotates while a camera is waited for has it adopted with the newest list", async (t) => {
  const meanwhile: Meanwhile = async (held, nth) => {
    if (nth === 0) held.owner = await rotate(held.owner);
  };
  const use = async (world: World) => {
    assert.equal(world.trouble, null);
    assert.equal(world.owner.list.version, 2);
    await assertInForce(world, world.owner);
    assert.equal(listsTaken(world), undefined, "it never had the list of before");
  };
  await withWorld(t, use, meanwhile);
});

test("a camera that was answered before a rotation is named there, and given the newest list once it is paired", async (t) => {
  const sent: SentList[] = [];
  const meanwhile: Meanwhile = async (held, nth) => {
    if (nth !== 1) return;
    held.owner = await rotate(held.owner);
    sent.push(...(await sendList(held.owner)));
  };
  const use = async (world: World) => {
    assert.deepEqual(
      sent.map(({ camera }) => camera),
      ["door"],
    );
    assert.match(
      sent[0]?.trouble ?? "",
      /being paired .*older list; run `npx --no ocellus pair door --fin/,
    );
    assert.equal(world.trouble, null);
    assert.deepEqual([world.owner.list.version, listsTaken(world)], [2, 1]);
    await assertInForce(world, world.owner);
  };
  await withWorld(t, use, meanwhile);
});

test("a rotation right after the pairing finds the camera paired, and gives it the list itself", async (t) => {
  const sent: SentList[] = [];
  const meanwhile: Meanwhile = async (held, nth) => {
    if (nth !== 2) return;
    held.owner = await rotate(held.owner);
    sent.push(...(await sendList(held.owner)));
  };
  const use = async (world: World) => {
    assert.deepEqual(sent, [{ camera: "door", trouble: null }]);
    assert.equal(world.trouble, null);
    await assertInForce(world, world.owner);
  };
  await withWorld(t, use, meanwhile);
});

test("a camera that another command gave up meanwhile is not adopted", async (t) => {
  const meanwhile: Meanwhile = async (held, nth) => {
    if (nth === 0) held.owner = { ...held.owner, cameras: [] };
  };
  const never = async () => assert.fail("it is paired");
  await assert.rejects(withWorld(t, never, meanwhile), /another command has .* "door" or given it/);
});

test("keys restored from an older backup do not pass for those in force, and rotate past them", async (t) => {
  await withWorld(t, async (world) => {
    const backup = makeBackup(world.owner, nowUs());
    const newer = await rotate(await rotate(world.owner));
    assert.equal(newer.list.version, 3);
    assert.equal(await troubleOf(newer), null);

    const { owner: restored } = openBackup(backup, "backup", PHRASE);
    assert.match(
      (await troubleOf(restored)) ?? "",
      /version 3 .*newer than version 1 .*keys rotate/,
    );
    const rotated = await rotate(restored);
    assert.equal(rotated.list.version, 4);
    assert.equal(await troubleOf(rotated), null);
    await assertInForce(world, rotated);
    assert.match((await troubleOf(newer)) ?? "", /version 4 .*newer than version 3/);
  });
});

test("another list of the same version does not pass for this one", async (t) => {
  await withWorld(t, async (world) => {
    const thief = await rotate(world.owner);
    assert.equal(await troubleOf(thief), null);
    // A second device with the same keys that rotated while it could not hear the camera.
    const vault = { version: 2, ...freshVault() };
    const changed = { ...world.owner, vaults: [...world.owner.vaults, vault] };
    const second = { ...changed, list: signList(changed, 2, nowUs()) };
    assert.match((await troubleOf(second)) ?? "", /another list of version 2.*keys rotate/);
    await assertInForce(world, thief);
    const again = await rotate(second);
    assert.equal(again.list.version, 3);
    assert.equal(await troubleOf(again), null);
    await assertInForce(world, again);
  });
});

test("a camera that is away is reported, and takes the list once it is back", async (t) => {
  await withWorld(t, async (world) => {
    world.camera.kill();
    const rotated = await rotate(world.owner);
    assert.match((await troubleOf(rotated)) ?? "", /did not answer/);
    assert.equal((await world.status(rotated)).open.recipientsVersion, 1);
    world.restart();
    await until(world, (status) => status.boot === 2);
    assert.equal(await troubleOf(rotated), null);
    await assertInForce(world, rotated);
  });
});

test("that a camera is not connected is told while it is waited for, and decides nothing", async (t) => {
  await withWorld(t, async (world) => {
    const told: string[] = [];
    const rotated = await rotate(world.owner);
    const send = () => sendList(rotated, (sentence) => told.push(sentence));
    // The hint is unsigned: this one lies.
    const liar = await connectMqtt(world.access.broker);
    const topic = topicName(rotated.tenant, world.paired.id, "link");
    const link = encoded(ocellus.v1.Link, { boot: 1, connection: 1_000, up: false });
    await liar.publishAsync(topic, Buffer.from(link), { qos: 1, retain: true });
    await liar.endAsync();
    assert.deepEqual(await send(), [{ camera: "door", trouble: null }]);
    const away = 'camera "door" is not connected, says the broker; waiting for it all the same';
    assert.deepEqual(told, [away]);
    assert.deepEqual(await send(), [{ camera: "door", trouble: null }]);
    assert.equal(told.length, 1, "nothing is waited for");
  });
});

test("a camera that lost its list takes a newer one, since it is signed for by the root key", async (t) => {
  await withWorld(t, async (world) => {
    world.restart((state) => state.delete("recipients"));
    await until(world, ({ boot, open }) => boot === 2 && open.recipientsVersion === 0);
    const rotated = await rotate(world.owner);
    assert.equal(await troubleOf(rotated), null);
    await assertInForce(world, rotated);
  });
});

test("a reply alone is no proof: a camera that says OK and goes on as before is reported", async (t) => {
  await withWorld(t, async (world) => {
    const stolen = world.stolen();
    world.camera.kill();
    let seq = 1_000;
    const say = async (kind: ocellus.v1.Kind, leaf: "rsp" | "status", parts: object) => {
      const topic = topicName(stolen.tenant, stolen.camera, leaf);
      seq += 1;
      const secret = new Uint8Array();
      await broker.publish(
        topic,
        sealRecord(stolen, { kind, topic, boot: 1, seq, secret, ...parts }),
      );
    };
    const broker = await connectBroker(world.access.broker, (_topic, payload) => {
      const command = parseRecord(payload);
      if (isRefused(command)) return;
      const { signer, seq: answered } = command.body;
      const reply = { signer, seq: answered, result: Result.RESULT_OK };
      void say(Kind.KIND_REPLY, "rsp", { secret: encoded(ocellus.v1.Reply, reply) });
    });
    try {
      await broker.subscribe(topicName(stolen.tenant, stolen.camera, "cmd"));
      const rotated = await rotate(world.owner);
      assert.match((await troubleOf(rotated)) ?? "", /does not say that it is in force/);
    } finally {
      await broker.close();
    }
  });
});

test("one stolen camera's word does not use up the versions of the list", async (t) => {
  await withWorld(t, async (world) => {
    const stolen = world.stolen();
    world.camera.kill();
    const topic = topicName(stolen.tenant, stolen.camera, "status");
    const plain = encoded(ocellus.v1.StatusPublic, {
      ...{ monotonicUs: 1, recipientsVersion: 0xffff_ffff, recipientsHash: new Uint8Array(32) },
      pairing: Pairing.PAIRING_PAIRED,
    });
    const secret = encoded(ocellus.v1.StatusPrivate, {});
    const at = { kind: Kind.KIND_STATUS, topic, boot: 9, seq: 1 };
    const thief = await connectMqtt(world.access.broker);
    const status = Buffer.from(sealRecord(stolen, { ...at, plain, secret }));
    await thief.publishAsync(topic, status, { qos: 1, retain: true });
    await thief.endAsync();
    assert.equal((await world.status()).open.recipientsVersion, 0xffff_ffff);
    const rotated = await rotate(world.owner);
    assert.equal(rotated.list.version, 2);
    assert.match((await troubleOf(rotated)) ?? "", /states version 4294967295.*reset it/);
  });
});

test("what another wrote in a camera's place is refused, waited past, and told for no more than it is", async (t) => {
  await withWorld(t, async (world) => {
    const topic = topicName(world.owner.tenant, world.paired.id, "status");
    const held: Uint8Array[] = [];
    const broker = await connectBroker(accessOf(world.owner).broker, (_topic, payload) => {
      held.push(payload);
    });
    await broker.subscribe(topic);
    await waitUntil(() => held.length > 0);
    await broker.close();
    world.camera.kill();
    const [good] = held;
    assert.ok(good);
    // All that it takes is the camera's broker password.
    const thief = await connectMqtt(world.access.broker);
    const put = (payload: Uint8Array) =>
      thief.publishAsync(topic, Buffer.from(payload), { qos: 1, retain: true });
    await put(good.map((byte, i) => (i === good.length - 1 ? byte ^ 1 : byte)));

    const { owner, unheard } = await rotateVault(world.owner, nowUs());
    assert.equal(owner.list.version, 2);
    assert.deepEqual(
      unheard.map(({ camera }) => camera),
      ["door"],
    );
    const talk = await startTalk(world.owner, [world.paired]);
    const told =
      /status of camera "door" .*refused \(signature\).*reset, or the broker or whoever has .* password/;
    assert.match(unheard[0]?.why ?? "", told);
    let over = false;
    const settled = talk.settled(world.paired, 60_000).finally(() => {
      over = true;
    });
    const ping = talk.send(world.paired, { action: "ping", ping: {} }, 10_000);
    const refused = assert.rejects(ping, /did not answer/);
    assert.ok(await talk.watch(world.paired, ({ status }) => isRefused(status) || null, 60_000));
    // Longer than `send` gives a camera that has said nothing.
    await sleep(4_000);
    assert.equal(over, false);
    await put(good);
    const { status } = await settled;
    assert.ok(status !== null && !isRefused(status));
    await refused;
    await talk.close();
    assert.deepEqual((await rotateVault(world.owner, nowUs())).unheard, []);
    await put(new Uint8Array());
    const [silent] = (await rotateVault(world.owner, nowUs())).unheard;
    assert.match(silent?.why ?? "", /has said nothing at this broker/);
    await thief.endAsync();
  });
});

test("without the broker nothing is rotated; without cameras none is needed", async (t) => {
  await withWorld(t, async (world, cloud) => {
    await cloud.broker.stop();
    await assert.rejects(rotate(world.owner), /broker/);
    const alone = { ...world.owner, cameras: [] };
    assert.equal((await rotate(alone)).list.version, 2);
    assert.deepEqual(await sendList(alone), []);
    await cloud.broker.start();
  });
});

/** Waits for a status. */
async function until(world: World, holds: (status: Status) => boolean): Promise<void> {
  const talk = await startTalk(world.owner, [world.paired], true);
  const look = ({ status }: { status: Status | object | null }) =>
    status !== null && "boot" in status && holds(status) ? true : null;
  const found = await talk.watch(world.paired, look, 30_000);
  await talk.close();
  assert.ok(found, world.camera.double.log);
}
