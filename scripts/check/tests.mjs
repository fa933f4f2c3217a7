/** `node scripts/check/tests.mjs [FILE…]`: runs all tests, or those given, with node's test runner. */
import { spawn } from "node:child_process";
import { checkout } from "../build/ensure.mjs";
import { exitWith, Problem } from "../build/problem.mjs";
import { printUnpinned } from "../build/unpinned.mjs";
import { checkoutFiles } from "./files.mjs";

/** Test files at once. Many of them run cameras in real time, which a busy machine would disturb. */
const CONCURRENCY = 2;
/** A file that takes longer hangs. */
const FILE_TIMEOUT_MS = 15 * 60 * 1000;

try {
  const given = process.argv.slice(2);
  const files = given.length > 0 ? given : await checkoutFiles(checkout, ["test/**.test.ts"]);
  if (files.length === 0) throw new Problem("there are no tests.");
  const args = [
    ...["--import", "tsx", "--test", "--test-reporter=spec"],
    ...[`--test-concurrency=${CONCURRENCY}`, `--test-timeout=${FILE_TIMEOUT_MS}`],
  ];
  const tests = spawn(process.execPath, [...args, ...files], { cwd: checkout, stdio: "inherit" });
  tests.on("close", (code) => {
    printUnpinned();
    process.exitCode = code ?? 1;
  });
} catch (error) {
  exitWith(error);
}
