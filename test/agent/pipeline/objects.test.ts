/** What becomes of one object that the store refuses, has already, or stored without saying so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { framesIn, isSegment, Rig } from "./rig.ts";

const { DropReason, StageState } = ocellus.v1;

test("another object under a segment's name is a conflict: told, dropped, never counted as uploaded", async () => {
  const rig = new Rig();
  let hits = 0;
  rig.store.answer = (request) =>
    isSegment(request) && hits++ === 0 ? { status: 412, code: "PreconditionFailed" } : null;
  rig.pipeline.start();
  await rig.feed(2);
  assert.equal(rig.stage("STAGE_UPLOAD").cause, "store-conflict");
  assert.deepEqual(rig.stream.dropped, [{ first: 0, last: 0, reason: DropReason.DROP_CONFLICT }]);
  await rig.feed(5);
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
  assert.equal(rig.stream.uploaded, 1);
  assert.deepEqual(
    rig.uploaded.map(({ seq }) => seq),
    [1],
  );
  await rig.stop();
});

for (const [what, lose] of [
  ["was lost with the connection", { hangUp: true }],
  ["never came", { silent: true }],
  ["was an error of the store", { status: 500, code: "InternalError" }],
] as const)
  test(`a segment that was stored although its answer ${what} counts as uploaded, once`, async () => {
    const rig = new Rig();
    let lost = 0;
    rig.store.after = (request, answer) =>
      isSegment(request) && lost++ === 0 ? { ...answer, ...lose } : answer;
    rig.pipeline.start();
    await rig.feed(40);
    await rig.stop();
    const first = rig.store.requests
      .filter(isSegment)
      .filter(({ path }) => path.includes("/0000000000-"));
    assert.equal(first.length, 2, "the same bytes were put twice");
    assert.deepEqual(first[0]?.body, first[1]?.body);
    assert.equal(rig.uploaded.filter(({ seq }) => seq === 0).length, 1);
    assert.deepEqual(rig.stream.dropped, []);
    assert.equal(framesIn(rig.opened()), rig.fed);
  });

test("an object that the store refuses for good is dropped with its reason, and the next one goes up", async () => {
  const rig = new Rig();
  let hits = 0;
  rig.store.answer = (request) =>
    isSegment(request) && hits++ === 0 ? { status: 400, code: "EntityTooLarge" } : null;
  rig.pipeline.start();
  await rig.feed(6);
  await rig.stop();
  assert.deepEqual(rig.stream.dropped, [{ first: 0, last: 0, reason: DropReason.DROP_REFUSED }]);
  assert.ok(Number(rig.stream.uploaded) >= 2);
});

test("a boot record that the store does not take holds up no footage, and is tried again", async () => {
  const rig = new Rig();
  let forbidden = true;
  rig.store.answer = ({ path }) =>
    forbidden && path.includes("/boot/") ? { status: 403, code: "AccessDenied" } : null;
  rig.pipeline.start();
  await rig.feed(20);
  assert.ok(Number(rig.stream.uploaded) >= 4);
  const puts = rig.store.requests.filter(({ method }) => method === "PUT");
  const tried = puts.flatMap(({ path }, i) => (path.includes("/boot/") ? [i] : []));
  assert.ok(tried.length >= 4 && tried.length <= 7, `${tried.length} tries`);
  // Footage has a turn between two of them, unless all of it is in the store.
  assert.ok(tried.length < puts.length - 3, `${tried.length} of ${puts.length}`);
  forbidden = false;
  await rig.feed(40);
  assert.equal(rig.store.names.filter((name) => name.includes("/boot/")).length, 1);
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
  await rig.stop();
});

test("a boot record that the store refuses once is in it before more than a segment or two", async () => {
  for (const status of [503, 403]) {
    const rig = new Rig();
    let refusals = 1;
    rig.store.answer = ({ path }) =>
      path.includes("/boot/") && refusals-- > 0 ? { status, code: "SlowDown" } : null;
    rig.pipeline.start();
    await rig.feed(6);
    // The power goes: what is not in the store by now is lost.
    const at = rig.store.names.findIndex((name) => name.includes("/boot/"));
    assert.ok(at >= 0 && at <= 2, `${status}: ${rig.store.names.join(" ")}`);
    await rig.stop();
  }
});

test("stopping does not wait for a boot record that the store does not take", async () => {
  const rig = new Rig();
  rig.store.answer = ({ path }) =>
    path.includes("/boot/") ? { status: 403, code: "AccessDenied" } : null;
  rig.pipeline.start();
  await rig.feed(6);
  await rig.stop(3_000);
  assert.equal(framesIn(rig.opened()), rig.fed);
  assert.equal(rig.double.clock.timers, 0);
});
