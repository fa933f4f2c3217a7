import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { random } from "../../scripts/owner/crypto.ts";
import { fetchFootage } from "../../scripts/owner/fetch.ts";
import { Refusal } from "../../scripts/owner/open.ts";
import type { Segment, Wanted } from "../../scripts/owner/recordings.ts";
import { decodedFrames, makeClip } from "./support/ffmpeg.ts";
import { at, chain as chainOf, DAY_US, find as findIn, SEGMENT_US } from "./support/footage.ts";
import {
  MemoryStore,
  makeSealer,
  type Sealed,
  type SegmentSpec,
  sealBoot,
  sealSegment,
  viewOf,
} from "./support/sealed.ts";

const sealer = makeSealer();
let store: MemoryStore;

beforeEach(() => {
  store = new MemoryStore();
});

const chain = (boot: number, count: number, over: Partial<SegmentSpec> = {}) =>
  chainOf(sealer, boot, count, over);
const find = (wanted: Partial<Wanted> = {}) => findIn(sealer, store, wanted);

/** Boot and number of what was found; refusals by their reason. */
const told = (found: readonly (Segment | Refusal)[]) =>
  found.map((one) => (one instanceof Refusal ? one.reason : `${one.name.boot}:${one.name.seq}`));

test("exactly the segments that overlap an interval are found, with their wall times", async () => {
  store.add(sealBoot(sealer, 1, DAY_US), ...chain(1, 20));
  const found = await find({ from_us: at(10), to_us: at(20) });
  assert.deepEqual(told(found), ["1:2", "1:3", "1:4"]);
  const [first] = found;
  assert.ok(first && !(first instanceof Refusal));
  assert.equal(first.start_us, at(8));
  assert.deepEqual(told(await find({ from_us: at(79.9), to_us: at(500) })), ["1:19"]);
  assert.deepEqual(told(await find({ from_us: at(80), to_us: at(500) })), []);
  assert.deepEqual(told(await find({ from_us: at(-50), to_us: at(0) })), []);
  assert.deepEqual(told(await find({ from_us: at(-50), to_us: at(0.1) })), ["1:0"]);
});

test("every segment of every interval is found, whatever is missing", async () => {
  const all = chain(1, 40);
  const missing = new Set([0, 1, 7, 16, 17, 18, 31, 39]);
  store.add(sealBoot(sealer, 1, DAY_US), ...all.filter((_one, seq) => !missing.has(seq)));
  for (let from = 0; from < 160; from += 7) {
    const expected = [];
    for (let seq = 0; seq < 40; seq++) {
      const [start, end] = [seq * 4, seq * 4 + 4];
      if (!missing.has(seq) && end > from && start < from + 13) expected.push(`1:${seq}`);
    }
    assert.deepEqual(told(await find({ from_us: at(from), to_us: at(from + 13) })), expected);
  }
});

test("the start of an interval in a long boot is found with few requests", async () => {
  store.add(sealBoot(sealer, 1, DAY_US), ...chain(1, 300));
  store.requests = 0;
  const found = await find({ from_us: at(801), to_us: at(802) });
  assert.deepEqual(told(found), ["1:200"]);
  // 2 for each of 9 doublings and 8 halvings, the boot, and the heads fetched ahead; all of them would be 300.
  assert.ok(store.requests < 60, `${store.requests} requests`);
});

test("boots follow each other by their records, and only those that may matter are read", async () => {
  for (const boot of [1, 2, 3]) {
    store.add(sealBoot(sealer, boot, at(boot * 3600)), ...chain(boot, 3));
  }
  const all = await find();
  assert.deepEqual(told(all), ["1:0", "1:1", "1:2", "2:0", "2:1", "2:2", "3:0", "3:1", "3:2"]);
  assert.deepEqual(told(await find({ from_us: at(7200), to_us: at(7201) })), ["2:0"]);
  store.requests = 0;
  for (let boot = 4; boot < 50; boot++) store.add(sealBoot(sealer, boot, at(boot * 3600)));
  assert.deepEqual(told(await find({ from_us: at(49 * 3600), to_us: at(50 * 3600) })), []);
  // All boot records and their list, and three classes of each of the last three boots.
  assert.ok(store.requests <= 50 + 12, `${store.requests} requests`);
});

