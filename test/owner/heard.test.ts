/** A status that is signed and old: told from a new one by what was heard before, and by its own time. A real broker. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ocellus } from "#proto";
import { toHex } from "../../agent/identity/encoding.ts";
import { topicName } from "../../agent/seal/names.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { describe, statusJson } from "../../scripts/cli/status.ts";
import { encoded, random } from "../../scripts/owner/crypto.ts";
import { Heard, isNewer, type Position } from "../../scripts/owner/heard.ts";
import { CAMERA_RECORD_DOMAIN, signList } from "../../scripts/owner/lists.ts";
import { makeKeys, type PairedCamera, signAsRoot } from "../../scripts/owner/owner.ts";
import { type CameraState, refusedStatus, startTalk } from "../../scripts/owner/talk.ts";
import { connectMqtt, withCloud } from "../cloud/support.ts";
import { MemoryStore, makeSealer, sealRecord, viewOf } from "./support/sealed.ts";

const WAIT_MS = 20_000;

async function scratch(t: TestContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "ocellus-heard-"));
  t.after(() => rm(home, { recursive: true }));
  return home;
}

const at = (boot: number, seq: number): Position => ({ boot, seq });

test("records are in the order of boot and number", () => {
  const rising = [at(1, 7), at(1, 8), at(2, 0), at(2, 1), at(3, 5)];
  for (const [i, a] of rising.entries()) {
    for (const [j, b] of rising.entries()) assert.equal(isNewer(a, b), i > j, `${i} ${j}`);
  }
});

test("the newest of each camera is kept for the next command, and what another kept meanwhile too", async (t) => {
  const home = await scratch(t);
  const [a, b] = [{ signingKey: random(32) }, { signingKey: random(32) }];
  const [one, two] = [new Heard(home), new Heard(home)];
  await Promise.all([one.load(), two.load()]);
  assert.ok(one.note(a, at(3, 9)));
  assert.ok(one.note(a, at(3, 9)));
  assert.ok(!one.note(a, at(3, 8)));
  assert.ok(!one.note(a, at(2, 100)));
  assert.ok(two.note(a, at(3, 4)));
  assert.ok(two.note(b, at(1, 0)));
  await one.save();
  await two.save();
  assert.equal((await stat(join(home, "heard.json"))).mode & 0o777, 0o600);
  const next = new Heard(home);
  await next.load();
  assert.deepEqual(
    [
      next.note(a, at(3, 8)),
      next.note(a, at(3, 9)),
      next.note(b, at(1, 0)),
      next.note(b, at(1, 1)),
    ],
    [false, true, true, true],
  );
  // Another key is another camera: one that was reset counts anew.
  assert.ok(next.note({ signingKey: random(32) }, at(1, 0)));
  const before = await readFile(join(home, "heard.json"));
  await one.save();
  assert.deepEqual(await readFile(join(home, "heard.json")), before);
  await writeFile(join(home, "heard.json"), '{"format":"ocellus-heard-1","cameras":[{"boot":1}]}');
  await assert.rejects(new Heard(home).load(), /heard\.json.*"seq" must be a whole number/);
});

test("an old status is never taken for a newer one, in this conversation or a later one", async (t) => {
  const home = await scratch(t);
  await withCloud({}, async (cloud) => {
    const keys = makeKeys(cloud.tenant, undefined);
    const list = signList(keys, 1, 1);
    const owner = { ...keys, list, access: await cloud.owner() };
    const [vault] = owner.vaults;
    assert.ok(vault);
    const sealer = makeSealer(vault);
    const record = encoded(ocellus.v1.CameraRecord, {
      ...{ camera: sealer.camera, tenant: cloud.tenant, rootKey: owner.root.publicKey },
      ...{ signingKey: sealer.signing.publicKey, boxKey: sealer.box.publicKey },
    });
    const signature = signAsRoot(owner, CAMERA_RECORD_DOMAIN, record);
    const names = { name: "door", id: sealer.camera };
    const paired: PairedCamera = { ...names, state: "paired", record, signature };
    const access = await cloud.addCamera({ camera: toHex(sealer.camera) });
    const camera = await connectMqtt(access.broker);
    t.after(() => camera.endAsync(true));
    const topic = topicName(cloud.tenant, sealer.camera, "status");
    const say = (position: Position) => {
      const secret = encoded(ocellus.v1.StatusPrivate, { wallUs: 1 });
      const plain = encoded(ocellus.v1.StatusPublic, { monotonicUs: position.seq });
      const kind = ocellus.v1.Kind.KIND_STATUS;
      const payload = sealRecord(sealer, { kind, topic, ...position, plain, secret });
      return camera.publishAsync(topic, Buffer.from(payload), { qos: 1, retain: true });
    };
    const position = ({ status }: CameraState) =>
      status === null || isRefused(status) ? status : at(status.boot, status.seq);
    /** Says them one after the other; what the conversation holds after the last. */
    const heardOf = async (heard: Heard, retained: Position, ...said: readonly Position[]) => {
      await say(retained);
      const talk = await startTalk(owner, [paired], false, heard);
      try {
        // The first may be refused.
        const any = ({ status }: CameraState) => status && true;
        assert.ok(await talk.watch(paired, any, WAIT_MS));
        let changes = 0;
        talk.onChange(() => {
          changes += 1;
        });
        for (const [i, one] of said.entries()) {
          await say(one);
          assert.ok(await talk.watch(paired, () => changes > i || null, WAIT_MS));
        }
        return position(talk.state(paired));
      } finally {
        await talk.close();
      }
    };
    assert.deepEqual(await heardOf(new Heard(), at(1, 5), at(1, 4)), at(1, 5));
    assert.deepEqual(await heardOf(new Heard(), at(1, 5), at(1, 6), at(1, 2)), at(1, 6));
    assert.deepEqual(await heardOf(new Heard(), at(2, 1), at(1, 9)), at(2, 1));
    assert.deepEqual(await heardOf(new Heard(home), at(3, 8), at(3, 9)), at(3, 9));
    // The same again is what a broker retains.
    assert.deepEqual(await heardOf(new Heard(home), at(3, 9)), at(3, 9));
    for (const old of [at(3, 8), at(2, 50)]) {
      assert.deepEqual(await heardOf(new Heard(home), old), { refused: "replayed" });
      // Nobody who heard nothing can tell.
      assert.deepEqual(await heardOf(new Heard(), old), old);
    }
    assert.match(
      refusedStatus("door", { refused: "replayed" }).message,
      /older than one that was read here before.*shows an old one as today's/,
    );
    assert.deepEqual(await heardOf(new Heard(home), at(3, 8), at(3, 10)), at(3, 10));
  });
});

