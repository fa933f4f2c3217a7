/** The `ocellus` program as a process of its own, as a user's shell runs it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { until } from "./until.ts";

export const OCELLUS = fileURLToPath(new URL("../../../scripts/ocellus.mjs", import.meta.url));

/** How it ended and all it wrote. */
export interface Ended {
  /** Null where a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** OCELLUS_HOME. */
  readonly home?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** All of its standard input, which then ends; none by default. */
  readonly input?: string;
}

/** One that runs. */
export interface Running {
  readonly child: ChildProcess;
  /** Written so far, both streams, without what only moves a terminal's cursor. */
  output(): string;
  /** Waits until what it wrote matches; where that does not come, it is killed. */
  says(pattern: RegExp, within_ms?: number): Promise<void>;
  readonly ended: Promise<Ended>;
}

/** Starts it. The caller sees to its end. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  const running = startProgram(process.execPath, [OCELLUS, ...args], options);
  running.child.stdin?.end(options.input ?? "");
  return running;
}

/** Starts a program with its standard input open. */
export function startProgram(
  program: string,
  args: readonly string[],
  { home, env, cwd }: RunOptions,
): Running {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...(home === undefined ? {} : { OCELLUS_HOME: home }), ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  // It may end without having read what it was given.
  child.stdin.on("error", () => undefined);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  let over = false;
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => {
      over = true;
      // Of the machine the tests run on, not of what was asked.
      resolve({ status, stdout, stderr: stderr.replace(/^ocellus: unpinned: .*\n/gm, "") });
    });
  });
  const output = () => stripVTControlCharacters(`${stdout}${stderr}`);
  return {
    child,
    output,
    says: (pattern, within_ms = 60_000) =>
      until(
        `${pattern} from ${args.join(" ")}`,
        () => {
          if (pattern.test(output())) return true;
          assert.ok(!over, `it ended without ${pattern}:\n${output()}`);
          return false;
        },
        within_ms,
        output,
      ).catch((error: unknown) => {
        child.kill("SIGKILL");
        throw error;
      }),
    ended,
  };
}

/** Runs it to its end. */
export function ocellus(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return start(args, options).ended;
}

/** Runs it, which must succeed. @returns what it printed. */
export async function succeeds(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await ocellus(args, options);
  assert.equal(status, 0, `ocellus ${args.join(" ")}:\n${stdout}${stderr}`);
  return stdout;
}

/** Runs it with --json, which must succeed and print nothing else. @returns the value. */
export async function json(args: readonly string[], options: RunOptions = {}): Promise<unknown> {
  return JSON.parse(await succeeds([...args, "--json"], options));
}

/** One sentence on standard error with this status, nothing on standard output, no stack. */
export function assertSentence(ended: Ended, status: 1 | 2, sentence: RegExp): void {
  const told = JSON.stringify(ended);
  assert.equal(ended.status, status, told);
  assert.equal(ended.stdout, "", told);
  assert.match(ended.stderr, /^ocellus: [^\n]+\.\n$/, told);
  assert.match(ended.stderr, sentence);
}

/** The keys of an object, and of the first object in each of its lists, as `name` and `list[].name`. */
export function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return fieldsOf(value[0]).map((name) => `[].${name}`);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    name,
    ...(Array.isArray(inner) ? fieldsOf(inner).map((deeper) => `${name}${deeper}`) : []),
  ]);
}
