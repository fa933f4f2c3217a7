/** What a camera's key signed need not be footage: whoever has the key can date it back, and none of it may cost the rest. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { fetchFootage } from "../../scripts/owner/fetch.ts";
import { parseMp4, Unjoinable } from "../../scripts/owner/mp4.ts";
import { Refusal } from "../../scripts/owner/open.ts";
import { OTHER_CONFIG } from "../agent/double/clip.ts";
import { at, DAY_US, SEGMENT_US } from "./support/footage.ts";
import { box, FRAME_TICKS, head, joined, oddMp4, segmentMp4, u32 } from "./support/mp4.ts";
import {
  MemoryStore,
  makeSealer,
  type Sealed,
  sealBoot,
  sealSegment,
  viewOf,
} from "./support/sealed.ts";

const directory = await mkdtemp(join(tmpdir(), "ocellus-unjoinable-"));
after(() => rm(directory, { recursive: true }));

const sealer = makeSealer();
const SEGMENT_TICKS = 360_000;
const FRAMES = Array.from({ length: 100 }, () => FRAME_TICKS);
let store: MemoryStore;

/** Seals plaintexts as a boot's segments of 4 s, from a second of the day on. */
function sealed(boot: number, from_s: number, plains: readonly Uint8Array[]): Sealed[] {
  const made: Sealed[] = [];
  for (const [seq, plain] of plains.entries()) {
    const time = from_s * 90_000 + seq * SEGMENT_TICKS;
    const capture_us = from_s * 1e6 + seq * SEGMENT_US;
    const previous = made.at(-1)?.hash ?? new Uint8Array(32);
    const fragments = [{ time, key: true }];
    const times = { capture_us, duration_us: SEGMENT_US };
    made.push(sealSegment(sealer, { boot, seq, previous, ...times, chunks: [plain], fragments }));
  }
  store.add(sealBoot(sealer, boot, DAY_US), ...made);
  return made;
}

const good = (seq: number) => segmentMp4(seq * SEGMENT_TICKS, FRAMES);

const fetchTo = (name: string, withoutRefused: boolean) =>
  fetchFootage(
    viewOf(sealer, store),
    { stream: 0, from_us: at(0), to_us: at(60) },
    join(directory, name),
    { stretchGaps: true, withoutRefused },
  );

beforeEach(() => {
  store = new MemoryStore();
});

test("a signed segment that is no MP4 is refused by name, and the rest of the interval is fetched", async () => {
  sealed(1, 0, [0, 1, 2, 3, 4].map(good));
  const [odd] = sealed(900, 8, [new Uint8Array(50)]);
  await assert.rejects(fetchTo("whole.mp4", false), (error) => {
    assert.ok(error instanceof Refusal);
    assert.deepEqual([error.object, error.reason], [odd?.name, "unjoinable"]);
    assert.match(error.message, /key signed it.*its MP4 is malformed: a box .* of wrong size\)\.$/);
    return true;
  });
  const fetched = await fetchTo("without.mp4", true);
  assert.deepEqual([fetched.segments, fetched.frames, fetched.refused.footage], [5, 500, 1]);
  assert.deepEqual(fetched.refused.json, [
    { object: odd?.name, reason: "unjoinable", footage: true },
  ]);
});

