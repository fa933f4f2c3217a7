/** The measurements: each makes its runs and writes outcomes into the ledger. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CameraBuild, type CameraRun, runCamera } from "./camera.ts";
import {
  cameraCost,
  growth,
  livePerByte,
  liveUpload,
  mp4Percent,
  residentMegabytes,
  sealingPercent,
  worldUpload,
} from "./figures.ts";
import { measureFloor } from "./floor.ts";
import { grouped } from "./groups.ts";
import type { Ledger } from "./ledger.ts";
import { type LiveOptions, runLive } from "./live.ts";
import { sealedBytes } from "./objects.ts";

/** Of the clips that recipes make. */
const CLIP_SECONDS = 20;
/** Long enough that the camera is connected and its first, shorter segment is over. */
const WARM_S = 10;
const MEASURE_S = 60;
const QUEUE_BYTES = 8 << 20;
/** Footage that the agent has handled when its memory is looked at. */
const MEMORY_S = 600;
const FUNCTIONS_KEPT = 60;

const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
const mbits = ({ traffic }: CameraRun) =>
  ((traffic.frame_bytes * 8) / traffic.seconds / 1e6).toFixed(2);

/**
 * Cost per byte against the floor, and per second; twice, to show that it repeats.
 * @param slow the run at 1 Mbit/s: what is paid by the frame and by the second weighs more there
 * @returns the run
 */
export async function measureCpu(
  ledger: Ledger,
  build: CameraBuild,
  clip: string,
  name: string,
  slow: CameraRun | null,
): Promise<CameraRun> {
  const floor = await measureFloor();
  const run = await runCamera(build, clip, { warmS: WARM_S, measureS: MEASURE_S });
  const again = await runCamera(build, clip, { warmS: WARM_S, measureS: MEASURE_S });
  if (again.counts.total.camera !== run.counts.total.camera) {
    throw new Error("the repeatable run did not repeat");
  }
  const { perByte, perSecond, start } = cameraCost(run);
  const ours = `${perByte.toFixed(1)} against ${floor.perByte.toFixed(1)} a byte`;
  const value = perByte / floor.perByte;
  const atOne =
    slow === null ? "" : `; ${(cameraCost(slow).perByte / floor.perByte).toFixed(2)} × at 1`;
  const note = `${ours} at ${mbits(run)} Mbit/s${atOne}; two runs equal to the instruction`;
  ledger.outcomes["cpu-per-byte"] = { value, note };
  ledger.outcomes.load = {
    value: perSecond,
    note: `${MEASURE_S} s of ${name} at ${mbits(run)} Mbit/s; starting took ${(start / 1e6).toFixed(0)} M`,
  };
  const millionsPerSecond = (instructions: number) => instructions / 1e6 / run.traffic.seconds;
  ledger.profile = grouped(run.counts.functions.camera).map(({ title, instructions }) => ({
    title,
    millionsPerSecond: millionsPerSecond(instructions),
    perByte: instructions / run.traffic.frame_bytes,
  }));
  ledger.details.floor_per_byte = floor.perByte;
  ledger.details.camera = { per_byte: perByte, per_second_millions: perSecond, ...run.traffic };
  ledger.details.functions_millions_per_second = Object.fromEntries(
    [...run.counts.functions.camera]
      .sort((a, b) => b[1] - a[1])
      .slice(0, FUNCTIONS_KEPT)
      .map(([f, instructions]) => [f, Number(millionsPerSecond(instructions).toFixed(4))]),
  );
  return run;
}

/** What sealing adds. @returns the run. */
export async function measureSealing(
  ledger: Ledger,
  build: CameraBuild,
  clip: string,
): Promise<CameraRun> {
  const objects = mkdtempSync(join(tmpdir(), "ocellus-objects-"));
  try {
    const run = await runCamera(build, clip, { warmS: WARM_S, measureS: MEASURE_S, objects });
    const sealed = sealedBytes(objects);
    const mp4 = mp4Percent(sealed, run.traffic.frame_bytes).toFixed(2);
    ledger.outcomes.sealing = {
      value: sealingPercent(sealed),
      note: `${sealed.segments} segments at ${mbits(run)} Mbit/s, ${sealed.wraps} recipients; MP4 itself ${mp4} %`,
    };
    ledger.details.sealed = sealed;
    return run;
  } finally {
    rmSync(objects, { recursive: true, force: true });
  }
}

