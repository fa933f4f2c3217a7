import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TIMESCALE, ticksAt } from "../../../agent/segment/ticks.ts";
import { check } from "../properties.ts";

test("ticks are 90 kHz since the boot's zero, rounded down", () => {
  assert.equal(TIMESCALE, 90_000);
  assert.equal(ticksAt(0), 0);
  assert.equal(ticksAt(1_000_000), 90_000);
  assert.equal(ticksAt(11), 0);
  assert.equal(ticksAt(12), 1);
  assert.equal(ticksAt(33_333), 2_999);
});

test("they are exact for a boot of thirty years, so durations never drift", () => {
  check(
    fc.property(fc.integer({ min: 0, max: 30 * 365 * 86_400 * 1_000_000 }), (captureUs) => {
      assert.equal(BigInt(ticksAt(captureUs)), (BigInt(captureUs) * 9n) / 100n);
    }),
    1_000,
  );
});
