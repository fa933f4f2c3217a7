/**
 * Power cuts everywhere in a camera's updates, by the simulator (ota/sim): a bounded part, with one cut in each life; `make
 * powercut` has the rest. And the simulator finds the faults that are put into what it runs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Edit, mutant } from "./support/mutant.ts";
import { shortWalks } from "./support/walks.ts";

const SEED = 20_260_101;

test("wherever the power goes, a camera ends with the image that is wanted, and never with anything unproven", (t) => {
  t.diagnostic(`seed ${SEED}`);
  const { found, cuts, lives } = shortWalks(SEED);
  t.diagnostic(`${cuts} cuts, ${lives} lives`);
  assert.deepEqual(Object.fromEntries(found), {});
  assert.ok(cuts > 3_000);
});

const INSTALL = "agent/update/install.ts";
const RECORDS = "agent/update/records.ts";
const START = "agent/update/start.ts";
const MODEL = "test/ota/support/model.ts";

/** Each a mistake that somebody could make. */
const MISTAKES: Readonly<Record<string, Edit>> = {
  "the header is written with the first block": {
    file: INSTALL,
    from: "const skipped = block === 0 ? HEADER_PAGE_BYTES : 0;",
    to: "const skipped = 0;",
  },
  "the header's page is written from its beginning": {
    file: INSTALL,
    from: "yield* program(slot.partition, HEADER_BYTES, header.subarray(HEADER_BYTES));",
    to: "yield* program(slot.partition, 0, header);",
  },
  "a header that stands there is trusted": {
    file: INSTALL,
    from: "if (page.some((byte) => byte !== ERASED)) return 0;",
    to: "",
  },
  "the last block of an earlier attempt is trusted": {
    file: INSTALL,
    from: "const last = Math.max(0, right - 1);",
    to: "const last = right;",
  },
  "only what is written next is erased": {
    file: INSTALL,
    from: "at < plan.bytes; at +=",
    to: "at < (block + 1) * plan.block_bytes; at +=",
  },
  "a trial is armed before its image is there": {
    file: INSTALL,
    from: 'yield* stage("compare");',
    to: 'yield* setWord(record, "armed");',
  },
  "the journal's block is erased that is in use": {
    file: RECORDS,
    from: "const block = current?.name === first ? second : first;",
    to: "const block = current?.name ?? first;",
  },
  "a block of the journal that looks erased is not erased": {
    file: RECORDS,
    from: "  yield* erase(block, 0);\n",
    to: "",
  },
  "the confirmed record is not carried over": {
    file: RECORDS,
    from: 'yield* setWord(copy, "confirmed");',
    to: "",
  },
  "words that were cut at their very end are not strengthened": {
    file: START,
    from: "yield* strengthen(journal);",
    to: "",
  },
  "a trial that failed is not closed": {
    file: START,
    from: 'yield* setWord(trial, "failed");\n    if',
    to: "if",
  },
  "the attempt is not consumed": {
    file: MODEL,
    from: "const consumed = order.length === 3 && trial !== null ? attempt(chips, trial) : null;",
    to: "const consumed = null;\n  void attempt;",
  },
};

for (const [mistake, edit] of Object.entries(MISTAKES)) {
  test(`found: ${mistake}`, async (t) => {
    const { found } = (await mutant([edit])).shortWalks(SEED);
    const [first] = [...found.values()];
    assert.ok(first !== undefined, "nothing was found");
    t.diagnostic(first);
  });
}
