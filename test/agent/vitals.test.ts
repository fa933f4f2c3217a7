/** Whether the camera lives: the judgement, and what a whole camera makes of trouble. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasPictures, IDLE, mortal, type Signs } from "../../agent/vitals.ts";
import { CONFIG } from "./double/clip.ts";
import { MemoryRing } from "./double/ring.ts";
import { CameraRig } from "./main/rig.ts";

const S = 1_000_000;

for (const [what, signs, nowS, why] of [
  ["nothing to do", IDLE, 1e6, null],
  ["no picture for an hour", { ...IDLE, pictureUs: 100 * S }, 3_700, null],
  ["an attempt under way", { ...IDLE, uploadDueUs: 100 * S }, 90, null],
  ["one that is a little late", { ...IDLE, uploadDueUs: 100 * S }, 130, null],
  ["one that hangs", { ...IDLE, uploadDueUs: 100 * S }, 130.001, /upload hangs/],
  ["a broker that is a little late", { ...IDLE, controlDueUs: 100 * S }, 130, null],
  ["one that hangs", { ...IDLE, controlDueUs: 100 * S }, 130.001, /broker hangs/],
  [
    "pictures while both hang",
    { pictureUs: 500 * S, uploadDueUs: 1, controlDueUs: 1 },
    500,
    /upload hangs/,
  ],
] satisfies [string, Signs, number, RegExp | null][])
  test(`${what}: ${why === null ? "lives" : why}`, () => {
    const said = mortal(signs, nowS * S);
    if (why === null) assert.equal(said, null);
    else assert.match(said ?? "", why);
  });

test("pictures are missed after a minute, and only where some are due", () => {
  assert.ok(hasPictures(IDLE, 1e6 * S));
  const signs = { ...IDLE, pictureUs: 100 * S };
  assert.ok(hasPictures(signs, 160 * S));
  assert.equal(hasPictures(signs, 160 * S + 1), false);
});

/** Requests for another encoder within the last `seconds`. */
function askedWithin(rig: CameraRig, seconds: number): number {
  const from = rig.double.clock.nowUs() - seconds * S;
  return rig.double.encoderAsked.filter((at) => at > from).length;
}

/** Signs of life within the last `seconds`; about as many where the camera lives. */
function signsWithin(rig: CameraRig, seconds: number): number {
  const from = rig.double.clock.nowUs() - seconds * S;
  return rig.double.signs.filter((at) => at > from).length;
}

async function paired(): Promise<CameraRig> {
  const rig = new CameraRig();
  await rig.pair();
  await rig.feed(6);
  return rig;
}

test("a camera without an owner lives", async () => {
  const rig = new CameraRig();
  await rig.start("quickjs");
  await rig.advance(600_000);
  assert.equal(rig.double.signs.length, 601);
  rig.end();
});

test("a camera whose identity is broken lives: to start it anew would not help", async () => {
  const rig = new CameraRig();
  rig.double.state.set("identity", new Uint8Array([1, 2, 3]));
  await rig.start();
  await rig.advance(60_000);
  assert.equal(rig.double.signs.length, 61);
});

test("a camera that claims lives, without pictures", async () => {
  const rig = new CameraRig();
  rig.provision();
  await rig.start();
  await rig.advance(300_000);
  assert.equal(signsWithin(rig, 100), 100);
});

test("offline for two hours, without store and broker, it lives throughout", async () => {
  const rig = await paired();
  rig.broker.vanish();
  rig.double.network.remove("store.test", 9000);
  const hours = 2;
  for (let minute = 0; minute < hours * 60; minute++) {
    rig.ring.push({ payload: new Uint8Array(64), key: true, captureUs: rig.double.clock.nowUs() });
    await rig.double.clock.advance(50_000);
    rig.ring.push({ payload: new Uint8Array(64), key: true, captureUs: rig.double.clock.nowUs() });
    await rig.double.clock.advance(10_000);
  }
  assert.ok(signsWithin(rig, hours * 3_600) >= hours * 3_600 - 1);
});

