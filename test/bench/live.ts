/**
 * The shipped mipsel program as it runs: under qemu-mipsel, in real or compressed time, with the encoder
 * as a process of its own and the development cloud at the other end of real sockets.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { toHex } from "../../agent/identity/encoding.ts";
import { ensure } from "../../scripts/build/ensure.mjs";
import { AGENT, AGENT_USER, canSeparate } from "../../scripts/camera/accounts.ts";
import { startCloud } from "../../scripts/cloud/cloud.ts";
import type { LoggedRequest } from "../../scripts/cloud/store/log.ts";
import { type Counts, parseCounts } from "./counter.ts";
import { type GuestMemory, guestMemory, mappedAt } from "./guest-memory.ts";
import { benchCamera, writePairedState } from "./paired.ts";

export interface LiveOptions {
  readonly clip: string;
  readonly clipSeconds: number;
  readonly loops: number;
  /** Times real time. */
  readonly rate: number;
  readonly queueBytes: number;
  /** What is looked at; only one, since each slows the emulation. */
  readonly look: "instructions" | "memory" | "nothing";
}

export interface LiveRun {
  /** Answered PUTs, in order. */
  readonly puts: readonly LoggedRequest[];
  /** null where they were not looked at. */
  readonly counts: Counts | null;
  /** About ten looks, evenly over the footage; empty where it was not looked at. */
  readonly memory: readonly GuestMemory[];
}

/** The group of the camera, which gives up root if it has it. */
const GROUP = canSeparate() ? `${AGENT.gid}` : `${process.getgid?.() ?? 0}`;
const LOOKS = 10;
const STOP_MS = 20_000;

function stopped(child: ChildProcess): Promise<unknown> {
  return child.exitCode === null && child.signalCode === null
    ? once(child, "close")
    : Promise.resolve();
}

/** Asks a process to end, and insists after a while. Its exit status. */
async function stop(child: ChildProcess): Promise<number | null> {
  child.kill("SIGTERM");
  const patience = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await stopped(child);
  clearTimeout(patience);
  return child.exitCode;
}

/** Plays the clip to its end, then stops the camera, which uploads what is left. */
export async function runLive(options: LiveOptions): Promise<LiveRun> {
  const directory = mkdtempSync(join(tmpdir(), "ocellus-live-"));
  // The camera gives up root, if it has it, and must still find the door.
  chmodSync(directory, 0o711);
  const cloud = await startCloud({ state: join(directory, "cloud") });
  const children: ChildProcess[] = [];
  try {
    const access = await cloud.addCamera({ camera: toHex(benchCamera().owner.camera) });
    writePairedState(join(directory, "state"), access);
    const encoder = await startEncoder(options, directory);
    children.push(encoder);
    const camera = await startCamera(options, directory);
    children.push(camera);
    const memory = await watch(options, directory, camera);
    if ((await stop(camera)) !== 0) throw new Error(`the camera failed: ${said.get(camera) ?? ""}`);
    const counts =
      options.look === "instructions"
        ? parseCounts(readFileSync(join(directory, "counts"), "utf8"), "")
        : null;
    const puts = cloud.store.log.entries.filter((r) => r.method === "PUT" && r.status === 200);
    return { puts, counts, memory };
  } finally {
    for (const child of children) await stop(child);
    await cloud.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The end of what each process wrote to standard error. */
const said = new WeakMap<ChildProcess, string>();

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { PATH: process.env.PATH },
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said.set(child, `${said.get(child) ?? ""}${text}`.slice(-2000));
  });
  return child;
}

async function startEncoder(options: LiveOptions, directory: string): Promise<ChildProcess> {
  const door = join(directory, "door");
  const encoder = start(join(await ensure("native-host"), "bin/ocellus-canned"), [
    ...["--clip", options.clip, "--socket", door, "--wait", "--group", GROUP],
    ...["--loops", `${options.loops}`, "--rate", `${options.rate}`],
  ]);
  for (let waited = 0; !existsSync(door); waited += 50) {
    if (waited > 5000) throw new Error(`the encoder does not start: ${said.get(encoder) ?? ""}`);
    await sleep(50);
  }
  return encoder;
}

async function startCamera(options: LiveOptions, directory: string): Promise<ChildProcess> {
  const program = join(await ensure("native-mipsel"), "bin/ocellus-camera");
  const bytecode = join(await ensure("bytecode"), "agent.bin");
  const plugin = join(await ensure("bench-counter"), "count.so");
  const look = {
    instructions: ["-plugin", `${plugin},out=${join(directory, "counts")}`],
    memory: ["-strace", "-D", join(directory, "strace")],
    nothing: [],
  }[options.look];
  return start("qemu-mipsel", [
    ...[...look, program, "--bytecode", bytecode, "--state", join(directory, "state")],
    ...["--door", join(directory, "door"), "--queue-bytes", `${options.queueBytes}`],
    ...(canSeparate() ? ["--user", AGENT_USER] : []),
  ]);
}

async function watch(
  options: LiveOptions,
  directory: string,
  camera: ChildProcess,
): Promise<GuestMemory[]> {
  const memory: GuestMemory[] = [];
  const wholeMs = (options.clipSeconds * options.loops * 1000) / options.rate;
  const queueOf = () =>
    mappedAt(readFileSync(join(directory, "strace"), "utf8").slice(0, 1 << 20), options.queueBytes);
  for (let look = 1; look <= LOOKS; look++) {
    await sleep(wholeMs / LOOKS);
    if (camera.exitCode !== null) throw new Error(`the camera ended: ${said.get(camera) ?? ""}`);
    if (options.look !== "memory" || camera.pid === undefined) continue;
    const queue = queueOf();
    if (queue === null) throw new Error("the camera's arena was not found");
    memory.push(guestMemory(camera.pid, "ocellus-camera", queue));
  }
  await sleep(1000);
  return memory;
}
