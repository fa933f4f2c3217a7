/**
 * The self-test: a camera on a clip, a private cloud and an owner of its own; every frame must come back as it was fed.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { toHex } from "../../agent/identity/encoding.ts";
import { makeDirectories } from "../build/directories.mjs";
import { checkLocalhost } from "../build/localhost.mjs";
import { explainNamed, Problem } from "../build/problem.mjs";
import { type Cloud, startCloud } from "../cloud/cloud.ts";
import { fetchFootage } from "../owner/fetch.ts";
import type { CameraView } from "../owner/heads.ts";
import { signList } from "../owner/lists.ts";
import { makeKeys, type Owner, type PairedCamera, withCamera } from "../owner/owner.ts";
import { HeldOwner, pairCamera } from "../owner/pairing.ts";
import { makePhrase, recoveryPublic } from "../owner/phrase.ts";
import { expectCamera, provisioningFile } from "../owner/provision.ts";
import { openStore } from "../owner/store.ts";
import { startTalk } from "../owner/talk.ts";
import { openingKeys, trustCamera } from "../owner/trust.ts";
import { compareFootage, countFrames } from "./compare.ts";
import { clipFrom } from "./footage.ts";
import type { Variant } from "./host.ts";
import { CameraLog, withLog } from "./log.ts";
import { SEEN_FROM_CAMERA } from "./qemu.ts";
import { record } from "./record.ts";
import { type Report, round } from "./report.ts";
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

const PAIR_MS = 60_000;

/**
 * Runs it. Everything it started is stopped when it ends, whichever way.
 * Throws Problem where it could not be run to the end; a difference is in the report (`faultIn`).
 */
export async function selftest(options: SelftestOptions): Promise<Report> {
  const { out, loops, show } = options;
  await checkLocalhost();
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
    stops.push(async () => log.close());
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

/** Writes a file `times` over into another. */
async function repeat(source: string, times: number, target: string): Promise<void> {
  await rm(target, { force: true });
  for (let i = 0; i < times; i++) {
    await pipeline(createReadStream(source), createWriteStream(target, { flags: "a" }));
  }
}
