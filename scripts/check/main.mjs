/** `make check`: runs every check, shows what each found, and exits 1 if any found something. */
import { join } from "node:path";
import { boardNames, readBoard } from "../board/board.mjs";
import { checkout } from "../build/ensure.mjs";
import { exitWith, Problem } from "../build/problem.mjs";
import { capture } from "../build/process.mjs";
import { staleBuildTime } from "./build-time.mjs";
import { checkoutFiles } from "./files.mjs";
import { forbiddenTexts } from "./texts.mjs";

/**
 * Runs a program that exits 0 if all is well.
 * @param {string} tool
 * @param {readonly string[]} args
 * @returns {Promise<string>} what it printed if not; empty if all is well
 */
async function finds(tool, args) {
  const { code, stdout, stderr } = await capture(tool, args, { cwd: checkout });
  return code === 0 ? "" : `${stdout}${stderr}`.trim() || `${tool} ended with status ${code}`;
}

const bin = (/** @type {string} */ name) => join(checkout, "node_modules/.bin", name);

/** Node's types must not reach the camera's code, where none of it exists. */
async function agentWithoutNode() {
  const { stdout } = await capture(bin("tsc"), ["-p", "agent", "--listFilesOnly"], {
    cwd: checkout,
  });
  const leaks = stdout.split("\n").filter((file) => file.includes("/@types/node/"));
  return leaks.length === 0 ? "" : `agent/ sees Node's types: ${leaks[0]}`;
}

async function badBoards() {
  return boardNames(checkout)
    .flatMap((name) => {
      try {
        readBoard(checkout, name);
        return [];
      } catch (error) {
        if (error instanceof Problem) return [error.message];
        throw error;
      }
    })
    .join("\n");
}

/** @type {readonly [name: string, check: () => Promise<string | {found: string, note?: string}>][]} */
const CHECKS = [
  ["format and lint", () => finds(bin("biome"), ["check", "--error-on-warnings", "."])],
  [
    "format of C",
    async () => {
      const files = await checkoutFiles(checkout, ["*.c", "*.h"]);
      return files.length === 0 ? "" : finds("clang-format", ["--dry-run", "-Werror", ...files]);
    },
  ],
  ["types", () => finds(bin("tsc"), ["-p", "."])],
  ["types of the agent", () => finds(bin("tsc"), ["-p", "agent"])],
  ["the agent's world", agentWithoutNode],
  ["boards", badBoards],
  ["build time", () => staleBuildTime(checkout)],
  ["texts", async () => (await forbiddenTexts(checkout)).join("\n")],
];

try {
  let failed = false;
  for (const [name, check] of CHECKS) {
    const result = await check();
    const { found, note } = typeof result === "string" ? { found: result } : result;
    const good = note === undefined ? "ok" : `ok; ${note}`;
    console.log(found === "" ? `  ${name}: ${good}` : `  ${name}: FAILED\n${found}`);
    failed ||= found !== "";
  }
  process.exitCode = failed ? 1 : 0;
} catch (error) {
  exitWith(error);
}
