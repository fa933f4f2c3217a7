/** An agent that starts again without a power cycle goes on with the same clock, and seals again what the ring still holds. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fetchFootage } from "../../scripts/owner/fetch.ts";
import { Refusal } from "../../scripts/owner/open.ts";
import { makeClip, packets } from "./support/ffmpeg.ts";
import { at, DAY_US, find, look } from "./support/footage.ts";
import { MemoryStore, makeSealer, sealBoot, sealSegment, viewOf } from "./support/sealed.ts";

const sealer = makeSealer();
let store: MemoryStore;
let directory: string;
/** 4 and 2 s of video, a key frame a second. */
const clips = new Map<number, Uint8Array>();

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocellus-runs-"));
  for (const length_s of [2, 4]) {
    clips.set(
      length_s,
      await makeClip(join(directory, `clip-${length_s}.mp4`), "160x120", length_s),
    );
  }
});
after(() => rm(directory, { recursive: true }));
beforeEach(() => {
  store = new MemoryStore();
});

/** A boot's segments, each [first second, length in seconds] of its clock; its clock is off by `off_us` of a frame. */
function seal(boot: number, spans: readonly (readonly [number, number])[], off_us = 0) {
  let previous = new Uint8Array(32);
  for (const [seq, [start_s, length_s]] of spans.entries()) {
    const ticks = start_s * 90_000 + Math.floor((off_us * 9) / 100);
    const plain = Buffer.from(clips.get(length_s) ?? assert.fail());
    for (let box = plain.indexOf("tfdt"); box >= 0; box = plain.indexOf("tfdt", box + 4)) {
      plain.writeBigUInt64BE(plain.readBigUInt64BE(box + 8) + BigInt(ticks), box + 8);
    }
    const fragments = Array.from({ length: length_s }, (_one, i) => ({
      time: ticks + i * 90_000,
      key: true,
    }));
    const times = { capture_us: start_s * 1e6 + off_us, duration_us: length_s * 1e6 };
    const chunks = fragments.map((_one, i) =>
      plain.subarray(
        Math.floor((i * plain.length) / length_s),
        Math.floor(((i + 1) * plain.length) / length_s),
      ),
    );
    const sealed = sealSegment(sealer, { boot, seq, previous, ...times, chunks, fragments });
    previous = new Uint8Array(sealed.hash);
    store.add(sealed);
  }
}

/** What is listed: boot, number and the seconds it spans. */
async function listed(from_s = 0, to_s = 1e6): Promise<string[]> {
  const found = await find(sealer, store, { from_us: at(from_s), to_us: at(to_s) });
  return found.map((one) => {
    if (one instanceof Refusal) return one.reason;
    const start_s = (one.start_us - DAY_US) / 1e6;
    return `${one.name.boot}:${one.name.seq} ${start_s}-${start_s + one.duration_us / 1e6}`;
  });
}

/** Fetches, and checks that times only rise. */
async function fetched(from_s: number, to_s: number) {
  const file = join(directory, "out.mp4");
  const wanted = { stream: 0, from_us: at(from_s), to_us: at(to_s) };
  const how = { stretchGaps: true, withoutRefused: false };
  const told = await fetchFootage(viewOf(sealer, store), wanted, file, how);
  const shown = await packets(file);
  assert.equal(shown.length, told.frames);
  assert.ok(shown.every(({ time_s }, i) => i === 0 || time_s > (shown[i - 1]?.time_s ?? 0)));
  return { ...told, end_s: (shown.at(-1)?.time_s ?? 0) + 0.04 };
}

