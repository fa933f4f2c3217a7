/** Journals as cameras have them, and words that were cut off. */
import { type Decision, GOOD_A, GOOD_B, starts, trial, tries } from "./decision.ts";
import { pattern, record, torn } from "./records.ts";

const RECORD_BYTES = 64;

const none: readonly Decision[] = [
  starts("blank", "a", {}),
  starts("blank, and slot a is erased", "b", { slot_a: "erased" }),
  starts("confirmed a", "a", { a: [GOOD_A] }),
  starts("confirmed b", "b", { a: [GOOD_A, GOOD_B] }),
  starts("confirmed b alone, in the other block", "b", { b: [GOOD_B] }),
  starts("confirmed b, then a again", "a", {
    a: [GOOD_B],
    b: [record(3, "a", { confirmed: true })],
  }),
  starts("an older confirmed record after a newer one", "b", { a: [GOOD_B, GOOD_A] }),
  starts("a confirmed record that was never armed", "b", {
    a: [record(1, "b", { confirmed: true })],
  }),
];

const trials: readonly Decision[] = [
  tries("a trial, no attempt used", { attempt: 1 }, { a: [GOOD_A, trial()] }),
  tries("a trial, one attempt used", { attempt: 2 }, { a: [GOOD_A, trial({ attempts: [true] })] }),
  tries(
    "a trial, two attempts used, in block b",
    { attempt: 3, block: "b", index: 0 },
    { a: [GOOD_A], b: [trial({ attempts: [true, true] })] },
    true,
  ),
  starts(
    "a trial, all attempts used",
    "a",
    { a: [GOOD_A, trial({ attempts: [true, true, true] })] },
    true,
  ),
  tries("a trial before anything was confirmed", { attempt: 1, index: 0 }, { a: [trial()] }),
  tries(
    "a trial in slot a",
    { attempt: 1, generation: 3, slot: "a", index: 2 },
    { a: [GOOD_A, GOOD_B, record(3, "a", { armed: true })] },
  ),
  starts("a record that is not armed", "a", { a: [GOOD_A, record(2, "b")] }),
  starts("a trial that failed", "a", { a: [GOOD_A, trial({ attempts: [true], failed: true })] }),
  starts("a trial that failed before its first attempt", "a", {
    a: [GOOD_A, trial({ failed: true })],
  }),
  starts("a record that failed and was never armed", "a", {
    a: [GOOD_A, record(2, "b", { failed: true })],
  }),
  starts("a trial that was confirmed", "b", {
    a: [GOOD_A, trial({ attempts: [true], confirmed: true })],
  }),
  starts("confirmed and failed: failed counts", "a", {
    a: [trial({ confirmed: true, failed: true })],
  }),
  starts("an armed record that is not the newest", "a", {
    a: [GOOD_A, trial(), record(3, "b", { failed: true })],
  }),
  starts("an older armed record in the other block", "a", {
    a: [GOOD_A, record(5, "b", { failed: true })],
    b: [record(3, "b", { armed: true })],
  }),
  starts("an armed record that is older than the confirmed one", "a", {
    a: [trial(), record(3, "a", { confirmed: true })],
  }),
  tries(
    "the largest generation",
    { attempt: 1, generation: 0x7fff_ffff },
    {
      a: [record(0x7fff_fffe, "a", { confirmed: true }), record(0x7fff_ffff, "b", { armed: true })],
    },
  ),
];

const words: readonly Decision[] = [
  starts("armed, torn", "a", { a: [GOOD_A, record(2, "b", { armed: torn("armed", 0x10) })] }),
  starts("armed, all zeros", "a", { a: [GOOD_A, record(2, "b", { armed: 0 })] }),
  starts("armed with another word's pattern", "a", {
    a: [GOOD_A, record(2, "b", { armed: pattern("confirmed") })],
  }),
  starts("confirmed, torn", "a", {
    a: [GOOD_A, record(2, "b", { confirmed: torn("confirmed", 1) })],
  }),
  tries(
    "confirmed, torn, of a trial",
    { attempt: 2 },
    { a: [GOOD_A, trial({ attempts: [true], confirmed: torn("confirmed", 0x2000) })] },
  ),
  tries(
    "failed, torn",
    { attempt: 2 },
    { a: [GOOD_A, trial({ attempts: [true], failed: torn("failed", 0x8000_0000) })] },
  ),
  tries(
    "an attempt, torn: it is consumed again",
    { attempt: 1 },
    { a: [GOOD_A, trial({ attempts: [torn("attempt", 0x0000_0004)] })] },
    true,
  ),
  tries(
    "the second attempt, torn",
    { attempt: 2 },
    { a: [GOOD_A, trial({ attempts: [true, torn("attempt", 0x8000_0000)] })] },
  ),
  tries(
    "the first attempt is not consumed, and the second is",
    { attempt: 1 },
    { a: [GOOD_A, trial({ attempts: [null, true] })] },
  ),
  starts(
    "an attempt whose word cannot be programmed to its pattern",
    "a",
    { a: [GOOD_A, trial({ attempts: [0] })] },
    true,
  ),
  starts("an attempt whose word is worn", "a", {
    a: [GOOD_A, trial()],
    worn: [{ block: "a", offset_bytes: RECORD_BYTES + 36 }],
  }),
];

export const usual: readonly Decision[] = [...none, ...trials, ...words];
