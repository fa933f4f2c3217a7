/** The table can fail: a script that is wrong in one place is found by a state of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bootScript, SCRIPT } from "../../ota/boot/script.mjs";
import { Sandbox } from "../../ota/sim/sandbox.ts";
import { readFirmware } from "../../scripts/board/board.mjs";
import { environment } from "../../scripts/board/bootloader.mjs";
import { checkout } from "../../scripts/build/ensure.mjs";
import { decisions } from "./support/decisions.ts";
import { judged } from "./support/judged.ts";

const READ_BACK = "&& @JOURNAL_READ@ && itest.l *$attempt_at == @ATTEMPT_PATTERN@";
const NOT_CONSUMED = "itest.l *$field != @ATTEMPT_PATTERN@";

/** What is wrong, of the text: what it replaces and by what, and the state that finds it. */
const MUTATIONS: Record<string, readonly [from: string, to: string, found: RegExp]> = {
  "the attempt is written after the jump": [
    "@ATTEMPT_WRITE@ &&",
    "run start; @ATTEMPT_WRITE@ &&",
    /^a trial, no attempt used/,
  ],
  "the attempt is not written": ["@ATTEMPT_WRITE@ && ", "", /^a trial, no attempt used/],
  "the attempt is not read back": [READ_BACK, "", /worn/],
  "the attempt is looked at in the copy in RAM": [
    READ_BACK,
    "&& itest.l *$attempt_at != @ATTEMPT_PATTERN@",
    /worn/,
  ],
  "armed is ignored": ["itest.l *$armed == @ARMED_PATTERN@ && ", "", /not armed/],
  "any armed word counts": ["*$armed == @ARMED_PATTERN@", "*$armed != ffffffff", /armed, torn/],
  "failed is ignored": [" && itest.l *$failed != @FAILED_PATTERN@", "", /failed/],
  "any failed word counts": [
    "*$failed != @FAILED_PATTERN@",
    "*$failed == ffffffff",
    /failed, torn/,
  ],
  "attempts are ignored": [NOT_CONSUMED, "itest 1 == 1", /one attempt used/],
  "any attempt word counts": [NOT_CONSUMED, "itest.l *$field == ffffffff", /an attempt, torn/],
  "the attempts' order is turned": ["in @ATTEMPT_NUMBERS@", "in 1 2 3", /no attempt used/],
  "an older confirmed record wins": [
    "itest $generation > $confirmed &&",
    "itest $confirmed == 0 &&",
    /confirmed b/,
  ],
  "the last confirmed record wins": [
    "itest $generation > $confirmed &&",
    "itest $generation > 0 &&",
    /an older confirmed/,
  ],
  "of equal generations the last confirmed wins": [
    "itest $generation > $confirmed",
    "itest $generation >= $confirmed",
    /equal generations that differ/,
  ],
  "a confirmed record that failed wins": [
    " && itest.l *$lost != @FAILED_PATTERN@",
    "",
    /confirmed and failed/,
  ],
  "any confirmed word counts": [
    "*$field == @CONFIRMED_PATTERN@",
    "*$field != ffffffff",
    /confirmed, torn/,
  ],
  "any record is the newest": [
    "itest $generation > $newest",
    "itest 1 == 1",
    /not the newest|older/,
  ],
  "a confirmed record is tried": ["itest $newest > $confirmed", "itest $newest > 0", /confirmed/],
  "of equal generations the last is the newest": [
    "itest $generation > $newest",
    "itest $generation >= $newest",
    /both a trial/,
  ],
  "a generation with the top bit counts": [" && itest $top == 0", "", /generation 0x80000000/],
  "the check is ignored": [" && crc32 -v $at @CHECKED_BYTES@ @CHECKED_CRC@", "", /wrong check/],
  "the magic is ignored": ["itest.l *$at == @MAGIC@ && ", "", /another magic/],
  "a slot of neither pattern is a": ["setenv owner;", "setenv owner a;", /no slot/],
  "only one block is looked at": ["itest $at < @JOURNAL_RAM_END@", "itest $at < 81000400", /block/],
  "nothing follows a primary that does not start": [
    "else setenv slot a; fi; run start;",
    "else setenv slot a; fi;",
    /primary is bad/,
  ],
  "the primary does not follow a trial": [
    "setenv slot $primary; run start;",
    "setenv slot $primary;",
    /./,
  ],
  "no reset at the end": ["\n  reset\n", "\n", /both slots are bad/],
  "the fallback has the trial's arguments": [
    "\n  setenv trial_arguments;\n  setenv slot",
    "\n  setenv slot",
    /the trial's/,
  ],
};

const firmware = readFirmware(checkout, "qemu/malta");

async function finds(
  text: string,
  leftovers: readonly (readonly [string, string])[] = [],
): Promise<string[]> {
  const variables = new Map([
    ...leftovers,
    ...environment(firmware),
    ...bootScript(firmware, text),
  ]);
  const sandbox = await Sandbox.start({ firmware, variables });
  const found: string[] = [];
  for (const decision of decisions) {
    try {
      judged(sandbox, decision);
    } catch (error) {
      assert.ok(error instanceof Error);
      found.push(decision.what);
    }
  }
  await sandbox.stop();
  return found;
}

for (const [what, [from, to, found]] of Object.entries(MUTATIONS))
  test(`${what}: found`, async (t) => {
    const pieces = SCRIPT.split(from);
    assert.equal(pieces.length, 2, "it is in the script once");
    const states = await finds(pieces.join(to));
    t.diagnostic(`by ${states.length} of ${decisions.length} states`);
    assert.ok(
      states.some((state) => found.test(state)),
      states.join("\n"),
    );
  });

const LEFT: readonly (readonly [name: string, value: string])[] = [
  ["n", "7"],
  ["verify", "n"],
  ...([
    ["trial", "1"],
    ["newest_slot", "b"],
    ["attempt_at", "81000024"],
  ] as const),
];
for (const [name, found] of [
  ["n", /^a trial/],
  ["verify", /data is bad/],
  ["trial", /^blank/],
] as const)
  test(`${name} of a stored environment is not cleared: found`, async () => {
    const pieces = SCRIPT.split(`setenv ${name};`);
    assert.equal(pieces.length, 2, "it is in the script once");
    const states = await finds(pieces.join(""), LEFT);
    assert.ok(
      states.some((state) => found.test(state)),
      states.join("\n"),
    );
  });

test("the script as it is: nothing is found", async () => {
  assert.deepEqual(await finds(SCRIPT, LEFT), []);
});
