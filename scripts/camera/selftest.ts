/**
 * The self-test: a camera on a clip, a private cloud and an owner of its own; every frame must come back as it was fed.
 */
import { createReadStream, createWriteStream, type WriteStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { toHex } from "../../agent/identity/encoding.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { makeDirectories } from "../build/directories.mjs";
import { explainNamed, Problem } from "../build/problem.mjs";
import { type Cloud, startCloud } from "../cloud/cloud.ts";
import { fetchFootage } from "../owner/fetch.ts";
import type { CameraView } from "../owner/heads.ts";
import { signList } from "../owner/lists.ts";
import { makeKeys, type Owner, type PairedCamera, withCamera } from "../owner/owner.ts";
import { HeldOwner, pairCamera } from "../owner/pairing.ts";
import { makePhrase, recoveryPublic } from "../owner/phrase.ts";
import { expectCamera, provisioningFile } from "../owner/provision.ts";
import type { Status } from "../owner/status.ts";
import { openStore } from "../owner/store.ts";
import { startTalk, type Talk } from "../owner/talk.ts";
import { openingKeys, trustCamera } from "../owner/trust.ts";
import { Arrival } from "./arrival.ts";
import { type Comparison, compareFootage, countFrames } from "./compare.ts";
import { type Clip, clipFrom } from "./footage.ts";
import type { Variant } from "./host.ts";
import type { ListeningSocket } from "./observe.ts";
import { SEEN_FROM_CAMERA } from "./qemu.ts";
import { seenFrom, type TestedCamera } from "./tested.ts";
import { TestedHost } from "./tested-host.ts";
import { TestedQemu } from "./tested-qemu.ts";

/** What is tested. */
export interface SelftestOptions {
  /** H.264 in Annex B, or any file that ffmpeg reads. */
  readonly footage: string;
  readonly loops: number;
  readonly camera: TestedKind;
  /** Gets footage.mp4, report.json, input.h264, and camera.log: what the camera's processes said. */
  readonly out: string;
  /** Shows how far it is. */
  readonly show: (text: string) => void;
  /** Ends the test early. */
  readonly signal: AbortSignal;
}

/** Which camera: host processes, or the emulated one with so much memory (the board's by default). */
export type TestedKind =
  | { readonly on: "host"; readonly variant: Variant }
  | { readonly on: "qemu"; readonly mem_bytes?: number };

/** report.json. */
export interface Report extends Comparison {
  readonly on: "host" | "qemu";
  /** With `host`. */
  readonly variant?: Variant;
  /** With `qemu`: its board, the memory that Linux was told of, of which so much was available at the end, the slot image. */
  readonly board?: string;
  readonly mem?: string;
  readonly mem_available_kb?: number;
  readonly slot_bytes?: number;
  /** Whether the footage had to be made into what a camera produces first. */
  readonly transcoded: boolean;
  readonly segments: number;
  /** Frames as MP4 samples. */
  readonly bytes_video: number;
  /** Objects in the store. */
  readonly bytes_sealed: number;
  /** Sealed over video, less one, in per cent. */
  readonly sealing_overhead_percent: number;
  /** From the start of the camera's processes to its first segment in the store. */
  readonly first_segment_s: number;
  /** Of the agent at the end, as the system and as its engine count it. */
  readonly rss_kb: number;
  readonly rss_peak_kb: number;
  readonly heap_kb: number;
  /** TCP sockets that listened and UDP sockets that were bound, in any of the camera's processes at any look. */
  readonly listening_sockets: number;
  readonly listening: readonly ListeningSocket[];
  /** Whether the agent ran without root. */
  readonly unprivileged: boolean;
  /** Starts of the agent after a failure. */
  readonly restarts: number;
  readonly frames_lost: number;
  readonly gaps: number;
  readonly duration_s: number;
  readonly build: string;
}

const PAIR_MS = 60_000;
const LOOK_MS = 500;
/** Without a new frame in the store for so long something is wrong: segments are 4 s, at twice that without a key frame. */
const STALLED_MS = 60_000;

/**
 * Runs it. Everything it started is stopped when it ends, whichever way.
 * Throws Problem where it could not be run to the end; a difference is in the report (`faultIn`).
 */
export async function selftest(options: SelftestOptions): Promise<Report> {
  const { out, loops, show } = options;
  await makeDirectories(out, 0o755).catch((error: unknown) => {
    throw explainNamed(error, out);
  });
  show("preparing the footage");
  const temporary = await mkdtemp(join(tmpdir(), "ocellus-selftest-"));
  const stops: (() => Promise<unknown>)[] = [() => rm(temporary, { recursive: true, force: true })];
  try {
    const clip = await clipFrom(options.footage, temporary, show);
    const input = join(out, "input.h264");
    await repeat(clip.clip, loops, input);
    const expected = await countFrames(input);
    const cloud = await startCloud({
      state: join(temporary, "cloud"),
      names: ["localhost", SEEN_FROM_CAMERA],
    });
    stops.push(() => cloud.stop());
    const log = new CameraLog(join(out, "camera.log"));
    stops.push(() => log.close());
    show("building the camera");
    const camera = await makeCamera(options.camera, join(temporary, "camera"), (line) =>
      log.line(line),
    );
    stops.push(() => camera.stop());
    show("pairing");
    const [owner, paired] = await pair(cloud, camera, options.signal).catch((error: unknown) => {
      throw error instanceof Problem ? withLog(error, log) : error;
    });
    const store = openStore((await cloud.owner()).store);
    stops.push(async () => store.close());
    const trusted = trustCamera(owner, paired);
    const view: CameraView = { store, trusted, keys: openingKeys(owner), cache: null };
    const talk = await startTalk(owner, [paired]);
    stops.push(() => talk.close());
    const run = await record({ log, camera, view, talk, paired, clip, expected }, options);
    show("fetching, verifying and opening");
    const footage = join(out, "footage.mp4");
    const wanted = { stream: 0, from_us: 0, to_us: Number.MAX_SAFE_INTEGER, boot: run.boot };
    const fetched = await fetchFootage(view, wanted, footage, {
      ...{ stretchGaps: true, withoutRefused: false },
    });
    show("comparing every frame");
    const comparison = await compareFootage(input, footage);
    const report: Report = {
      ...{ on: options.camera.on, ...camera.facts, ...comparison, transcoded: clip.transcoded },
      segments: fetched.segments,
      bytes_video: fetched.video_bytes,
      bytes_sealed: fetched.sealed_bytes,
      sealing_overhead_percent: round((fetched.sealed_bytes / fetched.video_bytes - 1) * 100, 3),
      ...run.measured,
      frames_lost: fetched.frames_lost,
      gaps: fetched.gaps.length,
      duration_s: round(fetched.duration_us / 1e6, 3),
    };
    await writeFile(join(out, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
    return report;
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

function makeCamera(
  kind: TestedKind,
  directory: string,
  say: (line: string) => void,
): Promise<TestedCamera> {
  if (kind.on === "host") return TestedHost.create({ directory, variant: kind.variant }, say);
  const { mem_bytes } = kind;
  const memory = mem_bytes === undefined ? {} : { mem_bytes };
  return TestedQemu.create({ directory, board: "qemu/malta", ...memory }, say);
}

/** What a report shows to be wrong, in one sentence; null where all is well. */
export function faultIn(report: Report): string | null {
  const { frames_in, frames_out, frames_identical } = report;
  if (frames_in === 0) return "the footage has no frames.";
  if (frames_identical !== frames_in || frames_out !== frames_in) {
    return `of ${frames_in} frames ${frames_out} came back, and they are the same up to frame ${frames_identical}.`;
  }
  if (!report.parameter_sets_equal) return "the parameter sets that came back are others.";
  if (report.listening_sockets > 0) {
    const ports = report.listening.map(({ protocol, port }) => `${protocol} ${port}`).join(", ");
    return `the camera listens on the network (${ports}).`;
  }
  if (!report.unprivileged) return "the camera's agent ran as root.";
  if (report.restarts > 0)
    return `the camera's agent had to be restarted ${report.restarts} times.`;
  return null;
}

/** What the camera said. */
class CameraLog {
  #lines: string[] = [];
  readonly #file: WriteStream;

  constructor(file: string) {
    this.#file = createWriteStream(file);
  }

  line(line: string): void {
    this.#lines = [...this.#lines.slice(-9), line];
    this.#file.write(`${line}\n`);
  }

  /** Ends the log. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#file.end(resolve));
  }

  /** The end of its log, for a sentence about a camera that got stuck. */
  get lastLines(): string {
    return this.#lines.join("\n");
  }
}

/** Provisions the camera, adopts it, and stops it again. */
async function pair(
  cloud: Cloud,
  camera: TestedCamera,
  signal: AbortSignal,
): Promise<[Owner, PairedCamera]> {
  const keys = makeKeys(cloud.tenant, recoveryPublic(makePhrase()));
  const now_us = Date.now() * 1000;
  const fresh = { ...keys, list: signList(keys, 1, now_us), access: await cloud.owner() };
  const expected = expectCamera("selftest");
  const access = await cloud.addCamera({ camera: toHex(expected.id) });
  const seen = seenFrom(camera.cloudHost, access);
  await camera.startToPair(provisioningFile(fresh, expected, seen));
  const watch = new AbortController();
  const held = new HeldOwner(withCamera(fresh, expected));
  try {
    const { camera: paired } = await Promise.race([
      pairCamera(fresh, expected, PAIR_MS, { change: held.change, tell: () => {} }),
      endOf(camera, AbortSignal.any([signal, watch.signal])),
    ]);
    return [held.owner, paired];
  } finally {
    watch.abort();
    await camera.stopAfterPairing();
  }
}

/** Rejects once a process has ended that should not, or the signal asks to stop. */
async function endOf(camera: TestedCamera, signal: AbortSignal): Promise<never> {
  for (;;) {
    camera.check();
    await sleep(200, undefined, { signal });
  }
}

interface Recording {
  readonly log: CameraLog;
  readonly camera: TestedCamera;
  readonly view: CameraView;
  readonly talk: Talk;
  readonly paired: PairedCamera;
  readonly clip: Clip;
  /** Frames that must arrive. */
  readonly expected: number;
}

/** Plays the clip and waits until every frame is in the store. */
async function record(parts: Recording, { loops, show, signal }: SelftestOptions) {
  const { log, camera, view, talk, paired, clip, expected } = parts;
  // The status of the boot in which it was paired is retained, so it comes.
  await talk.settled(paired, PAIR_MS);
  const before = bootOf(talk, paired);
  const started_ms = Date.now();
  await camera.startToRecord({ ...clip, loops });
  let first_ms = 0;
  let moved_ms = Date.now();
  let arrival: Arrival | null = null;
  let frames = 0;
  const sockets = new Map<string, ListeningSocket>();
  const saw = (seen: readonly ListeningSocket[]) => {
    for (const socket of seen) sockets.set(`${socket.protocol} ${socket.port}`, socket);
  };
  while (frames < expected) {
    if (first_ms === 0) await sleep(50, undefined, { signal });
    else await sleep(LOOK_MS, undefined, { signal });
    camera.check();
    saw(await camera.look());
    const boot = bootOf(talk, paired);
    if (boot <= before) {
      if (Date.now() - moved_ms > STALLED_MS) throw stalled(log, 0, expected);
      continue;
    }
    arrival ??= new Arrival(view, boot);
    const arrived = await arrival.look();
    if (arrived.segments > 0 && first_ms === 0) first_ms = Date.now() - started_ms;
    if (arrived.frames > frames) moved_ms = Date.now();
    frames = arrived.frames;
    show(`${frames} of ${expected} frames are in the store (${arrived.segments} segments)`);
    if (Date.now() - moved_ms > STALLED_MS) throw stalled(log, frames, expected);
  }
  const { rss_kb, rss_peak_kb, unprivileged, listening, more } = await camera.measure();
  saw(listening);
  const status = statusOf(talk, paired);
  const { restarts } = camera;
  await camera.stop();
  return {
    boot: status?.boot ?? 0,
    measured: {
      first_segment_s: round(first_ms / 1000, 3),
      ...{ rss_kb, rss_peak_kb, ...more },
      heap_kb: status?.secret?.heapKb ?? 0,
      listening_sockets: sockets.size,
      listening: [...sockets.values()],
      unprivileged,
      restarts,
      build: status?.open.build ?? "",
    },
  };
}

function statusOf(talk: Talk, camera: PairedCamera): Status | null {
  const { status } = talk.state(camera);
  return status === null || isRefused(status) ? null : status;
}

function bootOf(talk: Talk, camera: PairedCamera): number {
  return statusOf(talk, camera)?.boot ?? 0;
}

function stalled(log: CameraLog, frames: number, expected: number): Problem {
  const what = `only ${frames} of ${expected} frames arrived, and none for a minute.`;
  return withLog(new Problem(what), log);
}

function withLog({ message }: Problem, log: CameraLog): Problem {
  return new Problem(`${message} The camera's log ends:`, log.lastLines);
}

/** Writes a file `times` over into another. */
async function repeat(source: string, times: number, target: string): Promise<void> {
  await rm(target, { force: true });
  for (let i = 0; i < times; i++) {
    await pipeline(createReadStream(source), createWriteStream(target, { flags: "a" }));
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
