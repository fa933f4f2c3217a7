/** Journals that no camera should have, rotation, and slots that do not start. */
import {
  type Decision,
  GOOD_A,
  GOOD_B,
  starts,
  state,
  trial,
  tries,
  triesInVain,
} from "./decision.ts";
import { body, changed, failures, garbage, rechecked, record } from "./records.ts";

function withSlot(generation: number, states: { confirmed?: true; armed?: true }): Buffer {
  const bytes = body(generation, 0);
  const set = record(generation, "a", states);
  set.copy(bytes, 32, 32);
  return bytes;
}

const trash: readonly Decision[] = [
  starts("a confirmed record with a wrong check", "a", { a: [GOOD_A, changed(GOOD_B, 28, 0)] }),
  starts("a confirmed record with a changed generation", "a", {
    a: [GOOD_A, changed(GOOD_B, 4, 9)],
  }),
  starts("a trial with a wrong check", "a", { a: [GOOD_A, changed(trial(), 20, 0)] }),
  starts("a trial with another magic", "a", { a: [GOOD_A, changed(trial(), 0, 0)] }),
  starts("a confirmed record of another magic, whose check is right", "a", {
    a: [GOOD_A, rechecked(changed(GOOD_B, 0, 0))],
  }),
  starts("a record cut off in its body", "a", { a: [GOOD_A, GOOD_B.subarray(0, 20)] }),
  starts("garbage in both blocks", "a", { a: [garbage(1024)], b: [garbage(1024, 2)] }),
  starts("zeros in both blocks", "a", { a: [Buffer.alloc(1024)], b: [Buffer.alloc(1024)] }),
  starts("garbage in one block", "b", { a: [garbage(1024)], b: [GOOD_A, GOOD_B] }),
  starts("magic everywhere", "b", { a: [Buffer.alloc(1024, "OCJ1")], b: [GOOD_B] }),
  starts("a record at no record's place", "a", { a: [Buffer.alloc(4, 0xff), GOOD_B] }),
  starts("a record beyond the last place", "a", { a: [...failures(16, 10), GOOD_B] }),
  starts("the last place", "b", { a: [...failures(15, 10), record(99, "b", { confirmed: true })] }),
  starts("generation 0, confirmed", "a", { a: [record(0, "b", { confirmed: true })] }),
  starts("generation 0, armed", "a", { a: [record(0, "b", { armed: true })] }),
  starts(
    "generation 0x80000000, confirmed",
    "a",
    { a: [GOOD_A, record(0x8000_0000, "b", { confirmed: true })] },
    true,
  ),
  starts("generation 0xffffffff, armed", "a", {
    a: [GOOD_A, record(0xffff_ffff, "b", { armed: true })],
  }),
  starts("a confirmed record of no slot", "a", { a: [GOOD_A, withSlot(2, { confirmed: true })] }),
  starts("a confirmed record of no slot, and confirmed b", "b", {
    a: [GOOD_B, withSlot(3, { confirmed: true })],
  }),
  starts("a trial of no slot", "a", { a: [GOOD_A, withSlot(2, { armed: true })] }),
];

const rotations: readonly Decision[] = [
  starts("a full block", "a", { a: [GOOD_A, ...failures(15, 2)] }),
  starts("rotation: the other block is being erased", "a", {
    a: [GOOD_A, ...failures(15, 2)],
    b: [Buffer.alloc(1024)],
  }),
  starts("rotation: the copy has no check yet", "b", {
    a: [GOOD_B, ...failures(15, 3)],
    b: [changed(GOOD_B, 28, 0xff).fill(0xff, 28)],
  }),
  starts("rotation: the copy is not confirmed yet", "b", {
    a: [GOOD_B, ...failures(15, 3)],
    b: [record(2, "b")],
  }),
  starts("rotation: the copy is done, equal generations", "b", {
    a: [GOOD_B, ...failures(15, 3)],
    b: [record(2, "b", { confirmed: true })],
  }),
  starts("rotation from b to a: the copy is not confirmed yet", "b", {
    a: [record(2, "b")],
    b: [GOOD_B, ...failures(15, 3)],
  }),
  tries(
    "rotation: a trial after the copy",
    { attempt: 1, generation: 18, slot: "a", block: "b" },
    {
      a: [GOOD_B, ...failures(15, 3)],
      b: [record(2, "b", { confirmed: true }), record(18, "a", { armed: true })],
    },
  ),
  starts("the old block is gone", "b", {
    b: [record(2, "b", { confirmed: true }), record(18, "a")],
  }),
  starts("equal generations that differ: the first confirmed counts", "a", {
    a: [record(5, "a", { confirmed: true })],
    b: [record(5, "b", { confirmed: true })],
  }),
  starts("equal generations, one confirmed and one a trial: no trial", "a", {
    a: [record(5, "b", { armed: true })],
    b: [record(5, "a", { confirmed: true })],
  }),
  tries(
    "equal generations, both a trial: the first counts",
    { attempt: 1, generation: 5, index: 0 },
    { a: [record(5, "b", { armed: true })], b: [record(5, "a", { armed: true })] },
  ),
];

const slots: readonly Decision[] = [
  triesInVain("the trial's slot is erased", { a: [GOOD_A, trial()], slot_b: "erased" }),
  triesInVain("the trial's header is bad", { a: [GOOD_A, trial()], slot_b: "header bad" }),
  triesInVain("the trial's data is bad", { a: [GOOD_A, trial()], slot_b: "data bad" }),
  triesInVain("the trial is for another architecture", {
    a: [GOOD_A, trial()],
    slot_b: "other architecture",
  }),
  triesInVain("the trial is no kernel", { a: [GOOD_A, trial()], slot_b: "no kernel" }),
  triesInVain("the trial's slot cannot be read", { a: [GOOD_A, trial()], slot_b: "unreadable" }),
  {
    what: "the trial cannot be decompressed",
    state: state({ a: [GOOD_A, trial()], slot_b: "undecompressable" }),
    ends: { outcome: "reset", during: "decompression" },
    consumed: { block: "a", index: 1, attempt: 1 },
    real: true,
  },
  starts("the trial cannot be decompressed, all attempts used", "a", {
    a: [GOOD_A, trial({ attempts: [true, true, true] })],
    slot_b: "undecompressable",
  }),
  starts("the primary is bad", "a", { a: [GOOD_A, GOOD_B], slot_b: "data bad" }),
  starts("the primary cannot be read", "a", { a: [GOOD_A, GOOD_B], slot_b: "unreadable" }),
  starts("the primary cannot be read, and is a", "b", { a: [GOOD_A], slot_a: "unreadable" }),
  tries(
    "the primary is bad during a trial",
    { attempt: 1 },
    { a: [GOOD_A, trial()], slot_a: "erased" },
  ),
  starts("the other slot is bad", "b", { a: [GOOD_A, GOOD_B], slot_a: "header bad" }),
  {
    what: "both slots are bad",
    state: state({ a: [GOOD_A], slot_a: "header bad", slot_b: "data bad" }),
    ends: { outcome: "reset", during: "script" },
  },
  {
    what: "both slots are bad during a trial",
    state: state({ a: [GOOD_A, trial()], slot_a: "unreadable", slot_b: "erased" }),
    ends: { outcome: "reset", during: "script" },
    consumed: { block: "a", index: 1, attempt: 1 },
  },
];

export const unusual: readonly Decision[] = [...trash, ...rotations, ...slots];
