import assert from "node:assert/strict";
import { test } from "node:test";
import { CounterFile } from "../../../agent/identity/counters.ts";
import type { NativeError } from "../../../agent/runtime/native.d.ts";
import { createDouble } from "../double/double.ts";

const error: NativeError = { error: "io", text: "bad block" };

test("a value that could not be kept is not in force, so that it can be tried again", () => {
  const { native } = createDouble();
  let fails = true;
  const failing = {
    ...native,
    writeState: (name: string, bytes: Uint8Array) =>
      fails ? error : native.writeState(name, bytes),
  };
  const counters = new CounterFile(failing, { boot: 3, timeFloorUs: 10, recipientsVersion: 1 });
  assert.deepEqual(counters.raiseRecipientsVersion(2), error);
  assert.equal(counters.recipientsVersion, 1);
  assert.deepEqual(counters.raiseTimeFloor(20), error);
  assert.equal(counters.timeFloorUs, 10);
  fails = false;
  assert.equal(counters.raiseRecipientsVersion(2), null);
  assert.equal(counters.recipientsVersion, 2);
});

test("a lower value is ignored", () => {
  const { native } = createDouble();
  const counters = new CounterFile(native, { boot: 3, timeFloorUs: 10, recipientsVersion: 5 });
  assert.equal(counters.raiseRecipientsVersion(4), null);
  assert.equal(counters.raiseTimeFloor(9), null);
  assert.deepEqual([counters.recipientsVersion, counters.timeFloorUs], [5, 10]);
});
