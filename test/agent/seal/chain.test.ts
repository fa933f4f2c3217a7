import assert from "node:assert/strict";
import { test } from "node:test";
import { Chain } from "../../../agent/seal/chain.ts";

const hash = (n: number) => new Uint8Array(32).fill(n);
const head = (stream: number, n: number) => ({ stream, boot: 6, seq: 40, headerHash: hash(n) });

test("the first link is to the head of an earlier boot, of the same stream", () => {
  const chain = new Chain(1, 7, [head(0, 1), head(1, 2)]);
  assert.deepEqual(chain.link(0), { previous: hash(2), skipped: 0 });
  assert.deepEqual(chain.head, head(1, 2));
});

test("without such a head it is to zeros", () => {
  const chain = new Chain(1, 7, [head(0, 1)]);
  assert.deepEqual(chain.link(0), { previous: hash(0), skipped: 0 });
  assert.equal(chain.head, null);
  const torn = new Chain(0, 7, [{ ...head(0, 1), headerHash: new Uint8Array(31) }]);
  assert.deepEqual(torn.link(0).previous, hash(0));
});

test("numbers that never got a header are counted as skipped, also at the start", () => {
  const chain = new Chain(0, 7, [head(0, 1)]);
  assert.deepEqual(chain.link(2), { previous: hash(1), skipped: 2 });
  chain.add(2, hash(3));
  assert.deepEqual(chain.link(3), { previous: hash(3), skipped: 0 });
  assert.deepEqual(chain.link(5), { previous: hash(3), skipped: 2 });
  assert.deepEqual(chain.head, { stream: 0, boot: 7, seq: 2, headerHash: hash(3) });
});

test("a number behind the chain is a defect", () => {
  const chain = new Chain(0, 7, []);
  chain.add(3, hash(1));
  assert.throws(() => chain.link(3), RangeError);
});
