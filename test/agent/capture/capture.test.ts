import assert from "node:assert/strict";
import { test } from "node:test";
import { Capture, type CaptureTrouble } from "../../../agent/capture/capture.ts";
import { CONFIG, syntheticFrame } from "../double/clip.ts";
import { createDouble, type Double } from "../double/double.ts";
import { MemoryRing } from "../double/ring.ts";

/** A capture on the double that writes down what it says. */
function rig(options: { ring?: MemoryRing | null } = {}) {
  const double = createDouble();
  const ring = options.ring === undefined ? newRing() : options.ring;
  if (ring !== null) double.door.start(ring);
  const said: string[] = [];
  const healths: (CaptureTrouble | null)[] = [];
  const captures: number[] = [];
  const capture = new Capture(double.native, 0, {
    frame: (frame) => {
      captures.push(frame.captureUs);
      said.push(`frame ${frame.captureUs / 1000}`);
    },
    lapped: (frames) => said.push(`lapped ${frames}`),
    interrupted: () => said.push("interrupted"),
    health: (trouble) => healths.push(trouble),
  });
  const causes = () => healths.map((trouble) => trouble?.cause ?? "ok");
  return { double, capture, said, healths, causes, captures };
}

function newRing(capacityBytes?: number): MemoryRing {
  const ring = new MemoryRing(capacityBytes);
  ring.setConfig(CONFIG);
  return ring;
}

/** Frames `first..last` at 25 fps from zero, a key frame every 5. */
function push(ring: MemoryRing, first: number, last: number, bytes = 100): void {
  for (let i = first; i <= last; i++)
    ring.push({
      payload: syntheticFrame(i, bytes, i % 5 === 0),
      key: i % 5 === 0,
      captureUs: 1_000_000 + i * 40_000,
    });
}

const frames = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => `frame ${1000 + (first + i) * 40}`);

test("frames are handed on in order from the oldest key frame", async () => {
  const ring = newRing();
  push(ring, 3, 12);
  const { double, capture, said, causes } = rig({ ring });
  capture.start();
  await double.clock.advance(0);
  assert.deepEqual(said, frames(5, 12));
  push(ring, 13, 14);
  await double.clock.settle();
  assert.deepEqual(said, frames(5, 14));
  assert.deepEqual(causes(), ["ok"]);
});

test("a long backlog is handed on in several turns, so that the network gets its own", async () => {
  const ring = newRing();
  push(ring, 0, 599);
  const { double, capture, said } = rig({ ring });
  capture.start();
  const counts: number[] = [];
  let timersRun = 0;
  const tick = () => {
    counts.push(said.length);
    if (timersRun++ < 8) double.native.setTimer(0, tick);
  };
  double.native.setTimer(0, tick);
  await double.clock.advance(0);
  assert.equal(said.length, 600);
  const largest = Math.max(...counts.map((count, i) => count - (counts[i - 1] ?? 0)));
  assert.ok(largest <= 128, `${largest} frames in a turn`);
});

test("the door is tried again with jittered back-off, and missed only after five seconds", async () => {
  const { double, capture, causes, healths } = rig({ ring: null });
  capture.start();
  await double.clock.advance(4_000);
  assert.deepEqual(causes(), [], "the encoder may still be starting");
  const early = double.door.attempts;
  assert.ok(early >= 5 && early <= 12, `${early} attempts in 4 s`);
  await double.clock.advance(60_000);
  assert.ok(causes().every((cause) => cause === "no-encoder") && causes().length > 0);
  assert.match(healths[0]?.reason ?? "", /^No pictures: .*\.$/);
  const late = double.door.attempts;
  await double.clock.advance(60_000);
  const perMinute = double.door.attempts - late;
  assert.ok(perMinute >= 12 && perMinute <= 24, `${perMinute} attempts a minute`);
});

test("an encoder that does not let us in is left and tried again like one that is not there", async () => {
  const ring = newRing();
  const { double, capture, said, causes, healths } = rig({ ring });
  double.door.refusal = { error: "no-encoder", text: "the encoder did not answer within 1000 ms" };
  capture.start();
  await double.clock.advance(4_000);
  assert.deepEqual(causes(), [], "the encoder may still be starting");
  assert.ok(double.door.attempts >= 5 && double.door.attempts <= 12, `${double.door.attempts}`);
  await double.clock.advance(60_000);
  assert.ok(causes().every((cause) => cause === "no-encoder") && causes().length > 0);
  assert.equal(healths[0]?.reason, "No pictures: the encoder did not answer within 1000 ms.");
  assert.deepEqual(said, []);
  assert.ok(double.door.connected <= 1, `${double.door.connected} handles are open`);
  double.door.refusal = null;
  push(ring, 0, 4);
  await double.clock.advance(5_000);
  assert.deepEqual(said, frames(0, 4));
  assert.equal(causes().at(-1), "ok");
});

test("waits differ from camera to camera", async () => {
  const times = async () => {
    const { double, capture } = rig({ ring: null });
    const at: number[] = [];
    let before = 0;
    capture.start();
    for (let ms = 0; ms < 3_000; ms++) {
      await double.clock.advance(1);
      if (double.door.attempts !== before) at.push(ms);
      before = double.door.attempts;
    }
    return at.join();
  };
  assert.notEqual(await times(), await times());
});

test("frames appear once the encoder does, and all is well", async () => {
  const { double, capture, said, causes } = rig({ ring: null });
  capture.start();
  await double.clock.advance(10_000);
  const ring = newRing();
  push(ring, 0, 4);
  double.door.start(ring);
  await double.clock.advance(5_000);
  assert.deepEqual(said, frames(0, 4));
  assert.equal(causes().at(-1), "ok");
});