test("a store that answers nothing, and a broker that does so at each step, are no reason", async () => {
  const rig = await paired();
  rig.store.answer = () => ({ status: 200, silent: true });
  for (const manners of [
    { connack: "silence" },
    { connack: 0, suback: "silence" },
    { suback: 0, puback: () => "silence" },
  ] as const) {
    Object.assign(rig.broker.manners, manners);
    rig.broker.cut();
    for (let i = 0; i < 60; i++) {
      await rig.feed(0.2);
      await rig.advance(4_800);
    }
    assert.ok(signsWithin(rig, 300) >= 299, JSON.stringify(manners));
  }
  assert.doesNotMatch(rig.double.log, /signs of life/);
});

test("an encoder that stalls gets a minute, then another is asked for until a frame comes; the camera lives, and both are said", async () => {
  const rig = await paired();
  await rig.advance(59_000);
  assert.equal(askedWithin(rig, 100), 0);
  await rig.advance(20_000);
  assert.equal(askedWithin(rig, 15), 15);
  assert.match(
    rig.double.log,
    /warning: There were no pictures for 60 s: the supervisor is asked to start the encoder anew\./,
  );
  // The door is tried again within 5 s, at random.
  await rig.feed(8);
  assert.equal(askedWithin(rig, 2), 0);
  assert.match(rig.double.log, /info: The encoder gives pictures again\./);
  assert.ok(signsWithin(rig, 80) >= 79);
  assert.doesNotMatch(rig.double.log, /signs of life/);
});

test("an encoder that is missing from the start gets a minute too", async () => {
  const rig = new CameraRig();
  await rig.pair();
  rig.double.door.die();
  await rig.advance(120_000);
  assert.equal(askedWithin(rig, 50), 50);
  assert.equal(signsWithin(rig, 100), 100);
});

test("an encoder whose footage is over is no reason; one that comes anew gets its minute", async () => {
  const rig = await paired();
  rig.ring.end();
  await rig.advance(600_000);
  assert.equal(askedWithin(rig, 600), 0);
  rig.double.door.die();
  const ring = new MemoryRing();
  ring.setConfig(CONFIG);
  rig.double.door.start(ring);
  await rig.advance(50_000);
  assert.equal(askedWithin(rig, 40), 0);
  await rig.advance(60_000);
  assert.equal(askedWithin(rig, 20), 20);
});

test("an upload whose deadline is lost, as a defect would lose it, is a hang", async () => {
  const rig = await paired();
  const { native } = rig.double;
  const { setTimer } = native;
  // The attempt's, that is: 30 s and what the bytes need.
  const lost = (ms: number) => ms >= 30_000 && ms < 40_000;
  native.setTimer = (ms, callback) => setTimer(ms, lost(ms) ? () => {} : callback);
  rig.store.answer = () => ({ status: 200, silent: true });
  for (let i = 0; i < 30; i++) {
    await rig.feed(0.4);
    await rig.advance(4_600);
  }
  assert.match(rig.double.log, /No more signs of life: The upload hangs/);
  assert.equal(signsWithin(rig, 30), 0);
});

test("a broker that is never tried again is a hang", async () => {
  const rig = new CameraRig();
  rig.provision();
  await rig.start();
  await rig.advance(1_000);
  const { native } = rig.double;
  const { setTimer } = native;
  // All but the beat's own timer and the control stage's look at itself.
  const kept = (ms: number) => ms === 0 || ms === 1_000 || ms === 5_000;
  native.setTimer = (ms, callback) => setTimer(ms, kept(ms) ? callback : () => {});
  rig.broker.vanish();
  await rig.advance(120_000);
  assert.match(rig.double.log, /No more signs of life: The connection to the broker hangs/);
  assert.equal(signsWithin(rig, 30), 0);
});
