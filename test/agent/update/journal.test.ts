/** The journal of updates: what stands in it, and what follows (ota/FORMAT.md, "Journal"). */
import assert from "node:assert/strict";
import { test } from "node:test";
import layout from "../../../agent/update/journal.json" with { type: "json" };
import {
  CHECK_OFFSET,
  confirmedRecord,
  currentBlock,
  encodeRecord,
  failures,
  JOURNAL_BYTES,
  type JournalBlock,
  newestRecord,
  openInstallation,
  openTrial,
  primarySlot,
  readJournal,
  type Slot,
  type StateWord,
  stateWord,
} from "../../../agent/update/journal.ts";

const IMAGE = new Uint8Array(16).fill(0x11);

interface Written {
  readonly generation: number;
  readonly slot: Slot;
  readonly set?: readonly StateWord[];
  readonly attempts?: number;
  readonly image?: Uint8Array;
}

function record({ generation, slot, set = [], attempts = 0, image = IMAGE }: Written): Uint8Array {
  const bytes = new Uint8Array(layout.record_bytes).fill(0xff);
  const { body, check } = encodeRecord(generation, slot, image);
  bytes.set(body);
  bytes.set(check, CHECK_OFFSET);
  for (const name of set) bytes.set(stateWord(name).bytes, stateWord(name).at);
  const pattern = Buffer.alloc(4);
  pattern.writeUInt32LE(Number(layout.patterns.attempt));
  for (let n = 0; n < attempts; n++) bytes.set(pattern, layout.fields.attempts + 4 * n);
  return bytes;
}

function block(records: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(JOURNAL_BYTES).fill(0xff);
  for (const [index, each] of records.entries()) bytes.set(each, index * layout.record_bytes);
  return bytes;
}

const journal = (a: readonly Uint8Array[], b: readonly Uint8Array[] = []) =>
  readJournal({ "journal-a": block(a), "journal-b": block(b) } satisfies Record<
    JournalBlock,
    Uint8Array
  >);

test("a record has the bytes that FORMAT.md says", () => {
  assert.equal(
    Buffer.from(record({ generation: 0x0102, slot: "b", set: ["armed"], attempts: 1 })).toString(
      "hex",
    ),
    [
      ...["4f434a31", "02010000", "f05a69c3", "11".repeat(16), "39fd5bd6"],
      ...["c6479b2d", "1b8de471", "ff".repeat(24)],
    ].join(""),
  );
});

test("with nothing in it, slot a is primary", () => {
  const empty = journal([]);
  assert.equal(newestRecord(empty), null);
  assert.equal(primarySlot(empty), "a");
  assert.equal(openTrial(empty), null);
  assert.equal(currentBlock(empty), null);
});

test("the confirmed record of the highest generation names the primary slot, wherever it stands", () => {
  const [old, last] = [
    record({ generation: 7, slot: "a", set: ["armed", "confirmed"] }),
    record({ generation: 8, slot: "b", set: ["armed", "confirmed"] }),
  ];
  assert.equal(primarySlot(journal([old, last])), "b");
  assert.equal(primarySlot(journal([last], [old])), "b");
  assert.equal(primarySlot(journal([old], [last])), "b");
});

test("the trial is the newest record alone: what is armed before it is none", () => {
  const armed = record({ generation: 4, slot: "b", set: ["armed"], attempts: 2 });
  const trial = openTrial(journal([armed]));
  assert.equal(trial?.attempts, 2);
  const begun = record({ generation: 5, slot: "b" });
  assert.equal(openTrial(journal([armed, begun])), null);
  assert.equal(openInstallation(journal([armed, begun]))?.generation, 5);
});

test("a trial that is confirmed or failed is none", () => {
  for (const end of ["confirmed", "failed"] as const) {
    const found = journal([record({ generation: 4, slot: "b", set: ["armed", end] })]);
    assert.equal(openTrial(found), null);
    assert.equal(openInstallation(found), null);
  }
});

test("a state word that is neither erased nor its pattern is not set", () => {
  for (let bit = 0; bit < 32; bit++) {
    const torn = record({ generation: 3, slot: "b", set: ["armed", "confirmed"] });
    const { at } = stateWord("confirmed");
    const byte = at + (bit >> 3);
    torn[byte] = (torn[byte] ?? 0) ^ (1 << (bit & 7));
    assert.equal(confirmedRecord(journal([torn])), null, `bit ${bit}`);
  }
});

test("no pattern can come from another, nor from an erased word, by clearing the bits of one byte", () => {
  const patterns = [0xffff_ffff, ...Object.values(layout.patterns).map(Number)];
  for (const from of patterns) {
    for (const to of patterns) {
      if (from === to) continue;
      const bytes = [0, 8, 16, 24].filter((shift) => ((from ^ to) >>> shift) & 0xff);
      assert.ok(bytes.length >= 3, `${from.toString(16)} and ${to.toString(16)}`);
    }
  }
});

test("a record with one bit wrong in body or check is none", () => {
  const good = record({ generation: 3, slot: "b", set: ["armed", "confirmed"] });
  for (let bit = 0; bit < 8 * layout.fields.armed; bit++) {
    const bad = good.slice();
    bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(newestRecord(journal([bad])), null, `bit ${bit}`);
  }
});

test("failed outweighs confirmed", () => {
  const both = journal([
    record({ generation: 3, slot: "b", set: ["armed", "confirmed", "failed"] }),
  ]);
  assert.equal(primarySlot(both), "a");
});

test("the next record goes behind all that is not erased, and nowhere in a full block", () => {
  const one = record({ generation: 1, slot: "a" });
  const torn = new Uint8Array(layout.record_bytes).fill(0xff);
  torn[5] = 0;
  assert.equal(currentBlock(journal([one, torn]))?.free, 2 * layout.record_bytes);
  const full = Array.from({ length: layout.records }, (_, index) =>
    record({ generation: index + 1, slot: "a" }),
  );
  assert.equal(currentBlock(journal(full))?.free, null);
});

test("while a rotation is half done, the full block stays the current one, and what it confirms counts", () => {
  const full = Array.from({ length: layout.records }, (_, index) =>
    record({ generation: index + 1, slot: "a", set: ["armed", "confirmed"] }),
  );
  const copy = record({ generation: layout.records, slot: "a" });
  for (const half of [
    journal(full, [copy]),
    readJournal({ "journal-a": block([copy]), "journal-b": block(full) }),
  ]) {
    assert.equal(currentBlock(half)?.records.length, layout.records);
    assert.equal(openInstallation(half), null);
    assert.equal(confirmedRecord(half)?.generation, layout.records);
  }
});

test("failures count per image, and only those of trials", () => {
  const other = new Uint8Array(16).fill(0x22);
  const found = journal([
    record({ generation: 1, slot: "b", set: ["armed", "failed"] }),
    record({ generation: 2, slot: "b", set: ["failed"] }),
    record({ generation: 3, slot: "b", set: ["armed", "failed"], image: other }),
    record({ generation: 4, slot: "b", set: ["armed", "failed"] }),
  ]);
  assert.equal(failures(found, IMAGE), 2);
  assert.equal(failures(found, other), 1);
});