test("a status that is older than the camera may be silent is called old, whatever the broker's hint says", () => {
  const { trusted } = viewOf(makeSealer(), new MemoryStore());
  const now_us = Date.now() * 1000;
  const stateOf = (said_us: number, connected: boolean | null, silence_s = 0, live = false) => {
    const settings = silence_s === 0 ? {} : { settings: { statusMaxSilenceS: silence_s } };
    const secret = ocellus.v1.StatusPrivate.decode(
      encoded(ocellus.v1.StatusPrivate, { wallUs: said_us, ...settings }),
    );
    const open = ocellus.v1.StatusPublic.decode(new Uint8Array());
    const status = { boot: 3, seq: 5, open, secret, foreign: false };
    const clock = { boot: 3, camera_us: 0, heard_us: 0, live };
    const state: CameraState = {
      trusted: { ...trusted, boxKey: new Uint8Array(32) },
      ...{ status, connected, clock },
    };
    return state;
  };
  const title = (state: CameraState) => describe(state, now_us).split("\n")[0] ?? "";
  const minutes = (count: number) => now_us - count * 60e6;
  for (const connected of [true, false, null]) {
    assert.match(title(stateOf(minutes(40 * 1440), connected)), /connected, old: said at \d{4}-/);
    assert.match(title(stateOf(minutes(3), connected)), /, old: said at /);
    assert.match(title(stateOf(minutes(70), connected, 3_600)), /, old: said at /);
    assert.doesNotMatch(title(stateOf(minutes(59), connected, 3_600)), /old/);
    assert.match(title(stateOf(0, connected)), /, said at an unknown time$/);
  }
  assert.equal(title(stateOf(minutes(1), true)), "door  connected");
  assert.match(title(stateOf(minutes(1), false)), /not connected, this is what it said at /);
  assert.equal(title(stateOf(0, true, 0, true)), "door  connected");
  const old = (state: CameraState) => statusJson(state).status?.old;
  assert.deepEqual([old(stateOf(minutes(3), true)), old(stateOf(minutes(1), true))], [true, false]);
  assert.equal(old(stateOf(0, true)), null);
});
