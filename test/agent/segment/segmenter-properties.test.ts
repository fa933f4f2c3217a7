import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Frame } from "../../../agent/runtime/native.d.ts";
import { type Decision, Segmenter } from "../../../agent/segment/segmenter.ts";
import { ticksAt } from "../../../agent/segment/ticks.ts";
import { check } from "../properties.ts";

/** What may happen to a segmenter, in any order. */
type Event =
  | { readonly kind: "frame"; readonly frame: Frame }
  | { readonly kind: "lapped"; readonly frames: number }
  | { readonly kind: "flush" }
  | { readonly kind: "epoch" }
  | { readonly kind: "length"; readonly segmentS: number }
  /** The fragment that the next frame closes cannot be kept. */
  | { readonly kind: "spoil" };

interface Step {
  readonly kind: Event["kind"];
  readonly stepUs: number;
  readonly bytes: number;
  readonly key: boolean;
  readonly discontinuity: boolean;
  readonly config: boolean;
  readonly count: number;
}

const steps = fc.array(
  fc.record({
    kind: fc.oneof(
      { weight: 200, arbitrary: fc.constant<"frame">("frame") },
      {
        weight: 8,
        arbitrary: fc.constantFrom<Event["kind"]>("lapped", "flush", "epoch", "length", "spoil"),
      },
    ),
    stepUs: fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 33_000, max: 41_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 3_000_000 }) },
    ),
    bytes: fc.oneof(fc.integer({ min: 1, max: 4_000 }), fc.integer({ min: 1, max: 700_000 })),
    key: fc.integer({ min: 0, max: 60 }).map((n) => n === 0),
    discontinuity: fc.integer({ min: 0, max: 90 }).map((n) => n === 0),
    config: fc.integer({ min: 0, max: 90 }).map((n) => n === 0),
    count: fc.integer({ min: 1, max: 300 }),
  }),
  { minLength: 1, maxLength: 400 },
);

function eventsOf(list: readonly Step[]): Event[] {
  let captureUs = 1_000_000;
  let config = 1;
  let seq = 0;
  return list.map((step): Event => {
    const { kind, bytes, key, discontinuity, count } = step;
    if (kind === "lapped") {
      seq += count;
      captureUs += count * 40_000;
      return { kind, frames: count };
    }
    if (kind === "length") return { kind, segmentS: 4 + (count % 27) };
    if (kind !== "frame") return { kind };
    captureUs += step.stepUs;
    if (step.config) config += 1;
    return { kind, frame: { seq: seq++, bytes, key, discontinuity, config, captureUs } };
  });
}

interface Written {
  readonly frames: Frame[];
  readonly durations: number[];
  readonly decodeTimes: number[];
  /** Numbers of frames at which fragments start. */
  readonly starts: number[];
}

/** Carries decisions out as the product does, and checks each one. */
class World {
  readonly segmenter = new Segmenter({
    segmentS: 4,
    fragmentBytes: 500_000,
    segmentBytes: 2 << 20,
  });
  readonly segments: Written[] = [];
  lost = 0;
  #open: (Written & { ordinal: number }) | null = null;
  #spoilNext = false;
  /** The segment before the next one, where it was kept. */
  #last: Written | null = null;

  apply(event: Event): void {
    switch (event.kind) {
      case "frame":
        this.#carryOut(this.segmenter.push(event.frame));
        break;
      case "lapped":
        this.#carryOut(this.segmenter.lapped(event.frames));
        break;
      case "flush":
        this.#carryOut(this.segmenter.flush("encoder"));
        break;
      case "epoch":
        this.segmenter.endAtKeyFrame();
        break;
      case "length":
        this.segmenter.setSegmentS(event.segmentS);
        break;
      case "spoil":
        this.#spoilNext = true;
    }
  }

