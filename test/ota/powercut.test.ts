/**
 * Power cuts everywhere in a camera's updates, by the simulator (ota/sim): a bounded part, with one cut in each life; `make
 * powercut` has the rest. And the simulator finds the faults that are put into what it runs.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { bootScript, SCRIPT } from "../../ota/boot/script.mjs";
import { sandboxBootloader } from "../../ota/sim/bootloader.ts";
import { Sandbox } from "../../ota/sim/sandbox.ts";
import { readFirmware } from "../../scripts/board/board.mjs";
import { environment } from "../../scripts/board/bootloader.mjs";
import { checkout } from "../../scripts/build/ensure.mjs";
import { type Edit, mutant } from "./support/mutant.ts";
import { shortWalks, type WalkName } from "./support/walks.ts";

const SEED = 20_260_101;

const sandbox = await Sandbox.start();
after(() => sandbox.stop());
const bootloader = sandboxBootloader(sandbox);

test("wherever the power goes, a camera ends with the image that is wanted, and never with anything unproven", (t) => {
  t.diagnostic(`seed ${SEED}`);
  const { found, cuts, lives } = shortWalks(bootloader, SEED);
  t.diagnostic(`${cuts} cuts, ${lives} lives, ${sandbox.judged} different boots`);
  assert.deepEqual(Object.fromEntries(found), {});
  assert.ok(cuts > 2_000);
});

const INSTALL = "agent/update/install.ts";
const RECORDS = "agent/update/records.ts";
const START = "agent/update/start.ts";

const TURNS_OVER = "about to turn over";

/** Each a mistake that somebody could make. */
const MISTAKES: Readonly<Record<string, Edit & { readonly walk?: WalkName }>> = {
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
    walk: TURNS_OVER,
  },
  "a block of the journal that looks erased is not erased": {
    file: RECORDS,
    from: "  yield* erase(block, 0);\n",
    to: "",
    walk: TURNS_OVER,
  },
  "the confirmed record is not carried over": {
    file: RECORDS,
    from: 'yield* setWord(copy, "confirmed");',
    to: "",
    walk: "one image confirmed, and many that failed",
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
};

for (const [mistake, edit] of Object.entries(MISTAKES)) {
  test(`found: ${mistake}`, async (t) => {
    const { shortWalks: walks } = await mutant([edit]);
    const [first] = [...walks(bootloader, SEED, edit.walk).found.values()];
    assert.ok(first !== undefined, "nothing was found");
    t.diagnostic(first);
  });
}

/** The same of the boot script. */
const SCRIPT_MISTAKES: Readonly<
  Record<string, readonly [from: string, to: string, walk?: WalkName]>
> = {
  "the attempt is written after the jump": ["@ATTEMPT_WRITE@ &&", "run start; @ATTEMPT_WRITE@ &&"],
  "an image is tried that is not armed": ["itest.l *$armed == @ARMED_PATTERN@ && ", ""],
  "the last confirmed record wins": [
    "itest $generation > $confirmed &&",
    "itest $generation > 0 &&",
    TURNS_OVER,
  ],
};

for (const [mistake, [from, to, walk]] of Object.entries(SCRIPT_MISTAKES)) {
  test(`found in the boot script: ${mistake}`, async (t) => {
    assert.equal(SCRIPT.split(from).length, 2);
    const firmware = readFirmware(checkout, "qemu/malta");
    const variables = environment(firmware);
    for (const [name, value] of bootScript(
      firmware,
      SCRIPT.replace(from, () => to),
    ))
      variables.set(name, value);
    const wrong = await Sandbox.start({ firmware, variables });
    t.after(() => wrong.stop());
    const [first] = [...shortWalks(sandboxBootloader(wrong), SEED, walk).found.values()];
    assert.ok(first !== undefined, "nothing was found");
    t.diagnostic(first);
  });
}
