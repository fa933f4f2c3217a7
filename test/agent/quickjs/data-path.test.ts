import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ocellus } from "#proto";
import { ensure } from "../../../scripts/build/ensure.mjs";
import { OTHER_CONFIG, readClip } from "../double/clip.ts";
import { MemoryRing } from "../double/ring.ts";
import type { StoreAnswer } from "../double/store.ts";
import { CameraRig, exitOf, type Host } from "../main/rig.ts";
import { probe } from "../segment/mp4.ts";
import { framesOf, openAll, play } from "./footage.ts";

const { SegmentEnd, StageName, StageState } = ocellus.v1;

const clip = readClip(readFileSync(join(await ensure("clip-default"), "clip.h264")));
const CONFIG = { sps: clip.sps, pps: clip.pps, width: 640, height: 480, frameIntervalUs: 40_000 };

/** A paired camera in the engine, with the clip's parameter sets in its ring. */
async function paired(host: Host = "quickjs"): Promise<CameraRig> {
  const rig = new CameraRig();
  rig.ring.setConfig(CONFIG);
  await rig.pair(host);
  return rig;
}

/** Stops the camera and fails on whatever would have ended its process. */
async function finish(rig: CameraRig): Promise<void> {
  rig.double.askToStop();
  await exitOf(rig);
  rig.end();
}

function stageOf(rig: CameraRig, name: ocellus.v1.StageName): ocellus.v1.Stage.$Properties {
  const stage = rig.status().secret?.stages.find((one) => one.name === name);
  assert.ok(stage);
  return stage;
}

test("real footage sealed by the engine's bundle is opened whole, and ffmpeg plays it", async () => {
  const rig = await paired();
  await play(rig, clip.frames);
  await finish(rig);
  const segments = openAll(rig);
  assert.equal(framesOf(segments), clip.frames.length);
  const payload = segments.map(({ mp4 }) => {
    const probed = probe(mp4);
    assert.equal(probed.complaints, "");
    return probed.payload;
  });
  const fed = Buffer.concat(clip.frames.map((frame) => frame.payload));
  assert.ok(Buffer.concat(payload).equals(fed), "every byte of every frame, in order");
});

test("the engine's bundle makes the same segments as the same code in Node", async () => {
  const made = await Promise.all(
    (["node", "quickjs"] as const).map(async (host) => {
      const rig = await paired(host);
      await play(rig, clip.frames.slice(0, 200), 39);
      await finish(rig);
      return openAll(rig).map(({ metadata, mp4, name }) => ({
        seq: name.seq,
        footageClass: name.footageClass,
        metadata: ocellus.v1.SegmentMetadata.encode(metadata).finish(),
        mp4,
      }));
    }),
  );
  assert.ok((made[0]?.length ?? 0) >= 2);
  assert.deepEqual(made[1], made[0]);
});

for (const [what, answer] of [
  ["an error", { status: 500, code: "InternalError" }],
  ["a hang-up", { status: 200, hangUp: true }],
  ["silence", { status: 200, silent: true }],
  ["a refusal", { status: 403, code: "AccessDenied" }],
  ["a body too large", { status: 400, body: "x".repeat(70_000) }],
  ["a length that is none", { status: 400, headers: { "content-length": "0x10" } }],
] satisfies [string, StoreAnswer][])
  test(`${what} of the store is survived, and footage arrives once it is over`, async () => {
    const rig = await paired();
    await play(rig, clip.frames.slice(0, 50));
    rig.store.answer = ({ method }) => (method === "PUT" ? answer : null);
    await play(rig, clip.frames.slice(50, 300));
    rig.store.answer = () => null;
    await play(rig, clip.frames.slice(300));
    await rig.advance(60_000);
    assert.equal(stageOf(rig, StageName.STAGE_UPLOAD).state, StageState.STAGE_OK);
    await finish(rig);
    assert.equal(framesOf(openAll(rig)), clip.frames.length);
  });

test("another picture size, a lap, and an encoder that comes back are each told in the footage", async () => {
  const rig = await paired();
  await play(rig, clip.frames.slice(0, 60));
  rig.ring.setConfig(OTHER_CONFIG);
  await play(rig, clip.frames.slice(100, 160));
  for (let i = 0; i < 3_000; i++)
    rig.ring.push({
      payload: new Uint8Array(3_000).fill(i),
      key: i % 50 === 0,
      captureUs: rig.double.clock.nowUs() + i,
    });
  await rig.advance(4_000);
  const again = new MemoryRing();
  again.setConfig(CONFIG);
  rig.double.door.die();
  rig.double.door.start(again);
  await rig.advance(6_000);
  for (const { payload, key } of clip.frames.slice(0, 60)) {
    again.push({ payload, key, captureUs: rig.double.clock.nowUs() });
    await rig.advance(40);
  }
  await finish(rig);
  const ends = new Set(openAll(rig).map(({ metadata }) => metadata.end));
  for (const end of [
    "END_CONFIG_CHANGED",
    "END_DISCONTINUITY",
    "END_ENCODER",
    "END_SHUTDOWN",
  ] as const)
    assert.ok(ends.has(SegmentEnd[end]), end);
  const lost = openAll(rig).reduce((sum, { metadata }) => sum + metadata.framesLostBefore, 0);
  assert.ok(lost > 0);
});

test("the engine's heap stays flat over half an hour of footage", async () => {
  const rig = await paired();
  const heaps: number[] = [];
  for (let minute = 0; minute < 30; minute++) {
    for (let second = 0; second < 60; second++) await play(rig, clip.frames.slice(0, 5), 200);
    heaps.push(rig.engine?.heapBytes() ?? 0);
    rig.store.objects.clear();
    rig.store.requests.length = 0;
  }
  const early = Math.max(...heaps.slice(3, 8));
  const late = Math.max(...heaps.slice(-5));
  assert.ok(late <= early * 1.05, `from ${early} to ${late} bytes: ${heaps.join(" ")}`);
  console.log(`heap after half an hour: ${late} bytes`);
  await finish(rig);
});
