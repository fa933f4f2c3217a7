import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frame } from "../../../agent/runtime/native.d.ts";
import {
  type Decision,
  FRAGMENTS_MAX,
  Segmenter,
  type SegmenterOptions,
} from "../../../agent/segment/segmenter.ts";

const START_US = 5_000_000;
const OPTIONS: SegmenterOptions = {
  segmentS: 4,
  fragmentBytes: 512 << 10,
  segmentBytes: 16 << 20,
};

/** Frame `i` at 25 fps. */
function frame(i: number, over: Partial<Frame> = {}): Frame {
  const captureUs = START_US + i * 40_000;
  return {
    seq: i,
    bytes: 1_000,
    key: false,
    discontinuity: false,
    config: 1,
    captureUs,
    ...over,
  };
}

/** Frames `0..count-1`, key frames where `gop` divides, each changed by `over`. */
function run(
  segmenter: Segmenter,
  count: number,
  gop: number,
  over: (i: number) => Partial<Frame> = () => ({}),
): Decision[] {
  return Array.from({ length: count }, (_, i) =>
    segmenter.push(frame(i, { key: i % gop === 0, ...over(i) })),
  ).flat();
}

/** Segments as [first frame, frames, why it ended]; the last one where it is still open has no end. */
function segments(decisions: readonly Decision[]): (number | string)[][] {
  const found: { first: number; frames: number; end: string }[] = [];
  for (const decision of decisions) {
    const last = found.at(-1);
    if (decision.do === "open") found.push({ first: decision.first.seq, frames: 0, end: "open" });
    if (decision.do === "fragment" && last) last.frames += decision.frames.length;
    if (decision.do === "close" && last) last.end = decision.end;
    if (decision.do === "abandon" && last) last.end = "abandoned";
  }
  return found.map(({ first, frames, end }) => [first, frames, end]);
}

function lost(decisions: readonly Decision[]): number {
  return decisions.reduce((sum, one) => sum + (one.do === "lost" ? one.frames : 0), 0);
}

function fragments(decisions: readonly Decision[]) {
  return decisions.filter((one) => one.do === "fragment");
}

test("the first segment ends at the first key frame past 1 s, later ones past segment_s - 0.5 s", () => {
  const made = run(new Segmenter(OPTIONS), 400, 10);
  // Key frames every 0.4 s: 1.2 s is the first past 1 s, 3.6 s the first past 3.5 s.
  assert.deepEqual(segments(made).slice(0, 4), [
    [0, 30, "duration"],
    [30, 90, "duration"],
    [120, 90, "duration"],
    [210, 90, "duration"],
  ]);
  assert.equal(lost(made), 0);
});

test("a key frame exactly at the target ends the segment", () => {
  const segmenter = new Segmenter({ ...OPTIONS, segmentS: 4.5 });
  const made = run(segmenter, 300, 25);
  assert.deepEqual(segments(made).slice(0, 3), [
    [0, 25, "duration"],
    [25, 100, "duration"],
    [125, 100, "duration"],
  ]);
});

test("without a key frame a segment ends at twice its target, and what follows continues it until the next key frame", () => {
  const made = run(new Segmenter(OPTIONS), 1000, 500);
  assert.deepEqual(segments(made), [
    [0, 50, "duration"],
    // A continuation has the usual target: 7 s, then 7 s, then up to the key frame.
    [50, 175, "duration"],
    [225, 175, "duration"],
    [400, 100, "duration"],
    [500, 175, "duration"],
    [675, 175, "duration"],
    [850, 125, "open"],
  ]);
  assert.equal(lost(made), 0);
});

test("a continuation ends at the next key frame, however short it is", () => {
  const made = run(new Segmenter(OPTIONS), 560, 250);
  assert.deepEqual(segments(made), [
    [0, 50, "duration"],
    [50, 175, "duration"],
    [225, 25, "duration"],
    [250, 175, "duration"],
    [425, 75, "duration"],
    [500, 50, "open"],
  ]);
});

test("a discontinuity on a key frame begins the next segment, and the gap is no duration", () => {
  const made = run(new Segmenter(OPTIONS), 110, 25, (i) =>
    i < 50 ? {} : { captureUs: START_US + i * 40_000 + 9_000_000, discontinuity: i === 50 },
  );
  assert.deepEqual(segments(made).slice(1, 3), [
    [25, 25, "discontinuity"],
    [50, 50, "open"],
  ]);
  assert.equal(lost(made), 0);
  for (const { durations } of fragments(made))
    assert.deepEqual(new Set(durations), new Set([3600]));
});