test("frames that a restarted agent sealed again stand once, at their times", async () => {
  store.add(sealBoot(sealer, 1, DAY_US, 100), sealBoot(sealer, 2, at(0.7), 122));
  seal(1, [
    [100, 4],
    [104, 4],
    [108, 4],
  ]);
  // The ring held from 106 on; then a gap of 5 s.
  seal(2, [
    [106, 4],
    [110, 4],
    [114, 4],
    [123, 4],
  ]);
  assert.deepEqual(await listed(), [
    ...["1:0 100-104", "1:1 104-108", "1:2 108-110", "2:1 110-114"],
    ...["2:2 114-118", "2:3 123-127"],
  ]);
  const told = await fetched(0, 200);
  assert.deepEqual([told.frames, told.duration_us, told.end_s], [22 * 25, 27e6, 27]);
  assert.deepEqual(told.gaps, [{ at_us: at(118), length_us: 5e6 }]);
  assert.deepEqual(await listed(123, 124), ["2:3 123-127"]);
  assert.equal((await fetched(109, 112)).duration_us, 3e6);
  // In between, where the copy alone is left.
  const object = [...store.objects.keys()].find((name) => /0000000001\/0000000002-/.test(name));
  store.objects.delete(object ?? "");
  assert.deepEqual(await listed(109, 112), ["2:0 106-110", "2:1 110-114"]);
  assert.equal((await fetched(0, 200)).frames, 22 * 25);
});

test("a later boot fills a hole of the one before", async () => {
  store.add(sealBoot(sealer, 1, DAY_US, 100), sealBoot(sealer, 2, DAY_US, 122));
  seal(1, [
    [100, 4],
    [108, 4],
  ]);
  seal(2, [
    [102, 4],
    [106, 4],
    [110, 4],
  ]);
  assert.deepEqual(await listed(), ["1:0 100-102", "2:0 102-106", "2:1 106-110", "2:2 110-114"]);
  assert.equal((await fetched(0, 200)).frames, 14 * 25);
});

test("what was missing before footage that is given up for a later boot's is still counted, and told", async () => {
  store.add(sealBoot(sealer, 1, DAY_US, 100), sealBoot(sealer, 2, DAY_US, 122));
  seal(1, [
    [100, 4],
    [104, 2],
    [108, 4],
  ]);
  seal(2, [
    [106, 4],
    [110, 4],
  ]);
  const object = [...store.objects.keys()].find((name) => /0000000001\/0000000001-/.test(name));
  store.objects.delete(object ?? "");
  const { found, notes } = await look(viewOf(sealer, store));
  const counted = found.map((one) => {
    if (one instanceof Refusal) return one.reason;
    return [one.name.boot, one.name.seq, one.missingBefore];
  });
  assert.deepEqual(counted, [
    [1, 0, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]);
  const again = notes.json.filter(({ note }) => note === "sealed-again");
  assert.deepEqual(again, [{ note: "sealed-again", boots: [1, 2] }]);
  assert.match(notes.sentences.join(), /Boot 2 says that it sealed frames of boot 1 again/);
  assert.equal((await fetched(0, 200)).missing, 1);
});

test("boots whose records contradict each other are no run, whatever the one says", async () => {
  store.add(sealBoot(sealer, 1, DAY_US, 100), sealBoot(sealer, 2, DAY_US, 122));
  seal(1, [[100, 4]]);
  seal(2, [[100, 4]]);
  assert.deepEqual(await listed(), ["1:0 100-104"]);
  store.add(sealBoot(sealer, 1, at(-5e5), 90));
  assert.deepEqual(await listed(50, 200), ["1:0 100-104", "2:0 100-104"]);
});

test("other frames of the same time are no copies, whatever a camera was told of the time", async () => {
  store.add(sealBoot(sealer, 1, DAY_US, 100), sealBoot(sealer, 2, DAY_US, 122));
  seal(1, [
    [100, 4],
    [104, 4],
  ]);
  seal(
    2,
    [
      [100, 4],
      [104, 4],
    ],
    12_345,
  );
  assert.equal((await listed()).length, 4);
  assert.equal((await fetched(0, 200)).frames, 16 * 25);
});

test("a power cycle begins another clock", async () => {
  // Boot 1 lived for 6 s.
  store.add(sealBoot(sealer, 1, DAY_US, 6), sealBoot(sealer, 2, at(8), 9));
  seal(1, [[2, 4]]);
  seal(2, [[2, 4]]);
  assert.deepEqual(await listed(), ["1:0 2-6", "2:0 10-14"]);
  const { gaps } = await fetched(0, 200);
  assert.deepEqual(gaps, [{ at_us: at(6), length_us: 4e6 }]);
});