test("what does not fit the frames before it is refused too, and leaves no trace in the file", async () => {
  const later = segmentMp4(SEGMENT_TICKS / 2, FRAMES, OTHER_CONFIG);
  const cutSets = good(1).slice();
  const avcC = Buffer.from(cutSets).indexOf("avcC");
  // More parameter sets than there are.
  cutSets[avcC + 9] = 0xff;
  const timescale = good(2).slice();
  const mdhd = Buffer.from(timescale).indexOf("mdhd");
  timescale.set(u32(1), mdhd + 16);
  const plains = [good(0), later, cutSets, timescale, good(4)];
  const made = sealed(1, 0, plains);
  await assert.rejects(fetchTo("whole.mp4", false), /it starts before the one before it ends/);
  const fetched = await fetchTo("without.mp4", true);
  const reasons = [...fetched.refused].map(({ object, detail }) => [object, detail]);
  assert.deepEqual(reasons, [
    [made[1]?.name, "it starts before the one before it ends"],
    [made[2]?.name, "its avcC is malformed"],
    [made[3]?.name, "its MP4 is malformed: 1 ticks a second"],
  ]);
  const { segments, frames, entry, gaps } = fetched;
  assert.deepEqual({ segments, frames, entry }, { segments: 2, frames: 200, entry: "avc1" });
  assert.deepEqual(gaps, [{ at_us: at(4), length_us: 12e6 }]);

  store = new MemoryStore();
  sealed(1, 0, [good(0)]);
  sealed(2, 16, [good(4)]);
  await fetchTo("plain.mp4", false);
  const file = (name: string) => readFile(join(directory, name));
  assert.deepEqual(await file("without.mp4"), await file("plain.mp4"));
});

test("where everything is refused nothing is written", async () => {
  sealed(1, 0, [new Uint8Array(50), joined(head(), box("moof"))]);
  await assert.rejects(fetchTo("none.mp4", true), /everything in this interval is refused/);
  await assert.rejects(readFile(join(directory, "none.mp4")), /ENOENT/);
});

test("what a fragment says of its frames is bounded by the bytes that it has", () => {
  const [duration, flags] = [FRAME_TICKS, 0];
  const one = {
    defaults: [duration, 8, flags],
    truns: [{ count: 2, at: 0 }],
    mdat_bytes: 16,
  } as const;
  assert.equal(parseMp4(oddMp4(one)).video.samples.length, 2);
  const huge = 0xffff_ffff;
  for (const [odd, why] of [
    // 783 bytes that would be four thousand million frames.
    [{ ...one, defaults: [0, 0, 0], truns: [{ count: huge, at: 0 }] }, /a frame without bytes/],
    [{ ...one, defaults: [0, 0, 0], truns: [{ count: 1, at: 0 }] }, /a frame without bytes/],
    [{ ...one, truns: [{ count: huge, at: 0 }] }, /outside its mdat/],
    [{ ...one, truns: [{ count: 3, at: 0 }] }, /outside its mdat/],
    [{ ...one, truns: [{ count: 1, at: -8 }] }, /outside its mdat/],
    // The same bytes once more.
    [
      {
        ...one,
        truns: [
          { count: 2, at: 0 },
          { count: 1, at: 8 },
        ],
      },
      /two in one place/,
    ],
    [{ ...one, defaults: [60 * 90_000 + 1, 8, flags] }, /more than a minute/],
    [{ ...one, time: [huge, huge] }, /a time beyond 2\^53/],
    [
      {
        ...one,
        defaults: [duration, 1, flags],
        truns: [{ count: huge, at: 0 }],
        mdat_bytes: 2 ** 19,
      },
      /more than 262144 frames/,
    ],
  ] as const) {
    assert.throws(
      () => parseMp4(oddMp4(odd)),
      (error) => error instanceof Unjoinable && why.test(error.message),
    );
  }
  const second = segmentMp4(99 * FRAME_TICKS, FRAMES).subarray(head().length);
  assert.throws(() => parseMp4(joined(segmentMp4(0, FRAMES), second)), /go back in time/);
});

test("parameter sets that are larger than a camera has them are refused: they are copied before each key frame", () => {
  const config = (bytes: number) => ({
    ...OTHER_CONFIG,
    sps: joined(OTHER_CONFIG.sps, new Uint8Array(bytes)),
  });
  assert.equal(parseMp4(segmentMp4(0, FRAMES, config(900))).video.samples.length, 100);
  assert.throws(() => parseMp4(segmentMp4(0, FRAMES, config(1_024))), /too large an avcC/);
});