test("an overdue segment asks for a key frame once, at one and a half times its target", () => {
  const made = run(new Segmenter(OPTIONS), 225, 500);
  const asked = made.flatMap((one, i) => (one.do === "ask-key-frame" ? [i] : []));
  assert.equal(asked.length, 2, "the first segment and its continuation");
  const segmenter = new Segmenter(OPTIONS);
  const counts = Array.from(
    { length: 40 },
    (_, i) =>
      segmenter.push(frame(i, { key: i === 0 })).filter((one) => one.do === "ask-key-frame").length,
  );
  assert.deepEqual(counts.indexOf(1), 38, "1.52 s is the first frame at or past 1.5 s");
});

test("new parameter sets end the segment before the frame that needs them", () => {
  const made = run(new Segmenter(OPTIONS), 200, 25, (i) => ({ config: i < 75 ? 1 : 2 }));
  assert.deepEqual(segments(made).slice(0, 3), [
    [0, 25, "duration"],
    [25, 50, "config-changed"],
    [75, 100, "duration"],
  ]);
  assert.equal(lost(made), 0);
});

test("new parameter sets on a frame that is no key frame lose footage up to the next one", () => {
  const made = run(new Segmenter(OPTIONS), 150, 25, (i) => ({ config: i < 80 ? 1 : 2 }));
  assert.deepEqual(segments(made).slice(1, 3), [
    [25, 55, "config-changed"],
    [100, 25, "open"],
  ]);
  assert.equal(lost(made), 20);
});

for (const [what, over] of [
  ["a discontinuity", (i: number) => ({ discontinuity: i === 60 })],
  ["time that goes back", (i: number) => (i >= 60 ? { captureUs: i * 40_000 } : {})],
  ["a gap of more than a minute", (i: number) => (i >= 60 ? { captureUs: 70e6 + i * 40_000 } : {})],
] as const) {
  test(`${what} ends the segment, and the next one waits for a key frame`, () => {
    const made = run(new Segmenter(OPTIONS), 110, 25, over);
    assert.deepEqual(segments(made).slice(1, 3), [
      [25, 35, "discontinuity"],
      [75, 25, "open"],
    ]);
    assert.equal(lost(made), 15);
    const [, , ...after] = fragments(made);
    assert.deepEqual(after[0]?.durations.at(-1), 3600, "the last frame repeats a duration");
  });
}

test("frames before the first key frame are lost", () => {
  const segmenter = new Segmenter(OPTIONS);
  const made = Array.from({ length: 30 }, (_, i) => segmenter.push(frame(i, { key: i === 7 })));
  assert.equal(lost(made.flat()), 7);
  assert.deepEqual(segments(made.flat())[0]?.[0], 7);
});

test("a lap ends the segment with what was written, and loses what still waited in the ring", () => {
  const segmenter = new Segmenter(OPTIONS);
  const before = run(segmenter, 60, 25);
  const made = segmenter.lapped(500);
  // 25 to 49 stand in a fragment; 50 to 59 were gathered and are older than what was overwritten.
  assert.deepEqual(made, [
    { do: "close", end: "discontinuity" },
    { do: "lost", frames: 510 },
  ]);
  assert.deepEqual(segments([...before, ...made]).at(-1), [25, 25, "discontinuity"]);
  const after = segmenter.push(frame(600, { key: true }));
  assert.equal(after[0]?.do, "open");
});

test("a lap before the first fragment gives the segment up", () => {
  const segmenter = new Segmenter(OPTIONS);
  run(segmenter, 10, 25);
  assert.deepEqual(segmenter.lapped(3), [{ do: "abandon" }, { do: "lost", frames: 13 }]);
});

test("a lap while nothing is open only counts", () => {
  assert.deepEqual(new Segmenter(OPTIONS).lapped(9), [{ do: "lost", frames: 9 }]);
});

test("a flush writes what was gathered, repeats the last duration, and says why", () => {
  for (const end of ["encoder", "shutdown"] as const) {
    const segmenter = new Segmenter(OPTIONS);
    run(segmenter, 40, 25);
    const made = segmenter.flush(end);
    const [fragment] = fragments(made);
    assert.equal(fragment?.frames.length, 15);
    assert.deepEqual(fragment?.durations, Array(15).fill(3600));
    assert.deepEqual(made.at(-1), { do: "close", end });
    assert.deepEqual(segmenter.flush(end), []);
  }
});

test("a lone frame gets the duration of 25 frames a second", () => {
  const segmenter = new Segmenter(OPTIONS);
  segmenter.push(frame(0, { key: true }));
  assert.deepEqual(fragments(segmenter.flush("encoder"))[0]?.durations, [3600]);
});

test("a new recipients' list ends the segment at the next key frame", () => {
  const segmenter = new Segmenter(OPTIONS);
  run(segmenter, 40, 25);
  segmenter.endAtKeyFrame();
  const made = [40, 41, 49, 50, 51].flatMap((i) => segmenter.push(frame(i, { key: i === 50 })));
  const closed = made.findIndex((one) => one.do === "close");
  assert.deepEqual(made[closed], { do: "close", end: "epoch" });
  assert.equal(made[closed + 1]?.do, "open");
  // Only that segment: the next one runs its full length.
  const later = Array.from({ length: 60 }, (_, i) =>
    segmenter.push(frame(52 + i, { key: i === 23 })),
  ).flat();
  assert.ok(!later.some((one) => one.do === "close"));
});

