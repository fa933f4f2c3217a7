import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** Looks until it is so; fails with what was awaited. The bound only keeps a broken program from hanging the tests. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  within_ms = 60_000,
  explain: () => string = () => "",
): Promise<void> {
  const end_ms = Date.now() + within_ms;
  while (!(await holds())) {
    assert.ok(Date.now() < end_ms, `waited ${within_ms} ms for ${what}\n${explain()}`);
    await sleep(50);
  }
}
