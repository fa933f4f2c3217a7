/** What the link between boots shows: that a boot's end, or a whole boot, is not in the store. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { random } from "../../scripts/owner/crypto.ts";
import { Refusal } from "../../scripts/owner/open.ts";
import type { Wanted } from "../../scripts/owner/recordings.ts";
import { DAY_US, find } from "./support/footage.ts";
import {
  MemoryStore,
  makeSealer,
  type Sealed,
  type SegmentSpec,
  sealBoot,
  sealSegment,
} from "./support/sealed.ts";

const HOUR_US = 3_600e6;
const ZEROS = new Uint8Array(32);
const sealer = makeSealer();
let store: MemoryStore;

beforeEach(() => {
  store = new MemoryStore();
});

/** A boot of 4 s segments with these numbers, linked to `previous`; all are put. */
function boot(number: number, previous: Uint8Array, seqs: readonly number[]): Sealed[] {
  const made: Sealed[] = [];
  for (const seq of seqs) {
    made.push(segment(number, seq, made.at(-1)?.hash ?? previous));
  }
  store.add(sealBoot(sealer, number, DAY_US + number * 24 * HOUR_US), ...made);
  return made;
}

function segment(
  number: number,
  seq: number,
  previous: Uint8Array,
  over: Partial<SegmentSpec> = {},
) {
  const times = { capture_us: seq * 4e6, duration_us: 4e6 };
  const at = { boot: number, seq, previous, ...times };
  return sealSegment(sealer, { ...at, chunks: [random(50)], ...over });
}

const numbers = (count: number) => Array.from({ length: count }, (_one, i) => i);
const end = (made: readonly Sealed[]) => made.at(-1)?.hash ?? ZEROS;
const remove = (...gone: readonly (Sealed | undefined)[]) => {
  for (const one of gone) assert.ok(one && store.objects.delete(one.name));
};

/** Segments before which others are missing, and how many. */
async function missing(wanted: Partial<Wanted> = {}): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const one of await find(sealer, store, wanted)) {
    if (one instanceof Refusal) continue;
    const { name, missingBefore } = one;
    if (missingBefore > 0) found[`${name.boot}:${name.seq}`] = missingBefore;
  }
  return found;
}

test("boots that follow each other are complete, in one listing or seen alone", async () => {
  const first = boot(1, ZEROS, numbers(5));
  const second = boot(2, end(first), numbers(3));
  boot(3, end(second), numbers(2));
  assert.deepEqual(await missing(), {});
  for (const alone of [1, 2, 3]) assert.deepEqual(await missing({ boot: alone }), {});
});

test("the end of a boot that was cut off is missing", async () => {
  const first = boot(1, ZEROS, numbers(5));
  boot(2, end(first), numbers(2));
  remove(first[3], first[4]);
  assert.deepEqual(await missing(), { "2:0": 1 });
  assert.deepEqual(await missing({ boot: 2 }), { "2:0": 1 });
});

test("a whole boot that was dropped, with its record, is missing", async () => {
  const first = boot(1, ZEROS, numbers(3));
  const second = boot(2, end(first), numbers(3));
  boot(3, end(second), numbers(1));
  remove(...second);
  for (const name of store.objects.keys()) {
    if (name.includes("/boot/0000000002-")) store.objects.delete(name);
  }
  assert.deepEqual(await missing(), { "3:0": 1 });
});

test("after a power cut the link goes to an older segment, or an older boot, and nothing is missing", async () => {
  const first = boot(1, ZEROS, numbers(30));
  boot(2, first[12]?.hash ?? ZEROS, numbers(2));
  boot(3, first[12]?.hash ?? ZEROS, numbers(2));
  assert.deepEqual(await missing(), {});
  assert.deepEqual(await missing({ boot: 3 }), {});
});

test("no link where no head was kept", async () => {
  boot(1, ZEROS, numbers(2));
  boot(2, ZEROS, numbers(2));
  assert.deepEqual(await missing(), {});
});

test("the start of a boot that is gone is counted, numbers without a header are not", async () => {
  const first = boot(1, ZEROS, numbers(6));
  remove(first[0], first[1]);
  const skipping = segment(2, 4, end(first), { skipped: 4 });
  const dangling = segment(3, 2, random(32), { skipped: 2 });
  for (const number of [2, 3]) store.add(sealBoot(sealer, number, DAY_US + number * 24 * HOUR_US));
  store.add(skipping, dangling);
  assert.deepEqual(await missing(), { "1:2": 2, "3:2": 1 });
});

test("an object of the missing one's name that is not it does not close the link", async () => {
  const first = boot(1, ZEROS, numbers(5));
  boot(2, end(first), numbers(2));
  const last = first[4];
  assert.ok(last);
  store.objects.set(last.name, random(500));
  assert.deepEqual(await missing({ boot: 2 }), { "2:0": 1 });
  // Nor does a good segment of the same beginning of a hash under another number.
  store.objects.delete(last.name);
  const elsewhere = last.name.replace("/0000000004-", "/0000000007-");
  store.objects.set(elsewhere, last.bytes);
  assert.deepEqual(await missing({ boot: 2 }), { "2:0": 1 });
});

test("a long boot's end is found with few requests, and also behind a forged last number", async () => {
  const first = boot(1, ZEROS, [0, 15_000, 30_000, 30_001, 30_050]);
  boot(2, first[3]?.hash ?? ZEROS, numbers(1));
  store.requests = 0;
  assert.deepEqual(await missing({ boot: 2 }), {});
  assert.ok(store.requests < 70, `${store.requests} requests`);
  const forged = `${first[4]?.name.slice(0, -43)}9999999999-${"0".repeat(32)}`;
  store.objects.set(forged, random(100));
  assert.deepEqual(await missing({ boot: 2 }), {});
});

test("nothing is looked for behind a boot that has kept a head of its own", async () => {
  const first = boot(1, ZEROS, numbers(3));
  // 300 numbers of 4 s: twenty minutes.
  const second = boot(2, end(first), [0, 299]);
  boot(3, end(first), numbers(1));
  assert.deepEqual(await missing({ boot: 3 }), {});
  store.add(segment(2, 300, end(second)));
  assert.deepEqual(await missing({ boot: 3 }), { "3:0": 1 });
});

test("more folders than can be looked at hide nothing: it is told once, and the boots before are found by number", async () => {
  const first = boot(1, ZEROS, numbers(5));
  const second = boot(2, end(first), numbers(2));
  // Silent boots, and two whose segment before is gone.
  boot(9, end(second), numbers(2));
  for (const number of [10, 11]) boot(number, random(32), numbers(1));
  const prefix = first[0]?.name.replace(/[0-9]+\/[0-9]+-[0-9a-f]+$/, "") ?? "";
  for (let i = 0; i < 30; i++) store.objects.set(`${prefix}0000000000${i}/junk`, random(3));
  assert.deepEqual(await missing({ boot: 9 }), {});
  store.foldersMost = 10;
  assert.deepEqual(await missing({ boot: 9 }), {});
  const found = await find(sealer, store);
  const told = found.flatMap((one) => (one instanceof Refusal ? [one] : []));
  assert.deepEqual(
    told.map(({ object, reason, footage }) => [object, reason, footage]),
    [[prefix, "flooded", false]],
  );
  assert.match(told[0]?.message ?? "", /holds more folders than a camera makes/);
  assert.equal(found.length, 5 + 2 + 2 + 1 + 1 + 1);
  assert.deepEqual(await missing(), { "10:0": 1, "11:0": 1 });
});
