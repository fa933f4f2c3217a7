import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ocellus } from "#proto";
import { coarsen } from "../../../agent/control/status.ts";
import { Ledger } from "../../../agent/upload/ledger.ts";
import { check } from "../properties.ts";

const { DROP_QUEUE_FULL, DROP_LAPPED, DROP_CONFLICT, DROP_SEVERAL } = ocellus.v1.DropReason;

test("pending numbers are told as ranges", () => {
  const ledger = new Ledger();
  for (const seq of [0, 1, 2, 3, 5, 6, 9]) ledger.sealed(seq);
  ledger.uploaded(1);
  assert.deepEqual(ledger.pendingRanges(), [
    { first: 0, last: 0 },
    { first: 2, last: 3 },
    { first: 5, last: 6 },
    { first: 9, last: 9 },
  ]);
  assert.equal(ledger.uploadedCount, 1);
});

test("dropped numbers are told as ranges with their reason, in whichever order they were dropped", () => {
  const ledger = new Ledger();
  for (const seq of [4, 2, 3, 8, 7, 10]) ledger.dropped(seq, DROP_QUEUE_FULL);
  ledger.dropped(9, DROP_LAPPED);
  ledger.dropped(5, DROP_CONFLICT);
  assert.deepEqual(ledger.droppedRanges(), [
    { first: 2, last: 4, reason: DROP_QUEUE_FULL },
    { first: 5, last: 5, reason: DROP_CONFLICT },
    { first: 7, last: 8, reason: DROP_QUEUE_FULL },
    { first: 9, last: 9, reason: DROP_LAPPED },
    { first: 10, last: 10, reason: DROP_QUEUE_FULL },
  ]);
});

test("a number that is dropped or uploaded is pending no more", () => {
  const ledger = new Ledger();
  ledger.sealed(0);
  ledger.sealed(1);
  ledger.dropped(0, DROP_QUEUE_FULL);
  ledger.uploaded(1);
  assert.deepEqual(ledger.pendingRanges(), []);
});

test("what is told cannot be used to change the ledger", () => {
  const ledger = new Ledger();
  ledger.dropped(1, DROP_LAPPED);
  const [range] = ledger.droppedRanges();
  if (range) range.last = 99;
  assert.equal(ledger.droppedRanges()[0]?.last, 1);
});

type Fate = "uploaded" | "pending" | ocellus.v1.DropReason;
const fates = fc.array(
  fc.constantFrom<Fate[]>("uploaded", "pending", DROP_QUEUE_FULL, DROP_LAPPED),
  { maxLength: 300 },
);

test("every number is told with its own fate", () => {
  check(
    fc.property(fates, fc.array(fc.nat()), (list, shuffle) => {
      const ledger = new Ledger();
      const order = list
        .map((fate, seq) => ({ fate, seq, key: shuffle[seq % Math.max(1, shuffle.length)] ?? 0 }))
        .sort((a, b) => a.key - b.key);
      for (const seq of list.keys()) ledger.sealed(seq);
      for (const { fate, seq } of order) {
        if (fate === "uploaded") ledger.uploaded(seq);
        else if (fate !== "pending") ledger.dropped(seq, fate);
      }
      const told: (string | number)[] = list.map(() => "uploaded");
      for (const { first, last } of ledger.pendingRanges())
        told.fill("pending", first ?? 0, (last ?? 0) + 1);
      for (const { first, last, reason } of ledger.droppedRanges())
        told.fill(reason ?? -1, first ?? 0, (last ?? 0) + 1);
      assert.deepEqual(told, list);
    }),
  );
});

