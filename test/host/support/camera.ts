/**
 * Runs ocellus-camera with a piece of JavaScript in place of the agent, and tells what became of it.
 *
 * The piece is an ordinary function of the test, so it is checked against the native contract. Its
 * text is what runs, in another engine and process: it sees its parameters and nothing else.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Encoder, Epoch, Native } from "../../../agent/runtime/native.d.ts";
import { ensure } from "../../../scripts/build/ensure.mjs";
import { AGENT_USER } from "../../../scripts/camera/accounts.ts";

/** Builds on which the contract is tested whole. */
export const variants = ["host", "asan"] as const;
/** And the camera's own code, under emulation. */
export const everywhere = [...variants, "mipsel"] as const;
export type Variant = (typeof everywhere)[number];

export const isRoot = process.getuid?.() === 0;
/** Root must say whom the camera becomes. */
export const AS_USER: readonly string[] = isRoot ? ["--user", AGENT_USER] : [];

/** Milliseconds after which a camera that did not end, or did not say what it should, fails its test. */
const END_MS = 60_000;

/** Findings end the program with a status that nothing else has; leaks are findings. */
const SANITIZERS = {
  ASAN_OPTIONS: "exitcode=99:detect_leaks=1:detect_stack_use_after_return=1",
  UBSAN_OPTIONS: "exitcode=99:halt_on_error=1:print_stacktrace=1",
};

/** What a piece of JavaScript gets beside the contract. */
export interface Tools {
  /** Leaves a value for `Camera.result`; JSON of at most 65,536 bytes. */
  out(name: string, value: unknown): void;
  hex(bytes: Uint8Array): string;
  unhex(text: string): Uint8Array;
  /** What the call throws, as "RangeError: …", or "nothing". */
  thrown(call: () => unknown): string;
  /** The encoder behind the door, whose frames nobody takes. The caller closes it. */
  idleEncoder(): Encoder;
  /** An epoch for this X25519 key, by default for one that nobody holds. The caller closes it. */
  openEpoch(key?: Uint8Array): Epoch;
}

/** Its text runs in the camera. */
function makeTools(native: Native): Tools {
  return {
    out(name, value) {
      const failed = native.writeState(name, native.utf8Encode(JSON.stringify(value)));
      if (failed) throw new Error(failed.text);
    },
    hex: (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    unhex: (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
    thrown(call) {
      try {
        call();
      } catch (error) {
        return String(error);
      }
      return "nothing";
    },
    idleEncoder() {
      const encoder = native.openEncoder(0, {
        readable: () => undefined,
        reply: () => undefined,
        closed: () => undefined,
      });
      if ("error" in encoder) throw new Error(encoder.text);
      return encoder;
    },
    openEpoch(key = native.boxKeypair().publicKey) {
      const epoch = native.openEpoch([key]);
      if ("error" in epoch) throw new Error(epoch.text);
      return epoch;
    },
  };
}

export type Agent<G> = (native: Native, given: G, tools: Tools) => unknown;

export interface CameraOptions<G> {
  variant: Variant;
  /** Handed to the agent as JSON. */
  given?: G;
  /** Further arguments of the command line; a `--user` among them is heeded in place of `AS_USER`. */
  args?: readonly string[];
  /** A state directory that the caller removes; default: one of its own. */
  state?: string;
  /** Socket of an encoder. */
  door?: string;
  /** Started by this, e.g. a program that takes system calls away. */
  under?: readonly string[];
}

/** A private directory, removed with the test, that every user may look into. */
export function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "ocellus-"));
  chmodSync(directory, 0o755);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export async function program(variant: Variant): Promise<string[]> {
  const path = join(await ensure(`native-${variant}`), "bin/ocellus-camera");
  return variant === "mipsel" ? ["qemu-mipsel", path] : [path];
}

/** Text of a module that runs the agent. */
export function moduleText<G>(agent: Agent<G>, given?: G): string {
  // esbuild, which transpiles tests, marks functions with __name.
  return [
    "const __name = (f) => f;",
    `const tools = (${makeTools.toString()})(native);`,
    `(${agent.toString()})(native, ${JSON.stringify(given ?? null)}, tools);`,
  ].join("\n");
}

export class Camera {
  readonly state: string;
  readonly child: ChildProcess;
  /** Everything on standard error so far. */
  log = "";
  #exit: Promise<number | NodeJS.Signals>;

  constructor(command: readonly string[], state: string) {
    const [file = "", ...args] = command;
    this.state = state;
    this.child = spawn(file, args, {
      env: { ...process.env, ...SANITIZERS },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
    this.#exit = once(this.child, "close").then(([code, signal]) => signal ?? code);
  }

  /** Waits for its end and demands that status. */
  async ended(status: number | NodeJS.Signals): Promise<void> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), END_MS);
    const actual = await this.#exit;
    clearTimeout(timer);
    assert.equal(actual, status, this.log);
    assert.doesNotMatch(this.log, / defect: /);
  }

  /** Resolves once a line of the log matches; fails where the camera ends first. */
  async said(pattern: RegExp): Promise<void> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), END_MS);
    while (!pattern.test(this.log)) {
      const more = this.child.stderr ? once(this.child.stderr, "data") : this.#exit;
      const end = this.#exit.then((status) =>
        assert.fail(`ended (${status}) without ${pattern}: ${this.log}`),
      );
      await Promise.race([more, end]);
    }
    clearTimeout(timer);
  }

  /** Kills it if it still runs. */
  async stop(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.#exit;
  }

  /** A file that the agent left with `out`. */
  result<T>(name: string): T {
    return JSON.parse(readFileSync(join(this.state, name), "utf8"));
  }
}

/** Starts a camera that ends with the test. */
export async function start<G>(
  t: TestContext,
  options: CameraOptions<G>,
  agent: Agent<G>,
): Promise<Camera> {
  const directory = scratch(t);
  const state = options.state ?? join(directory, "state");
  const bundle = join(directory, "agent.mjs");
  writeFileSync(bundle, moduleText(agent, options.given));
  const camera = new Camera(
    [
      ...(options.under ?? []),
      ...(await program(options.variant)),
      ...["--bundle", bundle, "--state", state, ...AS_USER],
      ...["--door", options.door ?? join(directory, "no-door"), ...(options.args ?? [])],
    ],
    state,
  );
  t.after(() => camera.stop());
  return camera;
}

/** Runs a camera until the agent ends it with status 0. */
export async function run<G>(
  t: TestContext,
  options: CameraOptions<G>,
  agent: Agent<G>,
): Promise<Camera> {
  const camera = await start(t, options, agent);
  await camera.ended(0);
  return camera;
}

/** Runs the program with a command line and nothing else. @param under as in `CameraOptions`. */
export async function runBare(
  args: readonly string[],
  under: readonly string[] = [],
): Promise<{ status: number; text: string }> {
  const [file = "", ...before] = [...under, ...(await program("host"))];
  try {
    const text = execFileSync(file, [...before, ...args], { encoding: "utf8", stdio: "pipe" });
    return { status: 0, text };
  } catch (error) {
    assert.ok(error instanceof Error && "status" in error && "stderr" in error);
    return { status: Number(error.status), text: String(error.stderr) };
  }
}
