/**
 * A supervisor for one process, as a camera's init is one: starts it again when it fails, later each time.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Problem } from "../build/problem.mjs";

/** How a process ended and what the supervisor did. */
export interface Exit {
  /** Exit status; null where a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** How long it ran. */
  readonly lived_ms: number;
}

/** What is supervised. */
export interface Program {
  /** For messages. */
  readonly name: string;
  /** The command for a start; `reason` is one line that says why it is started. */
  readonly command: (reason: string) => readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Told each line that it writes to standard error. */
  readonly onLine: (line: string) => void;
  /** Told of each end; "again" where it is started again. */
  readonly onExit?: (exit: Exit, then: "again" | "over") => void;
  /** Whether an end is final; a start after any other is at once ("reboot") or after a while ("again"). */
  readonly judge: (exit: Exit) => "over" | "again" | "reboot";
}

/** Waits between a failure and the next start; doubled by each further failure. */
const BACK_OFF_MS = 500;
const BACK_OFF_MAX_MS = 30_000;
/** A process that lived so long is healthy: the next failure counts as the first. */
const HEALTHY_MS = 60_000;
/** From SIGTERM to SIGKILL. The agent's own limit is 5 s. */
const STOP_MS = 8_000;

/** A running supervisor. */
export class Supervisor {
  readonly #program: Program;
  #child: ChildProcess | null = null;
  #started_ms = 0;
  #failures = 0;
  #timer: NodeJS.Timeout | null = null;
  #stopping = false;
  #over: Exit | null = null;
  readonly #waiting = new Set<() => void>();

  constructor(program: Program) {
    this.#program = program;
    this.#start("power");
  }

  /** The running process, or null between two. Where a wrapper runs it (qemu, setpriv), they have one pid. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** How it ended for good; null while it is supervised. */
  get over(): Exit | null {
    return this.#over;
  }

  /** Resolves once it has ended for good. */
  async ended(): Promise<Exit | null> {
    while (!this.#over && !this.#stopping) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    return this.#over;
  }

  /** Sends the running process a signal, and lets the supervisor do what it does then. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it for good: SIGTERM, and SIGKILL if that takes too long. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#wake();
    const child = this.#child;
    if (!child) return;
    const gone = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGTERM");
    const hurry = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await gone;
    clearTimeout(hurry);
  }

  #start(reason: string): void {
    const [command = "", ...args] = this.#program.command(reason);
    const { cwd, env } = this.#program;
    this.#timer = null;
    this.#started_ms = Date.now();
    // In a process group of its own: a terminal's Ctrl-C is for us, who then stop it in order.
    const child = spawn(command, args, {
      ...{ cwd, env: env ?? process.env, detached: true },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    createInterface({ input: child.stderr }).on("line", this.#program.onLine);
    child.once("error", (error) => {
      this.#program.onLine(`${this.#program.name} cannot be started: ${error.message}`);
      this.#ended({ status: 127, signal: null, lived_ms: 0 });
    });
    child.once("close", (status, signal) => {
      if (this.#child !== child) return;
      this.#ended({ status, signal, lived_ms: Date.now() - this.#started_ms });
    });
  }

  #ended(exit: Exit): void {
    this.#child = null;
    const verdict = this.#stopping ? "over" : this.#program.judge(exit);
    this.#program.onExit?.(exit, verdict === "over" ? "over" : "again");
    if (verdict === "over") {
      this.#over = exit;
      this.#wake();
      return;
    }
    if (verdict === "reboot") {
      this.#failures = 0;
      this.#start("reboot command");
      return;
    }
    this.#failures = exit.lived_ms > HEALTHY_MS ? 1 : this.#failures + 1;
    const wait_ms = Math.min(BACK_OFF_MAX_MS, BACK_OFF_MS * 2 ** (this.#failures - 1));
    this.#timer = setTimeout(() => this.#start(`crash: ${showExit(exit)}`), wait_ms);
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** How it ended, for people. */
export function showExit({ status, signal }: Exit): string {
  return signal ? `killed by ${signal}` : `exit status ${status}`;
}

/** Why a program that had to go on did not. */
export function unasked(name: string, exit: Exit, lastLine: string): Problem {
  return new Problem(`${name} ended unasked (${showExit(exit)}): ${lastLine || "without a word"}`);
}