test("boots of one machine run, whose zeros agree, hide none of each other's footage", async () => {
  // Agents that started again an hour after each other, none of them after a power cycle.
  for (const boot of [1, 2, 3, 4]) {
    const capture_us = boot * 3600e6;
    const one = { boot, seq: 0, capture_us, duration_us: SEGMENT_US, chunks: [random(9)] };
    const zero_us = DAY_US + boot * 1e5;
    store.add(sealBoot(sealer, boot, zero_us, boot * 3600 + 30), sealSegment(sealer, one));
  }
  assert.deepEqual(told(await find()), ["1:0", "2:0", "3:0", "4:0"]);
  for (const boot of [1, 2, 3, 4]) {
    const from_us = at(boot * 3600);
    assert.deepEqual(told(await find({ from_us, to_us: at(boot * 3600 + 5) })), [`${boot}:0`]);
  }
});

test("a boot that was told a time long gone hides nothing of the one before", async () => {
  store.add(sealBoot(sealer, 1, DAY_US), ...chain(1, 3));
  store.add(sealBoot(sealer, 2, at(-9e6)), sealBoot(sealer, 3, at(3600)));
  assert.deepEqual(told(await find({ from_us: at(4), to_us: at(8) })), ["1:1"]);
  store.add(sealBoot(sealer, 4, at(7200)));
  assert.deepEqual(told(await find({ from_us: at(4), to_us: at(8) })), ["1:1"]);
});

test("a boot whose time was never known is found only where it is named", async () => {
  store.add(...chain(5, 2));
  assert.deepEqual(told(await find()), []);
  const named = await find({ boot: 5 });
  assert.deepEqual(told(named), ["5:0", "5:1"]);
});

test("of two boot records the one that was made last counts", async () => {
  store.add(sealBoot(sealer, 1, at(100), 9), sealBoot(sealer, 1, at(0), 2), ...chain(1, 1));
  const [first] = await find();
  assert.ok(first && !(first instanceof Refusal));
  assert.equal(first.start_us, at(100));
});

test("a segment that stands under two classes is given once", async () => {
  const all = chain(1, 3);
  const [, second] = all;
  assert.ok(second);
  store.add(sealBoot(sealer, 1, DAY_US), ...all);
  store.add({ ...second, name: second.name.replace("/continuous/", "/event/") });
  assert.deepEqual(told(await find()), ["1:0", "1:1", "1:2"]);
});

test("a segment that was replaced by another of the camera's breaks the chain and is refused", async () => {
  const all = chain(1, 4);
  const other = chain(1, 4)[2];
  assert.ok(other && all[2]);
  store.add(sealBoot(sealer, 1, DAY_US), ...all);
  store.objects.delete(all[2].name);
  store.add(other);
  assert.deepEqual(told(await find()), ["1:0", "1:1", "chain", "1:3"]);
});

test("two segments of one number, both signed, are a conflict", async () => {
  const all = chain(1, 2);
  const other = sealSegment(sealer, {
    ...{ boot: 1, seq: 1, capture_us: SEGMENT_US, duration_us: SEGMENT_US },
    ...{ previous: all[0]?.hash ?? new Uint8Array(32), chunks: [random(9)] },
  });
  store.add(sealBoot(sealer, 1, DAY_US), ...all, other);
  assert.deepEqual(told(await find()).slice(2), ["conflict"]);
});

test("numbers that never got a header are no gap, others are counted", async () => {
  const [first] = chain(1, 1);
  assert.ok(first);
  const at5 = { boot: 1, seq: 5, capture_us: 20e6, duration_us: 4e6, chunks: [random(9)] };
  const fifth = sealSegment(sealer, { ...at5, previous: first.hash, skipped: 4 });
  const at9 = { ...at5, seq: 9, capture_us: 36e6 };
  const ninth = sealSegment(sealer, { ...at9, previous: random(32), skipped: 1 });
  store.add(sealBoot(sealer, 1, DAY_US), first, fifth, ninth);
  const found = await find();
  assert.deepEqual(
    found.map((one) => (one instanceof Refusal ? one.reason : one.missingBefore)),
    [0, 0, 2],
  );
});

