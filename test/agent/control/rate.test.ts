import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BACKOFF_CAP_MS, backoffMs } from "../../../agent/control/backoff.ts";
import { Bucket } from "../../../agent/control/rate.ts";
import { check } from "../properties.ts";

test("a bucket gives its capacity at once and then its rate", () => {
  const bucket = new Bucket(8, 2, 0);
  const takenAt = (us: number) => {
    let taken = 0;
    while (bucket.take(1, us)) taken++;
    return taken;
  };
  assert.equal(takenAt(0), 8);
  assert.equal(takenAt(499_999), 0);
  assert.equal(takenAt(500_000), 1);
  assert.equal(takenAt(2_500_000), 4);
  assert.equal(takenAt(1_000_000_000), 8, "no more than the capacity is saved up");
});

test("what a bucket says about waiting is true", () => {
  const times = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 2_000_000 }), fc.integer({ min: 1, max: 8 })),
  );
  check(
    fc.property(times, (steps) => {
      const bucket = new Bucket(8, 2, 0);
      let now = 0;
      for (const [pause, cost] of steps) {
        now += pause;
        const wait = bucket.waitMs(cost, now);
        if (wait > 0) assert.ok(!bucket.take(cost, now));
        now += wait * 1000;
        assert.ok(bucket.take(cost, now), `after ${wait} ms`);
      }
    }),
  );
});

test("a clock that stands still or jumps back gives nothing", () => {
  const bucket = new Bucket(1, 1, 5_000_000);
  assert.ok(bucket.take(1, 5_000_000));
  assert.ok(!bucket.take(1, 5_000_000));
  assert.ok(!bucket.take(1, 4_000_000));
});

test("waiting doubles up to a minute, at least half of it certain", () => {
  const low = [1, 2, 3, 4, 5, 6, 7, 8, 50].map((failures) => backoffMs(failures, 0));
  assert.deepEqual(low, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  const high = [1, 6, 7, 1000].map((failures) => backoffMs(failures, 0.999_999));
  assert.deepEqual(high, [1000, 32000, BACKOFF_CAP_MS, BACKOFF_CAP_MS]);
});
