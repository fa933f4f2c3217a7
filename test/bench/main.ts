/**
 * `make bench`: measures the budgets, prints them as a table, and keeps all figures in build/bench.json.
 *
 *   make bench                   the table for the terminal
 *   make bench TABLE=markdown    the table for the README
 *   make bench TABLE=last        the Markdown table of the last run, without measuring
 *
 * OCELLUS_BENCH_SOAK_H=24 soaks for 24 hours of footage (hours of work). OCELLUS_BENCH_RATE=1 looks at
 * memory in real time. FOOTAGE=file counts on that H.264 file (Annex B, as a camera makes it) instead of
 * the clip made for it; live runs keep theirs.
 *
 * Exit status 1 where something that can be measured here could not; a missed budget is in the table.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkout, ensure } from "../../scripts/build/ensure.mjs";
import { exitWith } from "../../scripts/build/problem.mjs";
import { markdownTable, plainTable } from "./table.ts";

const FILE = join(checkout, "build/bench.json");
const table = process.argv[2] ?? "plain";

async function main(): Promise<void> {
  if (table === "last") {
    process.stdout.write(markdownTable(JSON.parse(readFileSync(FILE, "utf8")).report));
    return;
  }
  // What is loaded below imports the generated messages.
  await ensure("proto");
  const { runBench } = await import("./bench.ts");
  const { report, details, failures } = await runBench();
  mkdirSync(join(checkout, "build"), { recursive: true });
  writeFileSync(FILE, `${JSON.stringify({ report, details }, null, 2)}\n`);
  process.stdout.write(table === "markdown" ? markdownTable(report) : plainTable(report));
  for (const failure of failures) process.stderr.write(`ocellus: bench: ${failure}\n`);
  if (failures.length > 0) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  exitWith(error);
}
