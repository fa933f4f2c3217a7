/** Running other programs: captured, or logged to a file with their failure explained. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { packageOfTool } from "../setup/packages.mjs";
import { diskFull, errorCode, Problem } from "./problem.mjs";

/** Lines of a failed step's log shown to the user, at most. */
const TAIL_LINES = 20;
/**
 * A step that failed with less free space than this failed for want of space: tools remove what
 * they could not finish, and not all of them say why.
 */
const FULL_BYTES = 32 << 20;

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd] working directory
 * @property {Record<string, string | undefined>} [env] added to this process's environment;
 *   undefined removes a variable
 * @property {string} [log] file that standard output and error are appended to; without it both are
 *   discarded
 */

/**
 * @typedef {object} Captured
 * @property {number} code exit status; 128 + signal number is not formed, a signal counts as -1
 * @property {string} stdout
 * @property {string} stderr
 */

/**
 * @param {string} tool command that was not found
 * @returns {Problem}
 */
function missingTool(tool) {
  const debian = packageOfTool(tool);
  // Set-up brings Debian packages, and nothing that it needs itself.
  if (debian === undefined) {
    const hint = tool === "npm" ? " (it comes with Node)" : "";
    return new Problem(`the tool ${tool}${hint} is missing; install it, then run this again.`);
  }
  return new Problem(
    `the tool ${tool} (Debian package ${debian}) is missing; run \`make setup\`, then this again.`,
  );
}

/**
 * Runs a program to its end and keeps what it printed. A failure is for the caller to judge.
 * @param {string} tool
 * @param {readonly string[]} args
 * @param {RunOptions & { input?: string | Uint8Array }} [options] input: what it reads on standard input; without it nothing
 * @returns {Promise<Captured>}
 * @throws {Problem} if the program is not installed
 */
export function capture(tool, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    // What it does not read is not our trouble: its exit status tells.
    child.stdin?.on("error", () => {}).end(options.input);
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    child.on("error", (error) => reject(errorCode(error) === "ENOENT" ? missingTool(tool) : error));
    child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/**
 * Runs one step of a build; its output goes to the log.
 * @param {string} tool
 * @param {readonly string[]} args
 * @param {RunOptions & { log: string, only?: RegExp }} options `only`: names of the variables that it gets of this process's
 *   environment; all by default
 * @returns {Promise<void>}
 * @throws {Problem} if the program is missing or fails: the last lines of the log and its path
 */
export function step(tool, args, options) {
  const log = openSync(options.log, "a");
  /** @type {Promise<void>} */
  const ended = new Promise((resolve, reject) => {
    const child = spawn(tool, args, {
      cwd: options.cwd,
      env: { ...inherited(options.only), ...options.env },
      stdio: ["ignore", log, log],
    });
    child.on("error", (error) => reject(errorCode(error) === "ENOENT" ? missingTool(tool) : error));
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(failure(tool, options.log, options.cwd));
    });
  });
  return ended.finally(() => closeSync(log));
}

/** @param {RegExp} [only] */
function inherited(only) {
  if (only === undefined) return process.env;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => only.test(name)));
}

/**
 * @param {string} tool
 * @param {string} log
 * @param {string | undefined} cwd
 * @returns {Problem}
 */
function failure(tool, log, cwd) {
  const text = readFileSync(log, "utf8");
  // On a full disk the tool's own words may not have made it into the log.
  const full = [log, cwd ?? log].some((place) => isFull(place));
  if (full || /No space left on device/.test(text)) return diskFull(dirname(log));
  const lines = text.trimEnd().split("\n");
  // With several jobs at once the errors are not always last.
  const errors = lines.filter((line) => /\berror: |undefined reference/i.test(line));
  const tail = (errors.length > 0 ? errors : lines).slice(-TAIL_LINES).join("\n");
  return new Problem(`${tool} failed; ${log} says why:`, tail);
}

/**
 * @param {string} place
 * @returns {boolean} whether its file system has no room left
 */
function isFull(place) {
  if (!existsSync(place)) return false;
  const { bavail, bsize } = statfsSync(place);
  return bavail * bsize < FULL_BYTES;
}
