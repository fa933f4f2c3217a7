/** Stopping: what is open is sealed, what waits is tried, what did not go up is told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { framesIn, Rig } from "./rig.ts";

const { DropReason } = ocellus.v1;

test("stopping seals what is open, uploads what waits, and leaves nothing behind", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(3.3);
  await rig.stop();
  assert.equal(framesIn(rig.opened()), rig.fed);
  assert.deepEqual(rig.stream.pending, []);
  assert.equal(rig.double.clock.timers, 0);
  assert.equal(rig.double.network.open.size, 0);
  assert.equal(rig.double.arena.usedBytes, 0);
  assert.equal(rig.double.arena.segments.size, 0);
});

test("stopping while the store is away ends in time, and what did not go up is told", async () => {
  const rig = new Rig();
  rig.store.listen({ fails: "silence" });
  rig.pipeline.start();
  await rig.feed(6);
  const beganUs = rig.double.clock.nowUs();
  await rig.stop(3_000);
  assert.ok(rig.double.clock.nowUs() - beganUs <= 3.2e6);
  assert.deepEqual(rig.stream.pending, []);
  assert.deepEqual(rig.stream.dropped, [{ first: 0, last: 2, reason: DropReason.DROP_SHUTDOWN }]);
  assert.equal(rig.double.clock.timers, 0);
  assert.equal(rig.double.network.open.size, 0);
  assert.equal(rig.double.arena.segments.size, 0);
});

test("stopping during a back-off tries at once", async () => {
  const rig = new Rig();
  rig.store.answer = ({ method }) => (method === "PUT" ? { status: 500 } : null);
  rig.pipeline.start();
  await rig.feed(60);
  rig.store.answer = () => null;
  await rig.stop(3_000);
  assert.equal(framesIn(rig.opened()), rig.fed);
});

test("nothing that was told comes after the stop", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(6);
  await rig.stop();
  const { changes } = rig;
  const told = rig.uploaded.length;
  assert.equal(told, rig.stream.uploaded);
  await rig.double.clock.advance(100_000);
  assert.deepEqual([rig.changes, rig.uploaded.length], [changes, told]);
});
