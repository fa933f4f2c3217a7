/**
 * Runs the C test programs of this folder: as separate processes, sanitized (`asan`) or as the
 * device's own code under emulation (`mipsel`), and talks to them line by line.
 */
import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ensure } from "../../../scripts/build/ensure.mjs";

/** What the programs were built for. */
export type Variant = "asan" | "mipsel";

/** Milliseconds after which a silent program fails its test. */
const ANSWER_MS = 30_000;

/** Commands that run a variant's programs; empty where they run by themselves. */
const RUNNERS: Record<Variant, readonly string[]> = { asan: [], mipsel: ["qemu-mipsel"] };

/** Sanitizers end a program at the first finding, leaks included, with a status of their own. */
export const SANITIZERS = {
  ASAN_OPTIONS: "exitcode=99:detect_leaks=1:detect_stack_use_after_return=1",
  UBSAN_OPTIONS: "exitcode=99:halt_on_error=1:print_stacktrace=1",
};

/** How to run a program of a variant, which is built if need be. */
export async function command(variant: Variant, name: string) {
  const program = join(await ensure(`native-${variant}`), "bin", name);
  const [file = "", ...before] = [...RUNNERS[variant], program];
  return { file, before, env: { ...process.env, ...SANITIZERS } };
}

/** Programs of each test still to be ended. */
const ofTest = new WeakMap<TestContext, Program[]>();

/** Has all programs of a test ended with it, each of them whatever became of the others. */
function endWith(t: TestContext, program: Program) {
  const known = ofTest.get(t);
  if (known) {
    known.push(program);
    return;
  }
  const programs = [program];
  ofTest.set(t, programs);
  t.after(async () => {
    const ends = await Promise.allSettled(programs.map((each) => each.end()));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  });
}

/** A running program that answers one line to each line. */
export class Program {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string | null) => void)[] = [];
  readonly #exit: Promise<number | NodeJS.Signals>;
  #partial = "";
  #expectedEnd: NodeJS.Signals | number = 0;
  /** Everything written to standard error so far. */
  stderr = "";

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#exit = once(child, "close").then(([code, signal]) => signal ?? code);
    void this.#exit.then(() => {
      for (const waiting of this.#waiting.splice(0)) waiting(null);
    });
    child.stdin.on("error", () => undefined); // its end shows by #exit
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => this.#take(text));
  }

  /**
   * Starts a program; it is ended with the test, which fails if the program did not end as it should:
   * with status 0 and nothing on standard error, or by the signal it was killed with.
   */
  static async start(t: TestContext, variant: Variant, name: string, args: string[] = []) {
    const { file, before, env } = await command(variant, name);
    const program = new Program(spawn(file, [...before, ...args], { env, stdio: "pipe" }));
    endWith(t, program);
    return program;
  }

  #take(text: string) {
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() ?? "";
    for (const line of lines) {
      const waiting = this.#waiting.shift();
      if (waiting) waiting(line);
      else this.#lines.push(line);
    }
  }

  /** The next line of its output. Fails if the program ends or keeps silent instead. */
  async line(): Promise<string> {
    const ready = this.#lines.shift();
    if (ready !== undefined) return ready;
    let timer: NodeJS.Timeout | undefined;
    const line = await new Promise<string | null>((resolve) => {
      this.#waiting.push(resolve);
      timer = setTimeout(() => resolve("(silent)"), ANSWER_MS);
    });
    clearTimeout(timer);
    assert.notEqual(line, "(silent)", `no answer; standard error: ${this.stderr}`);
    if (line === null)
      assert.fail(`ended instead of answering (${await this.#exit}): ${this.stderr}`);
    return line;
  }

  /** Sends a line and gives the answer. */
  ask(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`);
    return this.line();
  }

  /** Kills it and waits until it is gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#expectedEnd = signal;
    this.#child.kill(signal);
    await this.#exit;
  }

  /** Process number. */
  get pid(): number {
    assert.ok(this.#child.pid !== undefined, "did not start");
    return this.#child.pid;
  }

  /** Waits until it has ended by itself, with this status. */
  async exited(status: number): Promise<void> {
    this.#expectedEnd = status;
    assert.equal(await this.#exit, status, this.stderr);
  }

  /** Stops or continues it (SIGSTOP, SIGCONT). */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends its input and checks how it ended. One that does not end is killed, which is a failure. */
  async end(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), ANSWER_MS);
    const end = await this.#exit;
    clearTimeout(timer);
    assert.equal(end, this.#expectedEnd, this.stderr);
    if (this.#expectedEnd === 0) assert.equal(this.stderr, "");
  }
}

/** A directory of the test's own, short enough for socket paths, removed afterwards. */
export function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "ocellus-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
