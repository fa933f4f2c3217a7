/** Decisions of the table, as U-Boot's sandbox takes them. */
import assert from "node:assert/strict";
import { JOURNAL } from "../../../ota/boot/journal.mjs";
import type { Boot, Sandbox } from "../../../ota/sim/sandbox.ts";
import type { Decision } from "./decision.ts";
import { pattern } from "./records.ts";

/** Where a decision's attempt stands in its block. */
export function consumedAt({ index, attempt }: NonNullable<Decision["consumed"]>): number {
  return index * JOURNAL.record_bytes + JOURNAL.fields.attempts + 4 * (attempt - 1);
}

/** Takes a decision. Throws an AssertionError where it is not the one of the table. */
export function judged(sandbox: Sandbox, decision: Decision): Boot {
  const { consumed, state, ends } = decision;
  const boot = sandbox.boot(state);
  assert.deepEqual(boot.ended, ends, `${decision.what}: ${boot.said}`);
  const writes = boot.writes.map(({ block, offset_bytes, after }) => [block, offset_bytes, after]);
  const due = consumed && [consumed.block, consumedAt(consumed), pattern("attempt")];
  assert.deepEqual(writes, due === undefined ? [] : [due], decision.what);
  return boot;
}
