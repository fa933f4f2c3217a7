import assert from "node:assert/strict";
import { test } from "node:test";
import { budgets } from "./budgets.ts";
import { markdownTable, plainTable, type Report, rows } from "./table.ts";

const report: Report = {
  date: "2026-01-01",
  machine: "a machine",
  outcomes: {
    "cpu-per-byte": { value: 1.15, note: "at the limit" },
    load: { value: 43.001, note: "a little above" },
    "power-on": { notMeasured: "comes later" },
  },
  comparisons: [{ title: "a | b", measured: "1", note: "" }],
  profile: [{ title: "hashing", millionsPerSecond: 11.2, perByte: 44.87 }],
  guest: [{ title: "agent, resident", at64M: "9,092 kB", at38M: "9,088 kB" }],
};

function verdict(id: string): string | undefined {
  return rows(report.outcomes).find((row) => row.id === id)?.verdict;
}

test("a figure at the limit is met, one above is missed even if it rounds to the limit", () => {
  assert.equal(verdict("cpu-per-byte"), "met");
  assert.equal(verdict("load"), "missed");
  assert.match(plainTable(report), /43\.00 M\/s +missed/);
});

test("a figure that is not a number is missed", () => {
  const [row] = rows({ "slot-image": { value: Number.NaN, note: "" } });
  assert.equal(row?.verdict, "missed");
});

test("every budget has its row, measured or not, with a reason", () => {
  const all = rows(report.outcomes);
  assert.deepEqual(
    all.map((row) => row.id),
    budgets.map((budget) => budget.id),
  );
  assert.equal(verdict("power-on"), "not measured");
  assert.equal(all.find((row) => row.id === "power-on")?.note, "comes later");
  assert.ok(all.filter((row) => row.verdict === "not measured").every((row) => row.note !== ""));
});

test("budgets have names of their own", () => {
  assert.equal(new Set(budgets.map((budget) => budget.id)).size, budgets.length);
});

test("the Markdown table keeps its columns whatever a cell holds", () => {
  const lines = markdownTable(report).split("\n");
  const row = lines.find((line) => line.includes("a \\| b"));
  assert.equal(row?.replaceAll("\\|", "").split("|").length, 5);
  assert.match(markdownTable(report), /2026-01-01, a machine/);
});

test("a table without lines is left out", () => {
  assert.match(plainTable(report), /hashing +11\.20 +44\.87/);
  assert.match(plainTable(report), /agent, resident +9,092 kB +9,088 kB/);
  const without = plainTable({ ...report, profile: [], comparisons: [], guest: [] });
  assert.doesNotMatch(without, /where the camera's|what one would|emulated camera/);
});