test("an encoder that goes away is drained to its last frame, then missed, then found again with a new ring", async () => {
  const ring = newRing();
  const { double, capture, said, causes } = rig({ ring });
  capture.start();
  push(ring, 0, 6);
  await double.clock.advance(0);
  push(ring, 7, 300);
  double.door.die();
  await double.clock.advance(1);
  assert.deepEqual(said, [...frames(0, 300), "interrupted"]);
  assert.deepEqual(causes(), ["ok", "no-encoder"]);
  const again = newRing();
  push(again, 301, 305);
  double.door.start(again);
  await double.clock.advance(5_000);
  assert.deepEqual(said, [...frames(0, 300), "interrupted", ...frames(305, 305)]);
  assert.equal(causes().at(-1), "ok");
});

test("frames that were taken through the last connection are not taken again", async () => {
  const ring = newRing();
  const { double, capture, said } = rig({ ring });
  capture.start();
  push(ring, 0, 12);
  await double.clock.advance(0);
  // The encoder drops this consumer alone: the ring is the same.
  double.door.die();
  double.door.start(ring);
  push(ring, 13, 16);
  await double.clock.advance(1_000);
  assert.deepEqual(said, [...frames(0, 12), ...frames(13, 16).slice(0, 4), "interrupted"]);
  push(ring, 17, 18);
  await double.clock.advance(1_000);
  assert.deepEqual(said.slice(-2), frames(17, 18));
});

test("footage that is over is flushed once, and the door is left alone until the encoder goes", async () => {
  const ring = newRing();
  const { double, capture, said, causes } = rig({ ring });
  capture.start();
  push(ring, 0, 3);
  ring.end();
  await double.clock.advance(60_000);
  assert.deepEqual(said, [...frames(0, 3), "interrupted"]);
  assert.deepEqual(causes(), ["ok", "encoder-ended"]);
  assert.equal(double.door.attempts, 1);
  double.door.die();
  await double.clock.advance(60_000);
  assert.deepEqual(said, [...frames(0, 3), "interrupted"]);
  assert.ok(double.door.attempts > 5);
});

test("frames overwritten before they were read are told, and the newest key frame comes next", async () => {
  const ring = newRing(1_000);
  const { double, capture, said } = rig({ ring });
  capture.start();
  push(ring, 0, 3);
  await double.clock.advance(0);
  push(ring, 4, 32);
  await double.clock.advance(0);
  assert.deepEqual(said, [...frames(0, 3), "lapped 26", ...frames(30, 32)]);
});

test("a ring that contradicts itself is left, and another one taken", async () => {
  const ring = newRing();
  const { double, capture, said, causes } = rig({ ring });
  capture.start();
  push(ring, 0, 3);
  await double.clock.advance(0);
  ring.broken = true;
  push(ring, 4, 4);
  await double.clock.settle();
  assert.deepEqual(causes(), ["ok", "bad-ring"]);
  assert.equal(said.at(-1), "interrupted");
  const again = newRing();
  push(again, 5, 6);
  double.door.start(again);
  await double.clock.advance(1_000);
  assert.deepEqual(said.slice(-2), frames(5, 6));
});

test("an encoder that gives nothing for ten seconds hangs: its segment is flushed and the door opened anew", async () => {
  const ring = newRing();
  const { double, capture, said, causes, healths } = rig({ ring });
  capture.start();
  push(ring, 0, 3);
  await double.clock.advance(9_000);
  assert.deepEqual(causes(), ["ok"]);
  await double.clock.advance(12_000);
  assert.equal(causes()[1], "encoder-stalled");
  assert.match(healths[1]?.reason ?? "", /1[0-9] s/);
  assert.equal(said.at(-1), "interrupted");
  assert.ok(double.door.attempts >= 2);
});

test("steady frames are no stall, however long", async () => {
  const ring = newRing();
  const { double, capture, causes } = rig({ ring });
  capture.start();
  for (let i = 0; i < 100; i++) {
    push(ring, i, i);
    await double.clock.advance(400);
  }
  assert.deepEqual(causes(), ["ok"]);
  assert.equal(double.door.attempts, 1);
});

test("what the encoder is wanted to do is asked now and after each time the door was opened", async () => {
  const ring = newRing();
  const { double, capture } = rig({ ring });
  capture.want([{ what: "bitrate", value: 900 }]);
  capture.start();
  await double.clock.advance(0);
  capture.ask({ what: "keyFrame", value: 0 });
  double.door.die();
  double.door.start(newRing());
  await double.clock.advance(1_000);
  assert.deepEqual(
    double.door.requests.map(({ what, value }) => `${what} ${value}`),
    ["bitrate 900", "keyFrame 0", "bitrate 900"],
  );
});

test("after stop nothing is handed on, asked or opened, and no timer is left", async () => {
  const ring = newRing();
  const { double, capture, said } = rig({ ring });
  capture.start();
  push(ring, 0, 3);
  await double.clock.advance(0);
  capture.stop();
  push(ring, 4, 9);
  await double.clock.advance(60_000);
  assert.deepEqual(said, frames(0, 3));
  assert.equal(double.clock.timers, 0);
  const waiting: { double: Double; capture: Capture } = rig({ ring: null });
  waiting.capture.start();
  await waiting.double.clock.advance(1_000);
  waiting.capture.stop();
  assert.equal(waiting.double.clock.timers, 0);
});
