import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { UploadQueue } from "../../../agent/upload/queue.ts";
import { check } from "../properties.ts";

const item = (captureUs: number, worth = 0) => ({ captureUs, worth });

test("the oldest goes up first, events before the rest", () => {
  const queue = new UploadQueue<ReturnType<typeof item>>();
  for (const one of [item(3), item(1), item(4, 1), item(2, 1)]) queue.add(one);
  const order: number[] = [];
  while (queue.take() !== null) order.push(queue.settle().captureUs);
  assert.deepEqual(order, [2, 4, 1, 3]);
});

test("the oldest is dropped first, events last", () => {
  const queue = new UploadQueue<ReturnType<typeof item>>();
  for (const one of [item(3), item(1, 1), item(2), item(4)]) queue.add(one);
  const order = [1, 2, 3, 4].map(() => queue.drop()?.captureUs);
  assert.deepEqual(order, [2, 3, 4, 1]);
  assert.equal(queue.drop(), null);
});

test("what is being sent is never dropped, and waits again after a failure", () => {
  const queue = new UploadQueue<ReturnType<typeof item>>();
  queue.add(item(1));
  queue.add(item(2));
  assert.equal(queue.take()?.captureUs, 1);
  assert.equal(queue.length, 2);
  assert.equal(queue.drop()?.captureUs, 2);
  assert.equal(queue.drop(), null);
  queue.giveBack();
  assert.equal(queue.length, 1);
  assert.equal(queue.drop()?.captureUs, 1);
});

test("two at a time, and settling nothing, are defects", () => {
  const queue = new UploadQueue<ReturnType<typeof item>>();
  queue.add(item(1));
  queue.take();
  assert.throws(() => queue.take(), /one object at a time/);
  queue.settle();
  assert.throws(() => queue.settle(), /nothing is being sent/);
});

test("nothing is lost or doubled, whatever the order of events", () => {
  const events = fc.array(fc.constantFrom("add", "take", "settle", "giveBack", "drop"));
  check(
    fc.property(events, (list) => {
      const queue = new UploadQueue<ReturnType<typeof item>>();
      let added = 0;
      const left: number[] = [];
      for (const event of list) {
        if (event === "add") queue.add(item(added++));
        if (event === "take" && queue.sending === null) queue.take();
        if (event === "settle" && queue.sending !== null) left.push(queue.settle().captureUs);
        if (event === "giveBack" && queue.sending !== null) queue.giveBack();
        if (event === "drop") left.push(queue.drop()?.captureUs ?? -1);
      }
      const gone = left.filter((one) => one >= 0);
      assert.equal(new Set(gone).size, gone.length);
      assert.equal(gone.length + queue.length, added);
    }),
  );
});