test("memory stays bounded over a bad year, and nothing dropped is ever told as uploaded", () => {
  const ledger = new Ledger();
  for (let seq = 0; seq < 40_000; seq++) {
    ledger.sealed(seq);
    if (seq % 2 === 0) ledger.uploaded(seq);
    else ledger.dropped(seq, seq % 4 === 1 ? DROP_QUEUE_FULL : DROP_LAPPED);
  }
  const ranges = ledger.droppedRanges();
  assert.ok(ranges.length <= 512, `${ranges.length} ranges`);
  let at = 0;
  for (let seq = 1; seq < 40_000; seq += 2) {
    while (Number(ranges[at]?.last) < seq) at += 1;
    assert.ok(Number(ranges[at]?.first) <= seq, `${seq} is missing`);
  }
  const reasons = new Set(ranges.map(({ reason }) => reason));
  assert.ok(reasons.has(DROP_SEVERAL), "ranges with several reasons say so");
});

type Told = readonly ocellus.v1.Range.$Properties[];

/** Every number of `dropped` lies in a range, and ranges rise and do not touch but where their reasons differ. */
function assertTold(ranges: Told, dropped: ReadonlySet<number>): void {
  const left = new Set(dropped);
  let before = -1;
  for (const { first = 0, last = 0 } of ranges) {
    assert.ok(Number(first) > before, `${first} comes after ${before}`);
    assert.ok(Number(last) >= Number(first), `${first} to ${last}`);
    before = Number(last);
    for (let seq = Number(first); seq <= before; seq++) left.delete(seq);
  }
  assert.deepEqual([...left], [], "dropped, and told as uploaded");
}

const steps = fc.array(
  fc.record({
    seals: fc.integer({ min: 0, max: 4 }),
    fate: fc.constantFrom<("uploaded" | ocellus.v1.DropReason)[]>(
      "uploaded",
      DROP_QUEUE_FULL,
      DROP_LAPPED,
      DROP_CONFLICT,
    ),
    /** Which of those that wait: 0 the oldest. */
    pick: fc.nat(),
  }),
  { maxLength: 200 },
);

test("what is dropped after ranges around it were joined is told as dropped too", () => {
  check(
    fc.property(fc.integer({ min: 0, max: 800 }), steps, (lapped, list) => {
      const ledger = new Ledger();
      const waiting: number[] = [];
      const dropped = new Set<number>();
      let next = 0;
      const settle = (at: number, fate: "uploaded" | ocellus.v1.DropReason) => {
        for (const seq of waiting.splice(at, 1)) {
          if (fate === "uploaded") ledger.uploaded(seq);
          else {
            ledger.dropped(seq, fate);
            dropped.add(seq);
          }
        }
      };
      const seal = () => {
        ledger.sealed(next);
        waiting.push(next++);
      };
      // Every second number waits: beyond 512 of the others ranges are joined over those that wait.
      for (let i = 0; i < lapped; i++) {
        seal();
        seal();
        settle(waiting.length - 1, DROP_LAPPED);
      }
      for (const { seals, fate, pick } of list) {
        for (let i = 0; i < seals; i++) seal();
        if (waiting.length > 0) settle(pick % waiting.length, fate);
      }
      const ranges = ledger.droppedRanges();
      assert.ok(ranges.length <= 512, `${ranges.length} ranges`);
      assertTold(ranges, dropped);
      for (const most of [1, 32, 96]) assertTold(coarsen(ranges, most), dropped);
    }),
  );
});

test("a number inside a joined range makes the reason several, where it was dropped for another", () => {
  const ledger = new Ledger();
  for (let seq = 0; seq < 2 * 513; seq++) ledger.sealed(seq);
  for (let seq = 0; seq < 2 * 513; seq += 2) ledger.dropped(seq, DROP_LAPPED);
  const joined = ledger.droppedRanges();
  const { first, last, reason } = joined[0] ?? {};
  assert.deepEqual([first, Number(last) > 10, reason], [0, true, DROP_LAPPED]);
  ledger.dropped(5, DROP_LAPPED);
  assert.deepEqual(ledger.droppedRanges(), joined);
  ledger.dropped(7, DROP_QUEUE_FULL);
  assert.deepEqual(ledger.droppedRanges(), [
    { first, last, reason: DROP_SEVERAL },
    ...joined.slice(1),
  ]);
});
