/** What a run of the benchmark collects: an outcome for each budget, figures for bench.json, and what went wrong. */
import { withProgress } from "../../scripts/build/progress.mjs";
import type { BudgetId } from "./budgets.ts";
import type { GuestLine, Outcome, ProfileLine } from "./table.ts";

/** What comes with later parts of the product. */
const LATER: Partial<Record<BudgetId, Outcome>> = {
  "live-latency": { notMeasured: "comes with the live view" },
};

export class Ledger {
  readonly outcomes: Partial<Record<BudgetId, Outcome>> = { ...LATER };
  /** Further figures for bench.json: whoever optimises looks here. */
  readonly details: Record<string, unknown> = {};
  readonly failures: string[] = [];
  profile: readonly ProfileLine[] = [];
  guest: readonly GuestLine[] = [];

  /** Runs one measurement; where it fails, the rows it owes say why and the others go on. */
  async step<T>(
    what: string,
    owes: readonly BudgetId[],
    work: () => Promise<T>,
  ): Promise<T | null> {
    try {
      return await withProgress(what, work);
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.failures.push(`${what}: ${text}`);
      const [why = ""] = (error instanceof Error ? error.message : text).split("\n");
      for (const id of owes) this.outcomes[id] ??= { notMeasured: `failed: ${why.slice(0, 160)}` };
      return null;
    }
  }
}
