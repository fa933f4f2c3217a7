/**
 * The table of `make bench`: what was promised, what was measured, and whether it was kept. A budget
 * that was not measured is a row too, with the reason.
 */
import { type Budget, type BudgetId, budgets } from "./budgets.ts";

/** What came out for one budget. */
export type Outcome =
  | { readonly value: number /** How, in few words. */; readonly note: string }
  | { readonly notMeasured: string };

/** Another program's figure beside ours; no promise. */
export interface Comparison {
  readonly title: string;
  /** A figure with its unit, or why there is none. */
  readonly measured: string;
  readonly note: string;
}

/** A part of the camera's work in the repeatable run. */
export interface ProfileLine {
  readonly title: string;
  readonly millionsPerSecond: number;
  readonly perByte: number;
}

/** A figure of the emulated camera, with its unit, by the memory that Linux was told of. */
export interface GuestLine {
  readonly title: string;
  readonly at64M: string;
  readonly at38M: string;
}

/** All that one run of the benchmark found. */
export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly outcomes: Readonly<Partial<Record<BudgetId, Outcome>>>;
  readonly comparisons: readonly Comparison[];
  readonly profile: readonly ProfileLine[];
  readonly guest: readonly GuestLine[];
}

/** One line of the table. */
export interface Row {
  readonly id: BudgetId;
  readonly title: string;
  readonly target: string;
  readonly measured: string;
  readonly verdict: "met" | "missed" | "not measured";
  readonly note: string;
}

/** Shows a figure as the budget wants it: "1,234.5 B". */
export function figure(value: number, budget: Pick<Budget, "decimals" | "unit">): string {
  const digits = { minimumFractionDigits: budget.decimals, maximumFractionDigits: budget.decimals };
  return `${value.toLocaleString("en-US", digits)} ${budget.unit}`;
}

/** One row for every budget, in the order of the budgets. The value decides, not its rounded form. */
export function rows(outcomes: Report["outcomes"]): Row[] {
  return budgets.map((budget): Row => {
    const outcome = outcomes[budget.id] ?? { notMeasured: "this run did not get to it" };
    const common = { id: budget.id, title: budget.title, target: budget.target };
    if ("notMeasured" in outcome) {
      return { ...common, measured: "–", verdict: "not measured", note: outcome.notMeasured };
    }
    const kept = Number.isFinite(outcome.value) && outcome.value <= budget.limit;
    const measured = figure(outcome.value, budget);
    return { ...common, measured, verdict: kept ? "met" : "missed", note: outcome.note };
  });
}

/** The cells of all tables, header first; no table without a line. */
function cells(report: Report): string[][][] {
  const tables = [
    [
      ["budget", "target", "measured", "", "how"],
      ...rows(report.outcomes).map((r) => [r.title, r.target, r.measured, r.verdict, r.note]),
    ],
    [
      ["in the emulated camera", "64M", "38M"],
      ...report.guest.map((line) => [line.title, line.at64M, line.at38M]),
    ],
    [
      ["what one would run instead", "measured", "how"],
      ...report.comparisons.map((c) => [c.title, c.measured, c.note]),
    ],
    [
      ["where the camera's instructions go", "M/s", "a byte"],
      ...report.profile.map((p) => [p.title, p.millionsPerSecond.toFixed(2), p.perByte.toFixed(2)]),
    ],
  ];
  return tables.filter((table) => table.length > 1);
}

/** Where it was measured, one line. */
function heading(report: Report): string {
  return `${report.date}, ${report.machine}`;
}

/** For a terminal: aligned columns. */
export function plainTable(report: Report): string {
  const align = (table: string[][]) => {
    const widths = (table[0] ?? []).map((_, column) =>
      Math.max(...table.map((line) => line[column]?.length ?? 0)),
    );
    return table
      .map((line) => line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  "))
      .map((line) => line.trimEnd())
      .join("\n");
  };
  return `${[heading(report), ...cells(report).map(align)].join("\n\n")}\n`;
}

/** For the README: Markdown. */
export function markdownTable(report: Report): string {
  const markdown = ([header = [], ...body]: string[][]) =>
    [header, header.map(() => "---"), ...body]
      .map((line) => `| ${line.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
      .join("\n");
  return `${[`Measured ${heading(report)}:`, ...cells(report).map(markdown)].join("\n\n")}\n`;
}