  #carryOut(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      if (decision.do === "lost") this.lost += decision.frames;
      if (decision.do === "open") {
        assert.equal(this.#open, null, "a segment is open");
        if (!decision.first.key && this.#last === null) {
          this.#spoil(decision.ordinal);
          continue;
        }
        this.#open = {
          ordinal: decision.ordinal,
          frames: [],
          durations: [],
          decodeTimes: [],
          starts: [],
        };
      }
      if (decision.do === "fragment") {
        if (this.#open === null || this.#spoilNext) {
          this.lost += decision.frames.length + (this.#open?.frames.length ?? 0);
          const ordinal = this.#open?.ordinal;
          this.#open = null;
          this.#spoilNext = false;
          if (ordinal !== undefined) this.#spoil(ordinal);
          continue;
        }
        this.#open.starts.push(this.#open.frames.length);
        this.#open.frames.push(...decision.frames);
        this.#open.durations.push(...decision.durations);
        this.#open.decodeTimes.push(decision.decodeTime);
      }
      if (decision.do === "abandon") {
        assert.equal(this.#open?.frames.length, 0);
        this.#open = null;
      }
      if (decision.do === "close" && this.#open !== null) {
        this.segments.push(this.#open);
        this.#last = this.#open;
        this.#open = null;
      }
    }
  }

  #spoil(ordinal: number): void {
    this.#last = null;
    for (const one of this.segmenter.spoilt(ordinal))
      if (one.do === "lost") this.lost += one.frames;
  }
}

function runAll(list: readonly Step[]): { events: Event[]; world: World } {
  const events = eventsOf(list);
  const world = new World();
  for (const event of events) world.apply(event);
  world.apply({ kind: "flush" });
  return { events, world };
}

test("every frame is in exactly one segment, in order, or counted lost", () => {
  check(
    fc.property(steps, (list) => {
      const { events, world } = runAll(list);
      const given = events.reduce(
        (sum, event) =>
          sum + (event.kind === "frame" ? 1 : event.kind === "lapped" ? event.frames : 0),
        0,
      );
      const kept = world.segments.flatMap(({ frames }) => frames.map(({ seq }) => seq));
      assert.equal(kept.length + world.lost, given);
      for (const [i, seq] of kept.entries())
        if (i > 0) assert.ok(seq > (kept[i - 1] ?? 0), "frames in order, none twice");
    }),
  );
});

test("decode times are capture times, and durations lead from each frame to the next exactly", () => {
  check(
    fc.property(steps, (list) => {
      for (const { frames, durations, decodeTimes, starts } of runAll(list).world.segments) {
        assert.equal(durations.length, frames.length);
        for (const [i, start] of starts.entries())
          assert.equal(decodeTimes[i], ticksAt(frames[start]?.captureUs ?? 0));
        for (const [i, { captureUs }] of frames.entries()) {
          const next = frames[i + 1];
          const duration = durations[i] ?? -1;
          assert.ok(Number.isInteger(duration) && duration >= 0 && duration < 2 ** 32);
          if (next) assert.equal(ticksAt(captureUs) + duration, ticksAt(next.captureUs));
        }
      }
    }),
  );
});

test("key frames start fragments, one configuration fills a segment, and only continuations start without a key frame", () => {
  check(
    fc.property(steps, (list) => {
      const { segments } = runAll(list).world;
      for (const [n, { frames, starts }] of segments.entries()) {
        assert.equal(new Set(frames.map(({ config }) => config)).size, 1);
        for (const [i, { key, discontinuity }] of frames.entries()) {
          if (key) assert.ok(starts.includes(i), "a key frame inside a fragment");
          if (discontinuity) assert.equal(i, 0, "a discontinuity inside a segment");
        }
        const before = segments[n - 1]?.frames.at(-1);
        const [first] = frames;
        if (first && !first.key) assert.equal(first.seq, (before?.seq ?? -2) + 1);
      }
    }),
  );
});

test("segments and fragments keep to their bounds", () => {
  check(
    fc.property(steps, (list) => {
      for (const { frames, starts } of runAll(list).world.segments) {
        const sizes = starts.map((start, i) =>
          frames.slice(start, starts[i + 1] ?? frames.length).map(({ bytes }) => bytes),
        );
        for (const fragment of sizes) if (fragment.length > 1) assert.ok(sum(fragment) <= 500_000);
        if (sizes.length > 1) assert.ok(sum(sizes.flat()) <= 2 << 20);
        const [first, last] = [frames[0], frames.at(-1)];
        const lastsUs = (last?.captureUs ?? 0) - (first?.captureUs ?? 0);
        assert.ok(lastsUs < 2 * 30e6, "twice the longest segment_s");
      }
    }),
  );
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
