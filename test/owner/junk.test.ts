/** Whoever has a camera's access to the store can put anything under its prefix. None of it may hide the footage. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { cameraPrefix } from "../../agent/seal/names.ts";
import { random } from "../../scripts/owner/crypto.ts";
import { Refusal, Refusals } from "../../scripts/owner/open.ts";
import type { Segment, Wanted } from "../../scripts/owner/recordings.ts";
import { openStore, type Store } from "../../scripts/owner/store.ts";
import { withCloud } from "../cloud/support.ts";
import { at, chain as chainOf, DAY_US, find as findIn } from "./support/footage.ts";
import { MemoryStore, makeSealer, type SegmentSpec, sealBoot } from "./support/sealed.ts";

const sealer = makeSealer();
const PREFIX = cameraPrefix(sealer.tenant, sealer.camera);
const BOOT_PREFIX = `${PREFIX}0/continuous/0000000001/`;
let store: MemoryStore;

beforeEach(() => {
  store = new MemoryStore();
});

const chain = (count: number, over: Partial<SegmentSpec> = {}) => chainOf(sealer, 1, count, over);
const find = (wanted: Partial<Wanted> = {}, from: Store = store) => findIn(sealer, from, wanted);

const segments = (found: readonly (Segment | Refusal)[]) =>
  found.flatMap((one) => (one instanceof Refusal ? [] : [one.name.seq]));
const refusals = (found: readonly (Segment | Refusal)[]) =>
  found.flatMap((one) => (one instanceof Refusal ? [one] : []));

/** Names that no camera gives, before, between and behind those it does. */
const ODD = [
  ...[
    "!",
    "0/~",
    "0/0000000001-0",
    "0000000000",
    "0000000001-zz",
    "0000000002-0",
    "0000000002/x/y",
  ],
  // What a terminal would obey, hide or turn around.
  ...["\x1b]0;x\x07", "0000000001-\n0", "\x9b2J", "\u202efdp.4"].map((name) => `0${name}`),
  ...["9999999999-", "~", "a\uffeeb", "a\u{10000}b", `0000000003-${"0".repeat(32)}/`],
].map((name) => BOOT_PREFIX + name);

test("names that are no segment's are told once and passed over, wherever they stand", async () => {
  const junk = random(30);
  store.add(sealBoot(sealer, 1, DAY_US), ...chain(6));
  for (const name of ODD) store.objects.set(name, junk);
  // Under two classes the odd names of one must not hold up the other.
  for (const name of ODD) store.objects.set(name.replace("continuous", "event"), junk);
  const copied = [...store.objects].find(
    ([name]) => name.includes("/0000000003-") && !ODD.includes(name),
  );
  assert.ok(copied);
  store.objects.set(copied[0].replace("continuous", "event"), copied[1]);
  const found = await find();
  assert.deepEqual(segments(found), [0, 1, 2, 3, 4, 5]);
  const told = refusals(found).map(({ object, reason, footage }) => {
    assert.deepEqual([reason, footage], ["name", false]);
    return object;
  });
  assert.equal(new Set(told).size, told.length);
  assert.equal(told.length, 2 * ODD.length);
  const few = await find({ from_us: at(9), to_us: at(13) });
  assert.deepEqual(segments(few), [2, 3]);
  const objects = refusals(few).map(({ object }) => object);
  assert.equal(new Set(objects).size, objects.length);
});

test("forged segments beside every real one neither hide nor widen an interval", async () => {
  const all = chain(40);
  store.add(sealBoot(sealer, 1, DAY_US), ...all);
  for (const { name } of all) {
    store.objects.set(name.replace(/-.*$/, `-${"0".repeat(32)}`), random(300));
    store.objects.set(name.replace(/-.*$/, `-${"f".repeat(32)}`), new Uint8Array());
  }
  for (const decodable of [false, true]) {
    const found = await find({ from_us: at(81), to_us: at(90), decodable });
    assert.deepEqual(segments(found), [20, 21, 22]);
    // Those of the three, of the one before, whose link is checked, and of the one that ends the search.
    assert.ok(refusals(found).length <= 10, `${refusals(found).length}`);
    assert.ok(refusals(found).every(({ footage }) => footage));
  }
});

test("a gap before a segment without a key frame ends the search for one", async () => {
  const fragments = [{ time: 0, key: false }];
  const [zero, ...others] = chain(4, { fragments });
  assert.ok(zero);
  store.add(sealBoot(sealer, 1, DAY_US), zero, ...others.slice(1));
  assert.deepEqual(segments(await find({ from_us: at(5), to_us: at(9), decodable: true })), [2]);
});

test("of two copies the good one is taken, and the damaged one told", async () => {
  const [zero, one, two] = chain(3);
  assert.ok(zero && one && two);
  store.add(sealBoot(sealer, 1, DAY_US), zero, one, two);
  const event = one.name.replace("/continuous/", "/event/");
  const damaged = one.bytes.with(100, (one.bytes[100] ?? 0) ^ 1);
  for (const [bad, good] of [
    [event, one.name],
    [one.name, event],
  ] as const) {
    store.objects.set(bad, damaged).set(good, one.bytes);
    const found = await find();
    assert.deepEqual(segments(found), [0, 1, 2]);
    const objects = refusals(found).map(({ object }) => object);
    // A copy behind a good one is not looked at.
    assert.deepEqual(objects, bad === event ? [event] : []);
    assert.ok(refusals(found).every(({ footage }) => !footage));
  }
  store.objects.set(event, damaged).set(one.name, damaged);
  const found = await find();
  assert.deepEqual(segments(found), [0, 2]);
  assert.deepEqual(
    refusals(found).map(({ object, footage }) => [object, footage]),
    [
      [event, true],
      [one.name, false],
    ],
  );
});

