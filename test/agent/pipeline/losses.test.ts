/** Footage that finds no room, is overwritten, is too much for a segment, or whose encoder goes away. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { CONFIG } from "../double/clip.ts";
import { MemoryRing } from "../double/ring.ts";
import { chainHolds, framesIn, Rig } from "./rig.ts";

const { DropReason, SegmentEnd, StageState } = ocellus.v1;

test("while the store is away the queue stays within its bound, the oldest goes, and every drop is told", async () => {
  const rig = new Rig({ double: { options: { queueBytes: 1 << 20 } } });
  rig.store.listen({ fails: "refused" });
  rig.pipeline.start();
  for (let i = 0; i < 60; i++) {
    await rig.feed(1, { bytes: 4_000 });
    assert.ok(rig.double.arena.usedBytes <= 1 << 20);
  }
  const { dropped, pending, headSeq } = rig.stream;
  assert.equal(dropped?.length, 1);
  assert.equal(dropped?.[0]?.first, 0);
  assert.equal(dropped?.[0]?.reason, DropReason.DROP_QUEUE_FULL);
  assert.deepEqual(pending, [{ first: Number(dropped?.[0]?.last) + 1, last: headSeq }]);
  assert.equal(rig.stream.framesLost, 0, "dropped segments are no lost frames");
  rig.store.listen({});
  await rig.feed(61, { bytes: 400 });
  await rig.stop();
  const opened = rig.opened();
  assert.equal(chainHolds(rig, opened), true, "what was dropped after sealing stays in the chain");
  assert.equal(
    Number(rig.stream.uploaded) + Number(rig.stream.dropped?.[0]?.last) + 1,
    opened.length + Number(rig.stream.dropped?.[0]?.last) + 1,
  );
  assert.equal(opened[0]?.name.seq, Number(rig.stream.dropped?.[0]?.last) + 1);
});

test("small segments that wait are bounded by number, too: the engine's memory for each is not the arena's", async () => {
  const rig = new Rig({ double: { options: { queueBytes: 8 << 20 } } });
  rig.store.listen({ fails: "refused" });
  rig.pipeline.start();
  const segments = 600;
  await rig.feed(segments * 4, { gop: 1, bytes: 20, stepMs: 4_000 });
  const { dropped, pending, headSeq } = rig.stream;
  const [range] = dropped ?? [];
  assert.ok(rig.double.arena.usedBytes < 4 << 20, "the arena would have held them all");
  assert.equal(range?.first, 0);
  assert.equal(range?.reason, DropReason.DROP_QUEUE_FULL);
  assert.deepEqual(pending, [{ first: Number(range?.last) + 1, last: headSeq }]);
  assert.equal(Number(headSeq) - Number(range?.last), 512, "the newest half hour waits");
  rig.store.listen({});
  await rig.feed(120, { gop: 1, bytes: 20, stepMs: 4_000 });
  await rig.stop();
  assert.ok(Number(rig.stream.uploaded) >= 512);
  assert.equal(chainHolds(rig, rig.opened()), true);
});

test("a segment for which there is no room at all is given up, and recording goes on with the next key frame", async () => {
  const rig = new Rig({ double: { options: { queueBytes: 256 << 10 } } });
  rig.pipeline.start();
  await rig.feed(2, { bytes: 70_000 });
  await rig.feed(3, { bytes: 500 });
  await rig.stop();
  const opened = rig.opened();
  assert.ok(opened.length > 0);
  const { frames, framesLost, dropped } = rig.stream;
  assert.equal(Number(frames) + Number(framesLost), rig.fed);
  assert.equal(dropped?.[0]?.reason, DropReason.DROP_QUEUE_FULL);
  assert.ok(opened.some(({ object }) => object.header.skipped > 0));
  assert.ok(opened.some(({ metadata }) => metadata.framesLostBefore > 0));
  assert.equal(framesIn(opened), frames);
  assert.equal(chainHolds(rig, opened), true);
});

test("frames overwritten while their fragment waited spoil the segment, and its number is told as lapped", async () => {
  const rig = new Rig({ ringBytes: 40_000 });
  rig.pipeline.start();
  await rig.feed(3, { bytes: 300 });
  // A burst larger than the ring, without a turn in between.
  for (let i = 0; i < 40; i++)
    rig.ring.push({
      payload: new Uint8Array(2_000),
      key: i % 25 === 0,
      captureUs: rig.double.clock.nowUs() + i * 1_000,
    });
  await rig.double.clock.advance(100);
  assert.equal(rig.stage("STAGE_SEAL").cause, "lapped");
  await rig.feed(4, { bytes: 300 });
  await rig.stop();
  const opened = rig.opened();
  const { frames, framesLost } = rig.stream;
  assert.equal(Number(frames) + Number(framesLost), rig.fed + 40);
  assert.equal(framesIn(opened), frames);
  assert.equal(chainHolds(rig, opened), true);
  assert.ok(opened.some(({ metadata }) => metadata.end === SegmentEnd.END_DISCONTINUITY));
  assert.equal(
    opened.reduce((sum, { metadata }) => sum + metadata.framesLostBefore, 0),
    framesLost,
  );
});

test("a fragment that was overwritten while it waited ends its segment, which keeps what it holds", async () => {
  // Ten kilobytes more than a second of frames: a fragment of larger ones does not fit into the ring.
  const rig = new Rig({ ringBytes: 60_000 });
  rig.pipeline.start();
  await rig.feed(3, { bytes: 1_500 });
  await rig.feed(2, { bytes: 3_000 });
  assert.equal(rig.stage("STAGE_SEAL").cause, "lapped");
  await rig.feed(6, { bytes: 1_500 });
  assert.equal(rig.stage("STAGE_SEAL").state, StageState.STAGE_OK);
  await rig.stop();
  const opened = rig.opened();
  const { frames, framesLost, dropped } = rig.stream;
  assert.ok(Number(framesLost) > 0 && Number(framesLost) <= 75);
  assert.equal(Number(frames) + Number(framesLost), rig.fed);
  assert.equal(framesIn(opened), frames);
  assert.equal(chainHolds(rig, opened), true);
  assert.equal(opened[1]?.metadata.end, SegmentEnd.END_DISCONTINUITY);
  assert.equal(opened[1]?.metadata.durationUs, 2_000_000, "the seconds before are kept");
  for (const { reason } of dropped ?? []) assert.equal(reason, DropReason.DROP_LAPPED);
});

test("a segment that would get more chunks than its header can list ends early and keeps what it holds", async () => {
  const rig = new Rig();
  // Two for each fragment of a second: the limit comes within the third.
  rig.double.arena.chunksMax = 5;
  rig.pipeline.start();
  await rig.feed(20);
  assert.deepEqual(rig.double.exits, []);
  assert.ok(rig.double.log.includes("a segment cannot hold what the encoder makes"));
  rig.double.arena.chunksMax = 1_536;
  await rig.feed(20);
  assert.equal(rig.stage("STAGE_SEAL").state, StageState.STAGE_OK);
  await rig.stop();
  assert.deepEqual(rig.stream.dropped, []);
  const opened = rig.opened();
  assert.equal(chainHolds(rig, opened), true);
  const ends = opened.map(({ metadata }) => metadata.end);
  assert.ok(ends.includes(SegmentEnd.END_DISCONTINUITY));
  const { frames, framesLost } = rig.stream;
  assert.ok(Number(framesLost) > 0);
  assert.equal(Number(frames) + Number(framesLost), rig.fed);
  assert.equal(framesIn(opened), frames);
  for (const { chunks } of opened.slice(0, 3)) assert.ok(chunks.length <= 5);
});

test("an encoder that goes away closes its segment, and its successor's footage follows in the same chain", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(2.2);
  rig.double.door.die();
  await rig.double.clock.advance(3_000);
  assert.equal(rig.stage("STAGE_CAPTURE").cause, "no-encoder");
  rig.ring = new MemoryRing();
  rig.ring.setConfig(CONFIG);
  rig.double.door.start(rig.ring);
  await rig.double.clock.advance(5_000);
  await rig.feed(6);
  await rig.stop();
  const opened = rig.opened();
  assert.equal(opened[1]?.metadata.end, SegmentEnd.END_ENCODER);
  assert.equal(framesIn(opened), rig.fed);
  assert.equal(chainHolds(rig, opened), true);
  assert.equal(rig.stage("STAGE_CAPTURE").state, StageState.STAGE_OK);
});