test("a new list while nothing is open ends nothing", () => {
  const segmenter = new Segmenter(OPTIONS);
  segmenter.endAtKeyFrame();
  const made = run(segmenter, 24, 12);
  assert.ok(!made.some((one) => one.do === "close"));
});

test("segment_s applies from the next segment on", () => {
  const segmenter = new Segmenter(OPTIONS);
  const first = run(segmenter, 60, 25);
  segmenter.setSegmentS(10);
  const rest = Array.from({ length: 500 }, (_, i) =>
    segmenter.push(frame(60 + i, { key: (60 + i) % 25 === 0 })),
  ).flat();
  assert.deepEqual(segments([...first, ...rest]).slice(0, 3), [
    [0, 25, "duration"],
    [25, 100, "duration"],
    [125, 250, "duration"],
  ]);
});

test("a fragment ends at about a second, before each key frame, and before it grows past its share of the ring", () => {
  const second = fragments(run(new Segmenter(OPTIONS), 120, 1000));
  assert.deepEqual(second.map(({ frames }) => frames.length).slice(0, 3), [25, 25, 25]);

  const keys = fragments(run(new Segmenter(OPTIONS), 60, 10));
  for (const { frames } of keys) {
    assert.equal(frames.length, 10);
    assert.deepEqual(
      frames.map(({ key }) => key),
      [true, ...Array(9).fill(false)],
    );
  }

  const large = fragments(run(new Segmenter(OPTIONS), 60, 1000, () => ({ bytes: 200 << 10 })));
  for (const { frames } of large) assert.equal(frames.length, 2);

  const huge = fragments(run(new Segmenter(OPTIONS), 20, 1000, () => ({ bytes: 600 << 10 })));
  for (const { frames } of huge) assert.equal(frames.length, 1);
});

test("a segment ends before it grows past its share of the arena, and footage goes on", () => {
  const options = { ...OPTIONS, segmentBytes: 100_000 };
  const made = run(new Segmenter(options), 300, 50, () => ({ bytes: 1_500 }));
  assert.equal(lost(made), 0);
  for (const [, frames, end] of segments(made).slice(0, -1)) {
    assert.equal(end, "duration");
    assert.ok(Number(frames) * 1_500 <= 100_000, `${frames} frames`);
  }
});

test("a segment of key frames alone ends before its header could not list its fragments", () => {
  const segmenter = new Segmenter({ ...OPTIONS, segmentS: 30 });
  const made = run(segmenter, 900, 1);
  let open = 0;
  for (const one of made) {
    if (one.do === "open") open = 0;
    if (one.do === "fragment") open += 1;
    assert.ok(open <= FRAGMENTS_MAX);
  }
  assert.equal(segments(made)[1]?.[1], FRAGMENTS_MAX);
  assert.equal(lost(made), 0);
});

test("a spoilt segment that is still open loses what was gathered and waits for a key frame", () => {
  const segmenter = new Segmenter(OPTIONS);
  run(segmenter, 60, 25);
  assert.deepEqual(segmenter.spoilt(1), [{ do: "lost", frames: 10 }]);
  const made = Array.from({ length: 30 }, (_, i) =>
    segmenter.push(frame(60 + i, { key: (60 + i) % 25 === 0 })),
  ).flat();
  assert.equal(lost(made), 15);
  assert.equal(made.find((one) => one.do === "open")?.first.seq, 75);
});

test("a spoilt segment that was closed since changes nothing", () => {
  const segmenter = new Segmenter(OPTIONS);
  run(segmenter, 60, 25);
  assert.deepEqual(segmenter.spoilt(0), []);
  assert.equal(fragments(segmenter.flush("encoder"))[0]?.frames.length, 10);
});

test("sequence numbers of the ring may wrap", () => {
  const made = run(new Segmenter(OPTIONS), 60, 25, (i) => ({ seq: (0xffff_fff0 + i) >>> 0 }));
  assert.equal(lost(made), 0);
  assert.deepEqual(
    segments(made).map(([, frames]) => frames),
    [25, 25],
  );
});

test("an encoder whose clock stands still cannot make a fragment longer than the native side takes", () => {
  const made = run(new Segmenter(OPTIONS), 3_000, 1_000_000, () => ({
    captureUs: START_US,
    bytes: 1,
  }));
  const sizes = fragments(made).map(({ frames }) => frames.length);
  assert.ok(sizes.length >= 5 && Math.max(...sizes) <= 512, `fragments of ${sizes} frames`);
});
