/** New access to a store, and the old one while the new does not work. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { DoubleStore } from "../double/store.ts";
import { ACCESS, isSegment, Rig } from "./rig.ts";

const { DropReason, StageState } = ocellus.v1;

const NEW = { ...ACCESS, endpoint: "https://new.test", bucket: "elsewhere" };

function newStore(rig: Rig): DoubleStore {
  return new DoubleStore(rig.double.network, {
    host: "new.test",
    bucket: "elsewhere",
    wallS: () => Math.floor(rig.storeS + rig.double.clock.nowUs() / 1e6),
  });
}

test("new access is used at once, and said to have worked after the first object", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(6);
  assert.equal(rig.proven, 1, "told once, not with each object");
  const fresh = newStore(rig);
  rig.pipeline.setAccess({ current: NEW, previous: ACCESS });
  await rig.feed(5);
  assert.equal(fresh.names.length > 0, true);
  assert.equal(rig.proven, 2);
  const before = rig.store.requests.length;
  await rig.feed(9);
  assert.equal(rig.store.requests.length, before, "the old store is left alone");
  await rig.stop();
});

test("while new access does not work the old one serves, and the new one is tried again", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(6);
  const proven = rig.proven;
  const fresh = newStore(rig);
  fresh.listen({ fails: "refused" });
  rig.pipeline.setAccess({ current: NEW, previous: ACCESS });
  await rig.feed(30);
  assert.equal(rig.proven, proven);
  assert.equal(rig.accessFailures.length, 1);
  assert.match(rig.accessFailures[0] ?? "", /^The store cannot be reached: .*\.$/);
  assert.ok(rig.store.names.length > 6, "footage still arrives");
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
  fresh.listen({});
  await rig.feed(320, { stepMs: 200, gop: 5 });
  assert.ok(rig.proven > proven);
  assert.ok(fresh.names.length > 0);
  await rig.stop();
});

test("an attempt without an answer at one store makes a 412 of another no success", async () => {
  const rig = new Rig();
  rig.store.after = (request, answer) =>
    isSegment(request) ? { ...answer, hangUp: true } : answer;
  const fresh = newStore(rig);
  fresh.answer = (request) =>
    isSegment(request) ? { status: 412, code: "PreconditionFailed" } : null;
  rig.pipeline.start();
  await rig.feed(1.5);
  rig.pipeline.setAccess({ current: NEW, previous: null });
  await rig.double.clock.advance(5_000);
  assert.deepEqual(rig.stream.dropped, [{ first: 0, last: 0, reason: DropReason.DROP_CONFLICT }]);
  assert.deepEqual(rig.uploaded, []);
  await rig.stop();
});

test("access that changes while an object is on its way begins the attempt anew, without telling trouble", async () => {
  const rig = new Rig();
  rig.store.answer = (request) => (isSegment(request) ? { status: 200, silent: true } : null);
  rig.pipeline.start();
  await rig.feed(2);
  const fresh = newStore(rig);
  rig.pipeline.setAccess({ current: NEW, previous: null });
  await rig.double.clock.advance(100);
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
  assert.equal(
    fresh.names.some((name) => name.includes("/0000000000-")),
    true,
  );
  await rig.stop();
});
