import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ocellus } from "#proto";
import {
  coarsen,
  matters,
  RANGES_MAX,
  STATUS_MIN_INTERVAL_US,
  StatusSchedule,
  type StatusView,
} from "../../../agent/control/status.ts";
import { statusView } from "../../../agent/control/view.ts";
import { DEFAULT_SETTINGS } from "../../../agent/settings/settings.ts";
import { createDouble } from "../double/double.ts";
import { check } from "../properties.ts";

type Open = ocellus.v1.StatusPublic.$Properties;
type Secret = ocellus.v1.StatusPrivate.$Properties;
const { StageName, StageState, DropReason, TimeQuality } = ocellus.v1;

const SILENCE_US = 60_000_000;

function view(open: Open = {}, secret: Secret = {}): StatusView {
  return {
    open: { monotonicUs: 1, build: "b", recipientsVersion: 1, pairing: 2, connection: 1, ...open },
    secret: {
      timeQuality: TimeQuality.TIME_UNKNOWN,
      stages: [{ name: StageName.STAGE_UPLOAD, state: StageState.STAGE_OK, reason: "", cause: "" }],
      streams: [
        { stream: 0, headSeq: 5, sealedAny: true, uploaded: 5, dropped: [], framesLost: 0 },
      ],
      queueBytes: 100_000,
      queueLimitBytes: 1_000_000,
      heapKb: 1_000,
      rssKb: 8_000,
      settingsGeneration: 0,
      ...secret,
    },
  };
}

test("the first status is due at once, the next after the longest silence", () => {
  const schedule = new StatusSchedule();
  assert.equal(schedule.dueInUs(view(), 5, SILENCE_US), 0);
  schedule.sent(view(), 5);
  assert.equal(schedule.dueInUs(view(), 5, SILENCE_US), SILENCE_US);
  assert.equal(schedule.dueInUs(view(), SILENCE_US, SILENCE_US), 5);
  assert.equal(schedule.dueInUs(view(), SILENCE_US + 5, SILENCE_US), 0);
});

test("news is due after the shortest interval, packed into one status", () => {
  const schedule = new StatusSchedule();
  schedule.sent(view(), 0);
  const news = view({ connection: 2 });
  assert.equal(schedule.dueInUs(news, 1, SILENCE_US), STATUS_MIN_INTERVAL_US - 1);
  const more = view({ connection: 2 }, { settingsGeneration: 1 });
  assert.equal(schedule.dueInUs(more, STATUS_MIN_INTERVAL_US, SILENCE_US), 0);
});

test("what matters is news, and nothing else", () => {
  const stage = (over: ocellus.v1.Stage.$Properties) => [
    { name: StageName.STAGE_UPLOAD, state: StageState.STAGE_OK, reason: "", cause: "", ...over },
  ];
  const stream = (over: ocellus.v1.StreamStatus.$Properties) => [
    { stream: 0, headSeq: 5, sealedAny: true, uploaded: 5, dropped: [], framesLost: 0, ...over },
  ];
  const news: [string, StatusView][] = [
    ["another build", view({ build: "c" })],
    ["another list", view({ recipientsVersion: 2 })],
    ["another pairing", view({ pairing: 1 })],
    ["another connection", view({ connection: 2 })],
    ["time known", view({}, { timeQuality: TimeQuality.TIME_STORE })],
    ["settings", view({}, { settingsGeneration: 1 })],
    ["stage in trouble", view({}, { stages: stage({ state: StageState.STAGE_TROUBLE }) })],
    ["another cause", view({}, { stages: stage({ cause: "dns" }) })],
    ["another reason", view({}, { stages: stage({ reason: "x" }) })],
    ["a drop", view({}, { streams: stream({ dropped: [{ first: 1, last: 1 }] }) })],
    ["lost frames", view({}, { streams: stream({ framesLost: 1 }) })],
    ["another picture", view({}, { streams: stream({ width: 640 }) })],
    ["another stream", view({}, { streams: [...stream({}), { stream: 1 }] })],
    ["the queue fills by more than a tenth", view({}, { queueBytes: 200_001 })],
    ["memory moves by more than a fifth", view({}, { rssKb: 10_100 })],
    ["heap moves by more than a fifth", view({}, { heapKb: 799 })],
    ["nobody can read it any more", { ...view(), secret: null }],
  ];
  for (const [name, after] of news) {
    assert.ok(matters(view(), after), name);
    assert.ok(matters(after, view()), `${name}, back`);
  }
  const old: [string, StatusView][] = [
    ["the clock", view({ monotonicUs: 9 }, { wallUs: 9 })],
    ["a segment more", view({}, { streams: stream({ headSeq: 6, uploaded: 6, frames: 99 }) })],
    ["pending", view({}, { streams: stream({ pending: [{ first: 5, last: 5 }] }) })],
    ["the queue within its band", view({}, { queueBytes: 200_000 })],
    ["memory within its band", view({}, { rssKb: 9_600, heapKb: 800 })],
    ["bytes", view({}, { uploadedBytes: 1_000_000 })],
    ["since when", view({}, { stages: stage({ sinceUs: 77 }) })],
  ];
  for (const [name, after] of old) assert.ok(!matters(view(), after), name);
});

