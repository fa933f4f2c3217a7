/** The camera's reading of the journal (agent/update/journal.ts) and the boot script's are one: which slot, which trial, which attempt. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ATTEMPTS, openTrial, primarySlot, readJournal } from "../../agent/update/journal.ts";
import { JOURNAL, JOURNAL_USED_BYTES } from "../../ota/boot/journal.mjs";
import { Sandbox } from "../../ota/sim/sandbox.ts";
import { decisions } from "./support/decisions.ts";
import { garbage, pattern, record } from "./support/records.ts";

const sandbox = await Sandbox.start();
after(() => sandbox.stop());

const slots = { a: "valid", b: "valid" } as const;

function agrees(a: Uint8Array, b: Uint8Array, what: string): void {
  const blocks = [a, b].map((block) => {
    const bytes = Buffer.alloc(JOURNAL_USED_BYTES, 0xff);
    bytes.set(block.subarray(0, JOURNAL_USED_BYTES));
    return bytes;
  });
  const [block_a = Buffer.alloc(0), block_b = Buffer.alloc(0)] = blocks;
  const journal = readJournal({ "journal-a": block_a, "journal-b": block_b });
  const trial = openTrial(journal);
  const { ended, said } = sandbox.boot({ journal: { a, b }, slots });
  assert.equal(ended.outcome, "started", what);
  if (ended.outcome !== "started") return;
  // A word that cannot become the pattern is no attempt that is left; only U-Boot finds that out.
  const started = ended.trial !== undefined;
  if (trial === null || trial.attempts === ATTEMPTS || said.includes("Flash not Erased")) {
    assert.deepEqual([started, ended.slot], [false, primarySlot(journal)], what);
  } else {
    assert.deepEqual([started, ended.slot], [true, trial.slot], what);
    assert.equal(ended.trial?.generation, trial.generation, what);
  }
}

for (const { what, state } of decisions)
  test(`${what}: the camera reads it as U-Boot does`, () =>
    agrees(state.journal.a, state.journal.b, what));

test("so it does of journals made up at random", () => {
  const random = garbage(40_000, 7);
  let at = 0;
  const below = (bound: number) => random.readUInt8(at++ % random.length) % bound;
  const word = (name: "armed" | "attempt" | "confirmed" | "failed") =>
    [0xffff_ffff, pattern(name), pattern(name), (pattern(name) | (1 << below(32))) >>> 0][
      below(4)
    ] ?? 0;
  const block = () => {
    const records = Array.from({ length: below(5) }, () => {
      const attempts = Array.from({ length: JOURNAL.attempts }, () => word("attempt"));
      const states = { armed: word("armed"), confirmed: word("confirmed"), failed: word("failed") };
      return record(1 + below(5), below(2) === 0 ? "a" : "b", { ...states, attempts });
    });
    if (below(3) === 0) records[0]?.writeUInt8(below(256), below(32));
    return Buffer.concat(records);
  };
  for (let round = 0; round < 400; round++) agrees(block(), block(), `round ${round}`);
});
