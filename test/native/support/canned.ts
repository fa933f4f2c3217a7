/** Runs ocellus-canned. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { command, type Program, scratch, type Variant } from "./programs.ts";
import { startReader } from "./ring.ts";

/** A running ocellus-canned. It is stopped with its test. */
export class Canned {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | NodeJS.Signals>;
  stderr = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exit = once(child, "close").then(([code, signal]) => signal ?? code);
  }

  /** Starts it and waits until it listens. */
  static async start(t: TestContext, variant: Variant, args: string[]): Promise<Canned> {
    const { file, before, env } = await command(variant, "ocellus-canned");
    const child = spawn(file, [...before, ...args], { env, stdio: ["ignore", "ignore", "pipe"] });
    const canned = new Canned(child);
    t.after(() => child.kill("SIGKILL"));
    await new Promise<void>((resolve, reject) => {
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        canned.stderr += text;
        if (canned.stderr.includes("\n")) resolve();
      });
      void canned.#exit.then((end) => reject(new Error(`ended (${end}): ${canned.stderr}`)));
    });
    return canned;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Exit status, or the signal that ended it, once it has ended. */
  exited(): Promise<number | NodeJS.Signals> {
    return this.#exit;
  }

  /** Sends a signal and gives the exit status. */
  stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    this.#child.kill(signal);
    return this.#exit;
  }
}

/** Runs it where it is expected to end by itself. */
export async function runCanned(...args: string[]) {
  const { file, before, env } = await command("asan", "ocellus-canned");
  const run = spawnSync(file, [...before, ...args], { env, encoding: "utf8", timeout: 30_000 });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

export interface RecordedFrame {
  seq: number;
  key: boolean;
  newConfig: boolean;
  generation: number;
  lost: number;
  captureUs: number;
  takenUs: number;
}

export interface Recording {
  /** How it ended. */
  end: string;
  /** An H.264 byte stream with the parameter sets before each frame that needs new ones. */
  stream: string;
  frames: RecordedFrame[];
}

/** Starts a reader and connects it. */
export async function attach(t: TestContext, socket: string, variant: Variant = "asan") {
  const reader = await startReader(t, variant);
  assert.match(await reader.ask(`connect ${socket} 0`), /^attached/);
  return reader;
}

/** Takes frames until the footage or the encoder ends, or `most` were taken. */
export async function record(t: TestContext, reader: Program, most = 1e6): Promise<Recording> {
  const directory = scratch(t);
  const stream = join(directory, "stream.h264");
  const times = join(directory, "times");
  const end = await reader.ask(`record ${most} ${stream} ${times}`);
  const lines = readFileSync(times, "utf8").trimEnd().split("\n").filter(Boolean);
  const frames = lines.map((line) => {
    const [seq = 0, flags = 0, generation = 0, lost = 0, captureUs = 0, takenUs = 0] = line
      .split(" ")
      .map(Number);
    const key = (flags & 1) !== 0;
    const newConfig = (flags & 4) !== 0;
    return { seq, key, newConfig, generation, lost, captureUs, takenUs };
  });
  return { end, stream, frames };
}