test("a forged segment is refused in its place and hides none of the others", async () => {
  const all = chain(1, 3);
  const forged = sealSegment(
    { ...makeSealer(sealer.recipient), camera: sealer.camera },
    {
      ...{ boot: 1, seq: 1, capture_us: 4e6, duration_us: 4e6, chunks: [random(9)] },
    },
  );
  store.add(sealBoot(sealer, 1, DAY_US), ...all, forged);
  const found = told(await find());
  assert.deepEqual(found.toSorted(), ["1:0", "1:1", "1:2", "signature"]);
  assert.deepEqual(told(await find({ from_us: at(5), to_us: at(6) })).includes("1:1"), true);
});

test("a boot record that is not to be believed is refused in its place and hides nothing", async () => {
  const good = sealBoot(sealer, 1, DAY_US);
  const refusedFor = async (reason: string, bad: Sealed) => {
    store = new MemoryStore();
    store.add(...chain(1, 2), bad);
    const alone = await find();
    assert.deepEqual(told(alone), [reason]);
    store.add(good);
    const found = await find();
    assert.deepEqual(told(found), [reason, "1:0", "1:1"]);
    const [refusal, first] = found;
    assert.ok(refusal instanceof Refusal && refusal.object === bad.name && !refusal.footage);
    assert.ok(first && !(first instanceof Refusal) && first.start_us === DAY_US);
  };
  const stranger = { ...makeSealer(sealer.recipient), camera: sealer.camera };
  await refusedFor("signer", sealBoot(stranger, 1, 7));
  // Somebody who states the camera's key, but has another.
  const { publicKey } = sealer.signing;
  const forger = { ...stranger, signing: { ...stranger.signing, publicKey } };
  await refusedFor("signature", sealBoot(forger, 1, 7));
  await refusedFor("boot", { ...good, name: good.name.replace("/0000000001-", "/0000000002-") });
  const altered = good.bytes.with(good.bytes.length - 70, 0);
  const another = sealBoot(sealer, 1, 7, 9);
  await refusedFor("name", { ...another, bytes: altered });
  await refusedFor("name", { ...another, name: `${another.name}0` });
  await refusedFor("name", { ...another, bytes: new Uint8Array() });
  // Sealed to a vault key that these keys lack.
  await refusedFor("no-wrap", sealBoot({ ...sealer, recipient: makeSealer().recipient }, 1, 7));
  await refusedFor("length", { ...another, bytes: random(65_537) });
});

test("a store that lists for ever or out of order is noticed", async () => {
  store.add(sealBoot(sealer, 1, DAY_US), ...chain(1, 2));
  const list = store.list.bind(store);
  store.list = async (prefix, _after, max) => {
    const page = await list(prefix, "", max);
    return max === 1
      ? page
      : Array.from({ length: 1000 }, (_one, i) => page[i % page.length]).flatMap(
          (one) => one ?? [],
        );
  };
  await assert.rejects(find(), /out of order/);
});

// ---- with real video in the segments

let directory: string;
/** 3 s of video, a key frame a second. */
let clip: Uint8Array;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocellus-fetch-"));
  clip = await makeClip(join(directory, "clip.mp4"), "320x240", 3);
});
after(() => rm(directory, { recursive: true }));

/** The clip as it would be later in its boot. */
function later(seconds: number): Uint8Array {
  const moved = Buffer.from(clip);
  for (let at = moved.indexOf("tfdt"); at >= 0; at = moved.indexOf("tfdt", at + 4)) {
    moved.writeBigUInt64BE(moved.readBigUInt64BE(at + 8) + BigInt(seconds * 90_000), at + 8);
  }
  return new Uint8Array(moved);
}

