import assert from "node:assert/strict";
import { test } from "node:test";
import { placeOf, Stores } from "../../../agent/upload/stores.ts";
import { createDouble } from "../double/double.ts";
import { ACCESS } from "../pipeline/rig.ts";

const OLD = { ...ACCESS, endpoint: "https://old.test" };
const MINUTE_MS = 60_000;

function rig(previous: typeof OLD | null) {
  const double = createDouble();
  const access = { current: ACCESS, previous };
  const stores = new Stores(double.native, access, { connected() {} });
  return { double, stores, picked: () => stores.pick().access.endpoint };
}

test("with one access there is one store, whatever happens", () => {
  const { stores, picked } = rig(null);
  for (let i = 0; i < 5; i++) {
    assert.equal(picked(), ACCESS.endpoint);
    assert.equal(stores.failed(stores.pick()), false);
  }
});

test("the current access is tried first; when it fails the previous one serves, and current again after five minutes", async () => {
  const { double, stores, picked } = rig(OLD);
  assert.equal(picked(), ACCESS.endpoint);
  assert.equal(stores.failed(stores.pick()), true);
  assert.equal(picked(), OLD.endpoint);
  assert.equal(stores.worked(stores.pick()), false, "proves nothing of the current one");
  await double.clock.advance(4 * MINUTE_MS);
  assert.equal(picked(), OLD.endpoint);
  await double.clock.advance(MINUTE_MS);
  assert.equal(picked(), ACCESS.endpoint);
});

test("when both fail they take turns", () => {
  const { stores, picked } = rig(OLD);
  const order: string[] = [];
  for (let i = 0; i < 4; i++) {
    order.push(picked());
    stores.failed(stores.pick());
  }
  assert.deepEqual(order, [ACCESS.endpoint, OLD.endpoint, ACCESS.endpoint, OLD.endpoint]);
});

test("a current access that has worked has no previous any more", () => {
  const { stores, picked } = rig(OLD);
  assert.equal(stores.worked(stores.pick()), true);
  assert.equal(stores.worked(stores.pick()), false, "told once");
  stores.failed(stores.pick());
  assert.equal(picked(), ACCESS.endpoint);
});

test("what an old store object says after new access was set is ignored", () => {
  const { stores, picked } = rig(OLD);
  const before = stores.pick();
  const next = { ...ACCESS, endpoint: "https://new.test" };
  stores.setAccess({ current: next, previous: ACCESS });
  assert.equal(stores.worked(before), false);
  stores.failed(before);
  assert.equal(picked(), next.endpoint);
});

test("a place is an endpoint and a bucket: another of either is another place, another key is not", () => {
  const place = placeOf(ACCESS);
  assert.notEqual(placeOf(OLD), place);
  assert.notEqual(placeOf({ ...ACCESS, bucket: "other" }), place);
  assert.equal(placeOf({ ...ACCESS, accessKeyId: "other", secretAccessKey: "other" }), place);
});
