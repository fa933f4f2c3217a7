/** What no listing may keep to itself: boots without a time, boots with several, ends that are lost, holes at the edge. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ocellus } from "#proto";
import { random } from "../../scripts/owner/crypto.ts";
import type { Note } from "../../scripts/owner/notes.ts";
import { Refusal } from "../../scripts/owner/open.ts";
import type { Segment, Wanted } from "../../scripts/owner/recordings.ts";
import { at, chain as chainOf, DAY_US, look as lookAt, SEGMENT_US } from "./support/footage.ts";
import {
  MemoryStore,
  makeSealer,
  type Sealed,
  type SegmentSpec,
  sealBoot,
  sealSegment,
  viewOf,
} from "./support/sealed.ts";

const { END_SHUTDOWN } = ocellus.v1.SegmentEnd;
const sealer = makeSealer();
let store: MemoryStore;

beforeEach(() => {
  store = new MemoryStore();
});

const chain = (boot: number, count: number, over: Partial<SegmentSpec> = {}) =>
  chainOf(sealer, boot, count, over);

/** Boot and number of what is found, refusals by their reason, and how many before it are missing. */
const told = (found: readonly (Segment | Refusal)[]) =>
  found.map((one) => {
    if (one instanceof Refusal) return one.reason;
    return `${one.name.boot}:${one.name.seq}${one.missingBefore > 0 ? ` -${one.missingBefore}` : ""}`;
  });

/** What is listed, and what is told beside it, of these kinds alone. */
async function look(wanted: Partial<Wanted>, kinds: readonly Note["note"][], retired_us?: number) {
  const view = viewOf(sealer, store);
  const retired = retired_us === undefined ? {} : { retired_us };
  const { found, notes } = await lookAt({ ...view, ...retired }, wanted);
  assert.equal(notes.sentences.length, notes.json.length);
  return {
    found: told(found),
    start_us: found.flatMap((one) => (one instanceof Refusal ? [] : [one.start_us])),
    notes: notes.json.filter(({ note }) => kinds.includes(note)),
    sentences: notes.sentences,
    missing: notes.missing,
  };
}

/** Three boots of four segments, an hour apart, which state their own times or do not; linked. */
function threeBoots(stated: boolean): { record: Sealed; segments: Sealed[] }[] {
  let previous = new Uint8Array(32);
  return [1, 2, 3].map((boot) => {
    const segments = [0, 1, 2, 3].map((seq) => {
      const capture_us = seq * SEGMENT_US;
      const times = { capture_us, duration_us: SEGMENT_US, chunks: [random(20)] };
      const wall_us = stated ? at(boot * 3600) + capture_us : 0;
      const sealed = sealSegment(sealer, { boot, seq, previous, ...times, wall_us });
      previous = new Uint8Array(sealed.hash);
      return sealed;
    });
    const record = sealBoot(sealer, boot, at(boot * 3600));
    store.add(record, ...segments);
    return { record, segments };
  });
}

const all = ["1:0", "1:1", "1:2", "1:3", "2:0", "2:1", "2:2", "2:3", "3:0", "3:1", "3:2", "3:3"];

test("a boot whose record is gone is placed by what its own segments state", async () => {
  const boots = threeBoots(true);
  store.objects.delete(boots[1]?.record.name ?? "");
  const whole = await look({}, ["untimed", "times-differ"]);
  assert.deepEqual([whole.found, whole.notes], [all, []]);
  const hour = await look({ from_us: at(7204), to_us: at(7208) }, ["untimed"]);
  assert.deepEqual([hour.found, hour.start_us], [["2:1"], [at(7204)]]);
  for (const { record } of boots) store.objects.delete(record.name);
  const none = await look({}, ["untimed"]);
  assert.deepEqual([none.found, none.notes], [all, []]);
  assert.deepEqual((await look({ boot: 2 }, [])).start_us[0], at(7200));
});

test("a boot whose record is gone and whose segments state no time is told by its number", async () => {
  const boots = threeBoots(false);
  const wanted = { from_us: at(7200), to_us: at(7300) };
  assert.deepEqual((await look(wanted, ["untimed"])).notes, []);
  store.objects.delete(boots[1]?.record.name ?? "");
  const { found, notes, sentences } = await look(wanted, ["untimed"]);
  assert.deepEqual([found, notes], [[], [{ note: "untimed", boots: [2], left_out: 0 }]]);
  assert.match(sentences[0] ?? "", /^Boot 2 has objects in the store .*--boot 2 shows/);
  // Two that came after it show that it had ended by then.
  for (const boot of [4, 5]) store.add(sealBoot(sealer, boot, at(boot * 3600)));
  const late = { from_us: at(6 * 3600), to_us: at(7 * 3600) };
  assert.deepEqual((await look(late, ["untimed"])).notes, []);
  for (const { record } of boots) store.objects.delete(record.name);
  const none = await look({}, ["untimed"]);
  assert.deepEqual(none.notes, [{ note: "untimed", boots: [1, 2, 3], left_out: 0 }]);
  assert.match(none.sentences[0] ?? "", /^Boots 1, 2 and 3 have objects/);
  const named = await look({ boot: 3 }, ["untimed"]);
  assert.deepEqual(named.found, ["3:0", "3:1", "3:2", "3:3"]);
});

