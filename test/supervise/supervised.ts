/**
 * Runs ocellus-supervise with shell scripts in place of agent and encoder, and tells what became of it.
 *
 * In a script of the agent `$3` is the reason of its start; a byte to descriptor 3 is a sign of life.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ensure } from "../../scripts/build/ensure.mjs";
import { AGENT_USER, ENCODER } from "../../scripts/camera/accounts.ts";
import { isRoot, scratch } from "../host/support/camera.ts";
import { SANITIZERS } from "../native/support/programs.ts";

export type Variant = "host" | "asan" | "mipsel";

const own = `${process.getuid?.()}:${process.getgid?.()}`;
/** Whom the two run as: users of their own where we are root. */
export const USERS = isRoot
  ? { agent: AGENT_USER, encoder: `${ENCODER.uid}:${ENCODER.gid}` }
  : { agent: own, encoder: own };

/** A wait for something that must happen; only a hang takes so long. */
const PATIENCE_MS = 60_000;

/** Limits of time, ms; each is out of the way unless a test says otherwise. */
export interface Times {
  readonly first?: number;
  readonly longest?: number;
  readonly healthy?: number;
  readonly hung?: number;
  readonly hungFirst?: number;
  readonly stop?: number;
  readonly silence?: number;
  readonly useless?: number;
  readonly uselessLongest?: number;
}

export interface Given {
  readonly variant?: Variant;
  /** `null`: the real program, with the camera's own limits. */
  readonly times?: Times | null;
  readonly args?: readonly string[];
  /** Shell scripts; or whole commands. */
  readonly agent?: string | readonly string[];
  readonly encoder?: string | readonly string[];
  /** Goes on with that directory. */
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly under?: readonly string[];
}

/** Lives, and gives a sign of life ten times a second. */
export const LIVES = "trap 'exit 0' TERM; echo up >&2; while :; do printf . >&3; sleep 0.1; done";
/** An encoder that runs until SIGTERM. */
export const RUNS = "trap 'exit 0' TERM; echo runs >&2; while :; do sleep 0.1; done";

function commandOf(script: string | readonly string[]): readonly string[] {
  return typeof script === "string" ? ["/bin/sh", "-c", script] : script;
}

export class Supervised {
  readonly directory: string;
  /** What --run names. */
  readonly run: string;
  /** Made by a restart of the machine. */
  readonly restarted: string;
  readonly child: ChildProcess;
  /** Everything on standard error so far, which is the log. */
  log = "";
  readonly #exit: Promise<number | NodeJS.Signals>;

  private constructor(directory: string, run: string, command: readonly string[], given: Given) {
    const [file = "", ...args] = command;
    const t = given.times ?? {};
    const times = [t.first ?? 50, t.longest ?? 400, t.healthy ?? 600_000, t.hung ?? 600_000];
    times.push(t.hungFirst ?? 600_000, t.stop ?? 60_000, t.silence ?? 600_000);
    times.push(t.useless ?? 600_000, t.uselessLongest ?? 600_000);
    this.directory = directory;
    this.run = run;
    this.restarted = join(directory, "restarted");
    const env = { OCELLUS_TIMES_MS: times.join(), OCELLUS_RESTARTED: this.restarted };
    this.child = spawn(file, args, {
      cwd: directory,
      env: { ...process.env, ...SANITIZERS, ...env, ...given.env },
      // Descriptors 3 to 5 are what a careless starter might leave open.
      stdio: ["ignore", "ignore", "pipe", 2, 2, 2],
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
    this.#exit = once(this.child, "exit").then(([code, signal]) => signal ?? code);
  }

  /** Starts one that ends with the test. */
  static async start(t: TestContext, given: Given = {}): Promise<Supervised> {
    const directory = scratch(t);
    const run = given.run ?? join(directory, "run");
    const variant = given.variant ?? "asan";
    const name = given.times === null ? "ocellus-supervise" : "supervise_rehearsal";
    const program = join(await ensure(`native-${variant}`), "bin", name);
    const supervised = new Supervised(
      directory,
      run,
      [
        ...(given.under ?? []),
        ...(variant === "mipsel" ? ["qemu-mipsel"] : []),
        ...[program, "--run", run, ...(given.args ?? [])],
        ...["--", "agent", USERS.agent, ...commandOf(given.agent ?? LIVES)],
        ...["--", "encoder", USERS.encoder, ...commandOf(given.encoder ?? RUNS)],
      ],
      given,
    );
    t.after(() => supervised.kill());
    return supervised;
  }

  /** Resolves once the log matches; fails where the supervisor ends first. */
  async said(pattern: RegExp, times = 1): Promise<void> {
    const all = new RegExp(pattern.source, "g");
    await this.until(`${times} × ${pattern}`, () => [...this.log.matchAll(all)].length >= times);
  }

  /** Resolves once `done`; fails after a minute, or where the supervisor ends first. */
  async until(what: string, done: () => boolean): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (!done()) {
      assert.ok(performance.now() < end, `not reached: ${what}\n${this.log}`);
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        await sleep(200);
        assert.ok(done(), `ended before ${what}\n${this.log}`);
      }
      await sleep(10);
    }
  }

  /** A file of its directory, "" where it is not there. */
  file(name: string): string {
    const path = join(this.run, name);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  /** SIGTERM; waits for its end and demands 0. */
  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    await this.ended(0);
  }

  async ended(status: number | NodeJS.Signals): Promise<void> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), PATIENCE_MS);
    const actual = await this.#exit;
    clearTimeout(timer);
    assert.equal(actual, status, this.log);
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.#exit;
  }

  /** Numbers that lines "NAME pid N" told, oldest first. */
  pids(name: string): number[] {
    return [...this.log.matchAll(new RegExp(`${name} pid (\\d+)`, "g"))].map((m) => Number(m[1]));
  }
}

/** Whether a process runs (a zombie does not). */
export function runs(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