function pieces(bytes: Uint8Array, most: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / most);
  return Array.from({ length: count }, (_piece, i) => bytes.subarray(i * most, (i + 1) * most));
}

function videoChain(count: number): Sealed[] {
  const made: Sealed[] = [];
  for (let seq = 0; seq < count; seq++) {
    const previous = made.at(-1)?.hash ?? new Uint8Array(32);
    const times = { capture_us: seq * 3e6, duration_us: 3e6 };
    const plain = later(seq * 3);
    const chunks = pieces(plain, 32_768);
    made.push(sealSegment(sealer, { boot: 1, seq, previous, ...times, chunks }));
  }
  return made;
}

const options = { stretchGaps: true, withoutRefused: false };
const fetchTo = (name: string, from: number, to: number, withoutRefused = false) =>
  fetchFootage(
    viewOf(sealer, store),
    { stream: 0, from_us: at(from), to_us: at(to) },
    join(directory, name),
    { ...options, withoutRefused },
  );

test("an interval is fetched from the key frame before it to its end", async () => {
  store.add(sealBoot(sealer, 1, DAY_US), ...videoChain(3));
  const fetched = await fetchTo("part.mp4", 2.5, 6.4);
  assert.equal(fetched.start_us, at(2));
  assert.equal(fetched.frames, 110);
  const frames = await decodedFrames(join(directory, "clip.mp4"));
  const expected = [...frames.slice(50), ...frames, ...frames.slice(0, 10)];
  assert.deepEqual(await decodedFrames(join(directory, "part.mp4")), expected);
});

test("an interval that begins in a segment without a key frame is fetched from the segment before", async () => {
  const plains = [later(0), withoutFirstKey(later(3)), later(6)];
  let previous = new Uint8Array(32);
  store.add(sealBoot(sealer, 1, DAY_US));
  for (const [seq, plain] of plains.entries()) {
    const times = { capture_us: seq * 3e6, duration_us: 3e6 };
    const fragments = [0, 1, 2].map((i) => ({
      time: (seq * 3 + i) * 90_000,
      key: seq !== 1 || i > 0,
    }));
    const chunks = pieces(plain, Math.ceil(plain.length / 8));
    const made = sealSegment(sealer, { boot: 1, seq, previous, ...times, chunks, fragments });
    previous = new Uint8Array(made.hash);
    store.add(made);
  }
  assert.equal((await fetchTo("lead-in.mp4", 3.5, 7)).start_us, at(2));
  const frames = await decodedFrames(join(directory, "clip.mp4"));
  const expected = [...frames.slice(50), ...frames, ...frames.slice(0, 25)];
  assert.deepEqual(await decodedFrames(join(directory, "lead-in.mp4")), expected);
  assert.equal((await fetchTo("inner-key.mp4", 4.5, 7)).start_us, at(4));
});

/** The clip as if its first frame were no key frame. */
function withoutFirstKey(plain: Uint8Array): Uint8Array {
  const changed = Buffer.from(plain);
  const trun = changed.indexOf("trun");
  // Flags: data offset and first-sample flags; then count, offset, and those flags (ISO/IEC 14496-12 section 8.8.8).
  assert.equal(changed.readUInt32BE(trun + 4) & 5, 5);
  changed.writeUInt32BE(0x0101_0000, trun + 16);
  return new Uint8Array(changed);
}

test("one altered segment refuses all of it, and no file is left", async () => {
  const all = videoChain(3);
  store.add(sealBoot(sealer, 1, DAY_US), ...all);
  const [, second] = all;
  assert.ok(second);
  const altered = second.bytes.slice();
  altered[altered.length - 20] = (altered[altered.length - 20] ?? 0) ^ 4;
  store.objects.set(second.name, altered);
  await assert.rejects(
    fetchTo("refused.mp4", 0, 9),
    (error) =>
      error instanceof Refusal && error.reason === "chunk-hash" && error.object === second.name,
  );
  const left = await readdir(directory);
  assert.deepEqual(
    left.filter((name) => name.startsWith("refused") || name.startsWith(".")),
    [],
  );
});

