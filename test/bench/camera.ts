/**
 * The camera under the counter: the mipsel program in its repeatable world (native/bench/world), on a
 * clip, for a while of its own time.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensure } from "../../scripts/build/ensure.mjs";
import { capture } from "../../scripts/build/process.mjs";
import { AGENT_USER, canSeparate } from "../../scripts/camera/accounts.ts";
import { type Counts, count } from "./counter.ts";
import { worldAccess, writePairedState } from "./paired.ts";

/** What went through the camera in the measured part; printed by native/bench/world/main.c. */
export interface Traffic {
  readonly seconds: number;
  readonly frames: number;
  /** Of access units as the ring stores them. */
  readonly frame_bytes: number;
  /** Likewise, before the measured part. */
  readonly frame_bytes_before: number;
  /** PUTs that the store answered. */
  readonly objects: number;
  readonly object_bytes: number;
  /** What the store's connection carried inside TLS, objects included. */
  readonly http_out: number;
  readonly http_in: number;
  /** Messages published to the broker. */
  readonly publishes: number;
  /** Bytes on the sockets, by server, both ways. */
  readonly store_wire_out: number;
  readonly store_wire_in: number;
  readonly broker_wire_out: number;
  readonly broker_wire_in: number;
  /** Of eight equal windows, bytes: most of the engine's heap. */
  readonly heap_high: readonly number[];
  /** Least of all that is allocated, and most of private mappings. Zeros but in a soak. */
  readonly allocated_low: readonly number[];
  readonly mapped_high: readonly number[];
}

export interface CameraRun {
  readonly counts: Counts;
  readonly traffic: Traffic;
}

/** A soak of 24 hours takes some. */
const LONGEST_MS = 12 * 3600 * 1000;
const QUEUE_BYTES = 8 << 20;

export interface RunOptions {
  /** Seconds before the measured part. */
  readonly warmS: number;
  readonly measureS: number;
  /** Existing directory that gets every object of the measured part, named by its path in the store. */
  readonly objects?: string;
  /** Counts allocations instead of instructions, which is several times as fast. */
  readonly soak?: boolean;
}

/** What is run; asked for once, so that runs that are compared are of the same build. */
export interface CameraBuild {
  readonly program: string;
  readonly soak: string;
  readonly bytecode: string;
}

export async function cameraBuild(): Promise<CameraBuild> {
  const programs = await ensure("bench-camera");
  return {
    program: join(programs, "ocellus-camera-bench"),
    soak: join(programs, "ocellus-camera-soak"),
    bytecode: join(await ensure("bytecode"), "agent.bin"),
  };
}

/** One run from a fresh paired state. */
export async function runCamera(
  build: CameraBuild,
  clip: string,
  options: RunOptions,
): Promise<CameraRun> {
  const program = options.soak === true ? build.soak : build.program;
  const directory = mkdtempSync(join(tmpdir(), "ocellus-bench-"));
  try {
    // The camera gives up root, if it has it, and must still find the door.
    chmodSync(directory, 0o711);
    const authority = await capture("qemu-mipsel", [program, "--authority"]);
    writePairedState(join(directory, "state"), worldAccess(authority.stdout));
    // The camera's process writes them, and may have given up root.
    if (options.objects !== undefined) chmodSync(options.objects, 0o777);
    const door = join(directory, "door");
    const world = [clip, door, `${options.warmS}`, `${options.measureS}`, options.objects ?? "-"];
    const camera = [
      "--bytecode",
      build.bytecode,
      "--state",
      join(directory, "state"),
      "--door",
      door,
    ];
    const user = canSeparate() ? ["--user", AGENT_USER] : [];
    const limits = ["--queue-bytes", `${QUEUE_BYTES}`, ...user];
    const counts = await count(program, [...world, ...camera, ...limits], {
      plugin: options.soak !== true,
      timeoutMs: LONGEST_MS,
    });
    return { counts, traffic: JSON.parse(counts.stdout) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