test("folders that somebody adds hide no boot without a record, and are told in one sentence", async () => {
  const boots = threeBoots(true);
  store.objects.delete(boots[1]?.record.name ?? "");
  const prefix = boots[1]?.segments[0]?.name.replace(/[0-9]+\/[0-9]+-[0-9a-f]+$/, "");
  for (let i = 10; i < 1_100; i++)
    store.objects.set(`${prefix}${String(i).padStart(10, "0")}/x`, random(1));
  const { found, notes, sentences } = await look({ from_us: at(7204), to_us: at(7208) }, [
    "untimed",
  ]);
  assert.deepEqual(found, ["2:1"]);
  const [note] = notes;
  assert.ok(note?.note === "untimed");
  assert.deepEqual([note.boots.length, note.left_out], [999, 91]);
  assert.match(
    sentences[0] ?? "",
    /^Boots 10, 11, .* and 989 more have .* 91 more boots without a record/,
  );
});

test("a record that is added later and states another time hides nothing of the boot, and is told", async () => {
  store.add(sealBoot(sealer, 1, DAY_US), ...chain(1, 5));
  const wanted = { from_us: at(0), to_us: at(20) };
  const before = await look(wanted, ["times-differ"]);
  assert.deepEqual(before.notes, []);
  // A correction of less than a clock is off is none.
  store.addAt(at(100), sealBoot(sealer, 1, at(2), 100));
  assert.deepEqual((await look(wanted, ["times-differ"])).notes, []);
  store.addAt(at(5e6), sealBoot(sealer, 1, at(-9e6), 4_000_000));
  const { found, start_us, notes, sentences } = await look(wanted, ["times-differ"]);
  assert.deepEqual(found, before.found);
  assert.equal(start_us[0], at(2));
  const zeros_us = [at(-9e6), at(2)];
  assert.deepEqual(notes, [{ note: "times-differ", boot: 1, zeros_us, left_out: 0 }]);
  assert.match(sentences[0] ?? "", /^Boot 1 has records that state other times/);
  // Under the other time it is found as well, in an interval of both once, and named by its number.
  const there = { from_us: at(-9e6), to_us: at(-9e6 + 8) };
  assert.deepEqual((await look(there, [])).found, ["1:0", "1:1"]);
  const both = await look({}, ["times-differ"]);
  assert.deepEqual([both.found, both.notes], [before.found, notes]);
  assert.deepEqual((await look({ boot: 1 }, ["times-differ"])).notes, notes);
});

test("of any number of records of one boot those that came first are looked at", async () => {
  store.add(...chain(1, 5));
  for (let i = 0; i < 50; i++)
    store.addAt(at(9e6), sealBoot(sealer, 1, at(-1e6 - i * 1e3), 100 + i));
  store.addAt(at(30), sealBoot(sealer, 1, DAY_US, 500));
  const { found, notes } = await look({ from_us: at(0), to_us: at(8) }, ["times-differ"]);
  assert.deepEqual(found, ["1:0", "1:1"]);
  const [note] = notes;
  assert.ok(note?.note === "times-differ");
  assert.deepEqual(
    [note.zeros_us.length, note.zeros_us.includes(DAY_US), note.left_out],
    [20, true, 31],
  );
});

test("of a retired camera no record counts that came after for a boot that had one", async () => {
  const late = sealBoot(sealer, 1, at(-9e6), 4_000_000);
  store.addAt(at(5), sealBoot(sealer, 1, DAY_US));
  store.addAt(at(5e6), late, sealBoot(sealer, 2, at(5e6)));
  store.add(...chain(1, 3), ...chain(2, 1));
  const { found, notes, start_us } = await look({}, ["times-differ"], at(1e6));
  assert.deepEqual([found, notes], [["retired", "1:0", "1:1", "1:2", "2:0"], []]);
  assert.equal(start_us[0], DAY_US);
  assert.deepEqual((await look({}, ["times-differ"], at(6e6))).notes.length, 1);
});