test("of endless refusals all are counted, and what is kept of them is bounded", async () => {
  store.add(sealBoot(sealer, 1, DAY_US), ...chain(2));
  for (let i = 0; i < 3_000; i++) store.objects.set(`${PREFIX}boot/${i}`, random(3));
  const kept = new Refusals();
  const found = await find();
  for (const one of refusals(found)) kept.add(one);
  assert.deepEqual(segments(found), [0, 1]);
  assert.deepEqual([kept.count, kept.footage], [3_000, 0]);
  assert.equal([...kept].length, 1_000);
  assert.equal(kept.sentences.at(-1), "2000 more objects are refused.");
  // Not a line for each: of one reason they are told together.
  const [line] = kept.sentences;
  assert.equal(kept.sentences.length, 2);
  assert.match(line ?? "", /^1000 objects from \S+boot\/0 to \S+boot\/\d+ are refused: it\S* /);
});

test("up to five refusals of a reason are told one by one, in their order with others", () => {
  const kept = new Refusals();
  for (let i = 0; i < 5; i++) kept.add(new Refusal(`a${i}`, "magic"));
  kept.add(new Refusal("b", "signature"));
  assert.equal(kept.sentences.length, 6);
  kept.add(new Refusal("a5", "magic"));
  assert.deepEqual(
    kept.sentences.map((line) => line.split(" are ")[0]?.split(" is ")[0]),
    ["6 objects from a0 to a5", "b"],
  );
});

test("a segment that is refused is told as that, and not also as one that the store lacks", async () => {
  const all = chain(5);
  store.add(sealBoot(sealer, 1, DAY_US), ...all);
  store.objects.set(all[1]?.name ?? "", random(300));
  store.objects.delete(all[2]?.name ?? "");
  const found = await find();
  const counted = found.map((one) => (one instanceof Refusal ? one.reason : one.missingBefore));
  assert.deepEqual(counted, [0, "magic", 1, 0]);
});

test("in a real store: empty objects and all sorts of names hide nothing", async () => {
  await withCloud({}, async (cloud) => {
    const camera = Buffer.from(sealer.camera).toString("hex");
    const access = await cloud.addCamera({ tenant: sealer.tenant, camera });
    const asCamera = openStore(access.store);
    const asOwner = openStore((await cloud.owner(sealer.tenant)).store);
    try {
      const put = async (name: string, bytes: Uint8Array) =>
        assert.equal(await asCamera.putNew(name, bytes), "put", JSON.stringify(name));
      for (const { name, bytes } of [sealBoot(sealer, 1, DAY_US), ...chain(3)]) {
        await put(name, bytes);
      }
      for (const name of [...ODD, `${BOOT_PREFIX}a &<+%2b`]) {
        // The development store has no objects that end so, and no names with characters that XML cannot hold.
        const taken = !name.endsWith("/") && [...name].every((one) => one >= " ");
        if (taken) await put(name, random(9));
      }
      await put(`${BOOT_PREFIX}0000000001-${"0".repeat(32)}`, new Uint8Array());
      await put(`${PREFIX}boot/0000000001-${"0".repeat(32)}`, new Uint8Array());
      const found = await find({}, asOwner);
      assert.deepEqual(segments(found), [0, 1, 2]);
      const reasons = new Set(refusals(found).map(({ reason }) => reason));
      assert.deepEqual([...reasons].sort(), ["name", "too-short"]);
    } finally {
      asCamera.close();
      asOwner.close();
    }
  });
});

test("an object that the store hands out to nobody is refused in its place; refused credentials are not", async () => {
  await withCloud({}, async (cloud) => {
    const asOwner = openStore((await cloud.owner(sealer.tenant)).store);
    try {
      const all = [sealBoot(sealer, 1, DAY_US), ...chain(3)];
      for (const { name, bytes } of all) await asOwner.putNew(name, bytes);
      const answering = (status: number, code: string) => {
        cloud.store.faults = ({ method, key }) =>
          method === "GET" && key === all[2]?.name ? { reply: { status, code } } : undefined;
      };
      // Archived, and encrypted by whoever put it.
      for (const [status, code] of [
        [403, "InvalidObjectState"],
        [400, "InvalidRequest"],
      ] as const) {
        answering(status, code);
        const found = await find({}, asOwner);
        assert.deepEqual(segments(found), [0, 2]);
        const told = refusals(found).map(({ object, reason }) => [object, reason]);
        assert.deepEqual(told, [[all[2]?.name, "withheld"]]);
      }
      answering(403, "AccessDenied");
      await assert.rejects(find({}, asOwner), /refuses these credentials/);
    } finally {
      asOwner.close();
    }
  });
});