test("what is refused can be left out, as a gap that is told", async () => {
  const all = videoChain(3);
  store.add(sealBoot(sealer, 1, DAY_US), ...all);
  const [, second] = all;
  assert.ok(second);
  store.objects.set(second.name, second.bytes.subarray(0, -1));
  const fetched = await fetchTo("without.mp4", 0, 9, true);
  assert.deepEqual(
    [...fetched.refused].map(({ reason }) => reason),
    ["length"],
  );
  assert.equal(fetched.frames, 150);
  assert.deepEqual(fetched.gaps, [{ at_us: at(3), length_us: 3e6 }]);
});

test("a missing segment is a gap, and its number is counted", async () => {
  const all = videoChain(3);
  store.add(sealBoot(sealer, 1, DAY_US), ...all);
  store.objects.delete(all[1]?.name ?? "");
  const fetched = await fetchTo("missing.mp4", 0, 9);
  assert.equal(fetched.missing, 1);
  assert.equal(fetched.gaps.length, 1);
});

test("junk beside the footage is told but keeps nobody from fetching it", async () => {
  const all = videoChain(2);
  store.add(sealBoot(sealer, 1, DAY_US), ...all);
  const [boots, name] = [sealBoot(sealer, 1, 7).name, `${all[1]?.name}0`];
  store.objects.set(boots, random(99));
  store.objects.set(name, random(99));
  const fetched = await fetchTo("junk.mp4", 0, 6);
  assert.equal(fetched.frames, 150);
  assert.deepEqual(
    [...fetched.refused].map(({ object }) => object),
    [boots, name],
  );
});

test("of two copies the one whose chunks are good is fetched, and the other told", async () => {
  const all = videoChain(2);
  store.add(sealBoot(sealer, 1, DAY_US), ...all);
  const [, second] = all;
  assert.ok(second);
  const event = second.name.replace("/continuous/", "/event/");
  const { bytes } = second;
  const damaged = bytes.with(bytes.length - 9, (bytes.at(-9) ?? 0) ^ 1);
  store.objects.set(event, damaged);
  const fetched = await fetchTo("copies.mp4", 0, 6);
  assert.equal(fetched.frames, 150);
  assert.deepEqual(
    [...fetched.refused].map(({ object, reason }) => [object, reason]),
    [[event, "chunk-hash"]],
  );
  store.objects.set(second.name, damaged);
  await assert.rejects(fetchTo("neither.mp4", 0, 6), /event.*refused/);
});

test("what is missing at the start of an interval is counted where a boot begins in it", async () => {
  const all = videoChain(3);
  store.add(sealBoot(sealer, 1, DAY_US), ...all);
  store.objects.delete(all[0]?.name ?? "");
  assert.equal((await fetchTo("cut.mp4", 0, 9)).missing, 1);
  assert.equal((await fetchTo("later.mp4", 4, 9)).missing, 0);
});

test("an interval without footage is a sentence, and no file is left", async () => {
  store.add(sealBoot(sealer, 1, DAY_US), ...videoChain(1));
  await assert.rejects(fetchTo("none.mp4", 100, 200), /no footage in this interval/);
});

test("heads are kept, verified again when they are used, and fetched anew where they rotted", async () => {
  const cache = join(directory, "cache");
  store.add(sealBoot(sealer, 1, DAY_US), ...chain(1, 3));
  const look = async () => told(await findIn(sealer, store, {}, cache));
  assert.deepEqual(await look(), ["1:0", "1:1", "1:2"]);
  const before_requests = store.requests;
  await look();
  const again = store.requests - before_requests;
  const heads = join(cache, "heads");
  const files = (await readdir(heads, { recursive: true, withFileTypes: true })).filter((one) =>
    one.isFile(),
  );
  assert.equal(files.length, 3);
  for (const file of files) await rm(join(file.parentPath, file.name));
  const anew_requests = store.requests;
  await look();
  assert.equal(store.requests - anew_requests, again + 3);
});
