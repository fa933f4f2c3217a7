/** The part of the self-test in which a paired camera plays the clip and its frames arrive in the store. */
import { setTimeout as sleep } from "node:timers/promises";
import { isRefused } from "../../agent/seal/refusal.ts";
import { Problem } from "../build/problem.mjs";
import { countOf, showDrops } from "../owner/drops.ts";
import type { CameraView } from "../owner/heads.ts";
import type { PairedCamera } from "../owner/owner.ts";
import type { Status } from "../owner/status.ts";
import type { Talk } from "../owner/talk.ts";
import { Arrival } from "./arrival.ts";
import type { Clip } from "./footage.ts";
import { type CameraLog, withLog } from "./log.ts";
import type { ListeningSocket } from "./observe.ts";
import { round } from "./report.ts";
import type { TestedCamera } from "./tested.ts";

/** How long the status of the boot in which it was paired may take. */
const SETTLE_MS = 60_000;
const LOOK_MS = 500;
/** Without a new frame in the store for so long something is wrong: segments are 4 s, at twice that without a key frame. */
const STALLED_MS = 60_000;

/** What takes part. */
export interface Recording {
  readonly log: CameraLog;
  readonly camera: TestedCamera;
  readonly view: CameraView;
  readonly talk: Talk;
  readonly paired: PairedCamera;
  readonly clip: Clip;
  /** Frames that must arrive. */
  readonly expected: number;
}

/** How it is played, and who is told. */
export interface Playing {
  readonly loops: number;
  readonly show: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Plays the clip and waits until every frame is in the store. */
export async function record(parts: Recording, { loops, show, signal }: Playing) {
  const { log, camera, view, talk, paired, clip, expected } = parts;
  // The status of the boot in which it was paired is retained, so it comes.
  await talk.settled(paired, SETTLE_MS);
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
    log.check();
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
    const loss = lossIn(statusOf(talk, paired));
    if (loss !== null) throw withLog(new Problem(loss), log);
    if (Date.now() - moved_ms > STALLED_MS) throw stalled(log, frames, expected);
  }
  const { rss_kb, rss_peak_kb, unprivileged, listening, more } = await camera.measure(signal);
  saw(listening);
  const status = statusOf(talk, paired);
  log.check();
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

/** Footage that will never come, by the camera's own word; null where there is none. */
function lossIn(status: Status | null): string | null {
  const [main] = status?.secret?.streams ?? [];
  const dropped = main?.dropped ?? [];
  if (dropped.length > 0)
    return `the camera had to drop ${countOf(dropped)} segments (${showDrops(dropped)}); a busy machine is the usual reason.`;
  const frames = main?.framesLost ?? 0;
  if (frames > 0) return `the camera lost ${frames} frames; a busy machine is the usual reason.`;
  return null;
}

function stalled(log: CameraLog, frames: number, expected: number): Problem {
  const what = `only ${frames} of ${expected} frames arrived, and none for a minute.`;
  return withLog(new Problem(what), log);
}