const ranges = fc
  .array(
    fc.tuple(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 0, max: 5 }), fc.constantFrom(1, 2)),
    {
      maxLength: 300,
    },
  )
  .map((parts) => {
    let at = 0;
    return parts.map(([gap, length, reason]) => {
      const first = at + gap;
      at = first + length;
      return { first, last: at, reason };
    });
  });

test("coarser ranges cover all that the fine ones did, rise, stay apart, and are few enough", () => {
  check(
    fc.property(ranges, fc.integer({ min: 1, max: 40 }), (fine, most) => {
      const coarse = coarsen(fine, most);
      assert.equal(coarse.length, Math.min(most, fine.length));
      for (const { first, last, reason } of fine) {
        const home = coarse.filter((c) => (c.first ?? 0) <= first && last <= (c.last ?? 0));
        assert.equal(home.length, 1);
        assert.ok(home[0]?.reason === reason || home[0]?.reason === DropReason.DROP_SEVERAL);
      }
      for (let i = 1; i < coarse.length; i++) {
        assert.ok((coarse[i]?.first ?? 0) > (coarse[i - 1]?.last ?? 0) + 1);
      }
    }),
  );
});

test("the smallest gaps are closed first", () => {
  const fine = [
    { first: 0, last: 0, reason: 1 },
    { first: 9, last: 9, reason: 1 },
    { first: 11, last: 11, reason: 1 },
    { first: 30, last: 30, reason: 2 },
  ];
  assert.deepEqual(coarsen(fine, 3), [fine[0], { first: 9, last: 11, reason: 1 }, fine[3]]);
  assert.deepEqual(coarsen(fine, 1), [{ first: 0, last: 30, reason: DropReason.DROP_SEVERAL }]);
});

test("a range that lies inside the one before shortens nothing", () => {
  const fine = [
    { first: 0, last: 9, reason: 1 },
    { first: 5, last: 5, reason: 1 },
    { first: 30, last: 30, reason: 1 },
  ];
  assert.deepEqual(coarsen(fine, 2), [{ first: 0, last: 9, reason: 1 }, fine[2]]);
});

test("the longest status fits a record's private part", () => {
  const many = Array.from({ length: 5_000 }, (_, i) => ({
    first: 0x1_0000_0000 + 3 * i,
    last: 0x1_0000_0000 + 3 * i,
    reason: DropReason.DROP_QUEUE_FULL,
  }));
  const long = "\u0800".repeat(1_000);
  const stage = { state: StageState.STAGE_TROUBLE, reason: long, cause: long, sinceUs: 2 ** 52 };
  const stream = {
    headSeq: 2 ** 40,
    headHash: new Uint8Array(32),
    uploaded: 2 ** 40,
    frames: 2 ** 52,
    framesLost: 2 ** 52,
    pending: many,
    dropped: many,
  };
  const { native } = createDouble({ options: { startReason: long } });
  const view = statusView(
    {
      pairing: 2,
      claim: null,
      recipientsVersion: 1,
      recipientsHash: new Uint8Array(32),
      settings: { ...DEFAULT_SETTINGS, flip: true, generation: 0xffff_ffff },
      pipeline: {
        wallUs: 2 ** 52,
        timeQuality: TimeQuality.TIME_STORE,
        stages: [stage, stage, stage, stage],
        streams: [
          { ...stream, stream: 0 },
          { ...stream, stream: 1 },
        ],
        queueBytes: 2 ** 31,
        queueLimitBytes: 2 ** 31,
        uploadedBytes: 2 ** 52,
      },
    },
    {
      nowUs: 2 ** 52,
      connection: 0xffff_ffff,
      control: stage,
      access: { state: 3, reason: long },
      options: native.options,
      usage: native.usage(),
    },
  );
  for (const { pending, dropped } of view.secret?.streams ?? []) {
    assert.equal(pending?.length, RANGES_MAX);
    assert.equal(dropped?.length, RANGES_MAX);
  }
  const bytes = ocellus.v1.StatusPrivate.encode(view.secret ?? {}).finish();
  assert.ok(bytes.length > 8_000 && bytes.length < 14_000, `${bytes.length} bytes`);
});