/** The engine's heap, and whether memory stays flat. @param hours of footage; each half must hold two collections of garbage. */
export async function measureSoak(
  ledger: Ledger,
  build: CameraBuild,
  clip: string,
  hours: number,
): Promise<void> {
  const seconds = Math.round(hours * 3600);
  const run = await runCamera(build, clip, { warmS: WARM_S, measureS: seconds, soak: true });
  const grown = growth(run.traffic);
  const minutes = (seconds / 60).toFixed(0);
  ledger.outcomes.heap = {
    value: grown.heapMegabytes,
    note: `most in ${minutes} min of footage, time-compressed`,
  };
  ledger.outcomes.flat = {
    value: grown.kilobytesADay,
    note: `allocated ${grown.driftBytes < 0 ? "" : "+"}${grown.driftBytes} B from one half of ${minutes} min to the other, scaled; mapped ${signed(grown.mappedDriftKilobytes)} KB`,
  };
  const { heap_high, allocated_low, mapped_high } = run.traffic;
  ledger.details.soak = { seconds, heap_high, allocated_low, mapped_high };
}

/**
 * Resident memory, and what an upload adds on real sockets.
 * @param rate how much faster than real time the footage is played
 * @param slow the repeatable run at 1 Mbit/s, for the notes
 */
export async function measureProcess(
  ledger: Ledger,
  clip: string,
  rate: number,
  slow: CameraRun | null,
): Promise<void> {
  const root = process.getuid?.() === 0;
  const run = await runLive({
    ...{ clip, clipSeconds: CLIP_SECONDS, queueBytes: QUEUE_BYTES },
    ...{ loops: MEMORY_S / CLIP_SECONDS, rate, look: root ? "memory" : "nothing" },
  });
  const footage = (statSync(clip).size * MEMORY_S) / CLIP_SECONDS;
  const stored = run.puts.reduce((sum, put) => sum + put.bodyIn_bytes, 0);
  if (stored < 0.95 * footage) {
    throw new Error("this machine does not keep up; lower OCELLUS_BENCH_RATE");
  }
  const last = run.memory.at(-1);
  ledger.outcomes.rss = root
    ? {
        value: residentMegabytes(run.memory),
        note: `mipsel, ${MEMORY_S / 60} min of footage ${rate === 1 ? "in real time" : `${rate} times as fast`}; beside it ring ${megabytes(last?.ring ?? 0)} MB, queue ${megabytes(last?.queue ?? 0)} of at most ${megabytes(QUEUE_BYTES)} MB`,
      }
    : { notMeasured: "only root may look into a process that forbids it, as the camera does" };
  ledger.details.resident = run.memory;
  const upload = liveUpload(run.puts);
  const world = slow === null ? null : worldUpload(slow.traffic);
  ledger.outcomes.http = {
    value: upload.http,
    note: `${upload.segments} segments to the development cloud${world === null ? "" : `; ${world.http.toFixed(0)} B with S3's answers`}`,
  };
  ledger.outcomes.tls = {
    value: upload.tlsPercent,
    note: `the same, without handshakes${world === null ? "" : `; ${world.tlsPercent.toFixed(3)} % at 1 Mbit/s`}`,
  };
}

/** How far the program as it ships, in real time, is from the repeatable run. */
export async function measureLive(
  ledger: Ledger,
  clip: string,
  repeatable: CameraRun,
): Promise<void> {
  const { counts, traffic } = repeatable;
  const expected = counts.total.camera / traffic.object_bytes;
  const common: Omit<LiveOptions, "loops"> = {
    ...{ clip, clipSeconds: CLIP_SECONDS, queueBytes: QUEUE_BYTES, rate: 1, look: "instructions" },
  };
  const perByte = livePerByte(
    await runLive({ ...common, loops: 1 }),
    await runLive({ ...common, loops: 4 }),
  );
  ledger.outcomes["live-spread"] = {
    value: Math.abs(perByte / expected - 1) * 100,
    note: `${perByte.toFixed(1)} against ${expected.toFixed(1)} a byte stored; 80 s less 20 s in real time, real sockets`,
  };
}
