import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { countOf, showDrops } from "../../scripts/owner/drops.ts";

const { DropReason } = ocellus.v1;

test("drops are counted by reason, most first, and a newer camera's reason is shown as its number", () => {
  const dropped = [
    { first: 3, last: 3, reason: DropReason.DROP_REFUSED },
    { first: 5, last: 9, reason: DropReason.DROP_QUEUE_FULL },
    { first: 20, last: 20, reason: DropReason.DROP_QUEUE_FULL },
    { first: 30, last: 31, reason: 77 },
  ];
  assert.equal(countOf(dropped), 9);
  assert.equal(showDrops(dropped), "6 no room left, 2 for reason 77, 1 refused by the store");
  assert.equal(showDrops([{ first: 0, last: 0 }]), "1 without a reason");
});

test("every reason that a camera can give has words of its own", () => {
  const reasons = Object.values(DropReason).filter((reason) => typeof reason === "number");
  const words = reasons.map((reason) => showDrops([{ first: 1, last: 1, reason }]));
  assert.equal(new Set(words).size, reasons.length);
  for (const text of words) assert.match(text, /^1 [a-z ]+$/);
});