test("boots that come later and state early times end no boot before they came", async () => {
  // Boot 1 ran for a while; then whoever took the camera says that it had ended at once.
  store.addAt(at(5), sealBoot(sealer, 1, DAY_US));
  store.add(...chain(1, 200));
  for (const boot of [2, 3]) store.addAt(at(1e5), sealBoot(sealer, boot, at(boot * 60)));
  const { found } = await look({ from_us: at(700), to_us: at(704) }, []);
  assert.deepEqual(found, ["1:175"]);
  // Had they come then, it would be certain.
  for (const name of store.objects.keys()) store.put_us.set(name, at(200));
  assert.deepEqual((await look({ from_us: at(700), to_us: at(704) }, [])).found, []);
});

test("an end without an orderly stop is told where another boot follows", async () => {
  store.add(sealBoot(sealer, 1, DAY_US), ...chain(1, 3));
  const kind = ["no-orderly-end"] as const;
  assert.deepEqual((await look({}, kind)).notes, []);
  assert.deepEqual((await look({ boot: 1 }, kind)).notes, []);
  const second = chain(2, 2);
  const last = { boot: 2, seq: 2, capture_us: 8e6, duration_us: 4e6, chunks: [random(9)] };
  const previous = second[1]?.hash ?? new Uint8Array(32);
  const stopped = sealSegment(sealer, { ...last, previous, end: END_SHUTDOWN });
  store.add(sealBoot(sealer, 2, at(3600)), ...second, stopped, sealBoot(sealer, 3, at(7200)));
  const cut = { note: "no-orderly-end", boot: 1, end_us: at(12) };
  const { notes, sentences } = await look({}, kind);
  assert.deepEqual(notes, [cut]);
  assert.match(sentences[0] ?? "", /^Boot 1 has no orderly end .* power cut or a crash .* is lost/);
  assert.deepEqual((await look({ boot: 1 }, kind)).notes, [cut]);
  assert.deepEqual((await look({ boot: 2 }, kind)).notes, []);
  // What is lost may be of any time up to the next start; not before the end, nor after that.
  assert.deepEqual((await look({ from_us: at(100), to_us: at(200) }, kind)).notes, [cut]);
  assert.deepEqual((await look({ from_us: at(0), to_us: at(8) }, kind)).notes, []);
  assert.deepEqual((await look({ from_us: at(3700), to_us: at(3800) }, kind)).notes, []);
  store.objects.delete(stopped.name);
  assert.deepEqual((await look({ boot: 2 }, kind)).notes, [
    { note: "no-orderly-end", boot: 2, end_us: at(3608) },
  ]);
});

test("numbers that are missing at the end of an interval, or all through it, are told and counted", async () => {
  const whole = chain(1, 40);
  store.add(sealBoot(sealer, 1, DAY_US), ...whole.filter((_one, i) => i < 20 || i >= 30));
  const hole = { note: "missing", boot: 1, segments: 10, from_us: at(80), to_us: at(120) };
  const span = (from: number, to: number) =>
    look({ from_us: at(from), to_us: at(to) }, ["missing"]);
  const tail = await span(60, 100);
  assert.deepEqual(
    [tail.found, tail.notes, tail.missing],
    [whole.slice(15, 20).map((_one, i) => `1:${15 + i}`), [hole], 10],
  );
  assert.match(tail.sentences[0] ?? "", /^Of boot 1, nothing between .* and .* is in the store/);
  const inside = await span(84, 116);
  assert.deepEqual([inside.found, inside.notes], [[], [hole]]);
  // Counted before a segment that is listed, as ever; and not for an interval that it does not touch.
  assert.deepEqual((await span(60, 124)).notes, []);
  assert.ok((await span(60, 124)).found.includes("1:30 -10"));
  assert.deepEqual((await span(60, 80)).notes, []);
  assert.deepEqual((await span(124, 130)).notes, []);
  // From the boot's first number on.
  for (const { name } of whole.slice(0, 20)) store.objects.delete(name);
  const start = { ...hole, segments: 30, from_us: null };
  assert.deepEqual((await span(4, 8)).notes, [start]);
});

test("what stands behind an interval's end and does not follow is refused, not counted", async () => {
  const whole = chain(1, 6);
  const [, , , , other] = chain(1, 6);
  store.add(sealBoot(sealer, 1, DAY_US), ...whole);
  store.objects.delete(whole[4]?.name ?? "");
  store.add(other ?? assert.fail());
  const { found, missing } = await look({ from_us: at(8), to_us: at(16) }, []);
  assert.deepEqual([found, missing], [["1:2", "1:3", "chain"], 0]);
});
