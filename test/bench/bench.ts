/**
 * All measurements, one after another; each is on its own, so that one that cannot be made here leaves a row that says why
 * and the others go on.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { ensure } from "../../scripts/build/ensure.mjs";
import { capture } from "../../scripts/build/process.mjs";
import { withProgress } from "../../scripts/build/progress.mjs";
import type { BudgetId } from "./budgets.ts";
import { type CameraRun, runCamera } from "./camera.ts";
import { compare } from "./comparisons.ts";
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
import { runLive } from "./live.ts";
import { sealedBytes } from "./objects.ts";
import type { Comparison, Outcome, Report } from "./table.ts";

/** An H.264 file to count on, instead of the clip made for it. */
const FOOTAGE = process.env.FOOTAGE ?? "";
const CLIP_SECONDS = 20;
/** Long enough that the camera is connected and its first, shorter segment is over. */
const WARM_S = 10;
const MEASURE_S = 60;
const QUEUE_BYTES = 8 << 20;
/** Footage that the agent has handled when its memory is looked at, and how much faster than real time. */
const MEMORY_S = 600;
const MEMORY_RATE = 4;
/** Length of the soak, hours of footage; each half must hold two collections of cyclic garbage. */
const SOAK_H = Number(process.env.OCELLUS_BENCH_SOAK_H ?? 2 / 3);

/** What comes with later parts of the product. */
const LATER: Partial<Record<BudgetId, Outcome>> = {
  "slot-image": { notMeasured: "no image yet: comes with the emulated camera" },
  "memory-38m": { notMeasured: "comes with the emulated camera" },
  "power-on": { notMeasured: "comes with the emulated camera" },
  "live-latency": { notMeasured: "comes with the live view" },
};

/** Further figures for bench.json: whoever optimises looks here. */
type Details = Record<string, unknown>;

class Bench {
  readonly outcomes: Partial<Record<BudgetId, Outcome>> = { ...LATER };
  readonly details: Details = {};
  readonly failures: string[] = [];
  comparisons: Comparison[] = [];

  /** Runs one measurement; a failure becomes the reason in the rows it owes. */
  async step(what: string, owes: readonly BudgetId[], work: () => Promise<void>): Promise<void> {
    try {
      await withProgress(what, work);
    } catch (error) {
      const [why = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
      this.failures.push(`${what}: ${error instanceof Error ? error.stack : why}`);
      for (const id of owes) this.outcomes[id] ??= { notMeasured: `failed: ${why.slice(0, 160)}` };
    }
  }

  async cpu(clip: string): Promise<void> {
    const floor = await measureFloor();
    const run = await runCamera(clip, { warmS: WARM_S, measureS: MEASURE_S });
    const again = await runCamera(clip, { warmS: WARM_S, measureS: MEASURE_S });
    const { perByte, perSecond } = cameraCost(run);
    const repeats = again.counts.total.camera === run.counts.total.camera;
    if (!repeats) this.failures.push("the repeatable run did not repeat");
    const twice = repeats ? "two runs equal to the instruction" : "NOT repeated exactly";
    this.outcomes["cpu-per-byte"] = {
      value: perByte / floor.perByte,
      note: `${perByte.toFixed(1)} against ${floor.perByte.toFixed(1)} a byte, ${twice}`,
    };
    const start = run.counts.total.start / 1e6;
    this.outcomes.load = {
      value: perSecond,
      note: `${MEASURE_S} s of ${FOOTAGE === "" ? "1080p" : basename(FOOTAGE)} at ${mbits(run)} Mbit/s; the ${WARM_S} s before it took ${start.toFixed(0)} M in all`,
    };
    this.details.floor_per_byte = floor.perByte;
    this.details.camera = { per_byte: perByte, per_second_millions: perSecond, ...run.traffic };
    this.details.groups_millions_per_second = Object.fromEntries(
      grouped(run.counts.functions.camera).map((g) => [
        g.title,
        round(g.instructions / 1e6 / MEASURE_S),
      ]),
    );
    this.details.functions_millions_per_second = Object.fromEntries(
      [...run.counts.functions.camera]
        .sort((a, b) => b[1] - a[1])
        .slice(0, 60)
        .map(([name, instructions]) => [name, round(instructions / 1e6 / MEASURE_S)]),
    );
    this.details.per_byte_of_object = run.counts.total.camera / run.traffic.object_bytes;
  }

  async overheads(clip: string): Promise<void> {
    const objects = mkdtempSync(join(tmpdir(), "ocellus-objects-"));
    try {
      const run = await runCamera(clip, { warmS: WARM_S, measureS: MEASURE_S, objects });
      const sealed = sealedBytes(objects);
      const mp4 = mp4Percent(sealed, run.traffic.frame_bytes);
      this.outcomes.sealing = {
        value: sealingPercent(sealed),
        note: `${sealed.segments} segments at ${mbits(run)} Mbit/s, ${sealed.wraps} recipients; MP4 itself ${mp4.toFixed(2)} %`,
      };
      this.details.sealed = sealed;
      this.details.world_upload = worldUpload(run.traffic);
    } finally {
      rmSync(objects, { recursive: true, force: true });
    }
  }

  async soak(clip: string): Promise<void> {
    const seconds = Math.round(SOAK_H * 3600);
    const run = await runCamera(clip, { warmS: WARM_S, measureS: seconds, uncounted: true });
    const grown = growth(run.traffic);
    const minutes = (seconds / 60).toFixed(0);
    this.outcomes.heap = {
      value: grown.heapMegabytes,
      note: `most in ${minutes} min of footage, time-compressed`,
    };
    this.outcomes.flat = {
      value: grown.kilobytesADay,
      note: `heap ${signed(grown.heapDriftKilobytes)} KB from one half of ${minutes} min to the other, scaled to 24 h; mappings ${signed(grown.mappedDriftKilobytes)} KB`,
    };
    const { heap_low, heap_high, mapped } = run.traffic;
    this.details.soak = { seconds, heap_low, heap_high, mapped };
  }

  async resident(clip: string): Promise<void> {
    if (process.getuid?.() !== 0) {
      this.outcomes.rss = {
        notMeasured: "only root may look into a process that forbids it, as the camera does",
      };
      return;
    }
    const loops = MEMORY_S / CLIP_SECONDS;
    const common = { clip, clipSeconds: CLIP_SECONDS, queueBytes: QUEUE_BYTES };
    const run = await runLive({ ...common, loops, rate: MEMORY_RATE, look: "memory" });
    const last = run.memory.at(-1);
    const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
    this.outcomes.rss = {
      value: residentMegabytes(run.memory),
      note: `mipsel, ${MEMORY_S / 60} min of footage ${MEMORY_RATE} times as fast; beside it ring ${mb(last?.ring ?? 0)} MB, queue ${mb(last?.queue ?? 0)} of at most ${mb(QUEUE_BYTES)} MB`,
    };
    this.details.resident = run.memory;
    const upload = liveUpload(run.puts);
    const world = worldFigures(this.details.world_upload);
    this.outcomes.http = {
      value: upload.http,
      note: `${upload.segments} segments to the development cloud${world === null ? "" : `; ${world.http.toFixed(0)} B with S3's answers`}`,
    };
    this.outcomes.tls = {
      value: upload.tlsPercent,
      note: `the same, without handshakes${world === null ? "" : `; ${world.tlsPercent.toFixed(3)} % at 1 Mbit/s`}`,
    };
  }

  async live(clip: string): Promise<void> {
    const repeatable = this.details.per_byte_of_object;
    if (typeof repeatable !== "number") throw new Error("there is no repeatable run");
    const common = { clip, clipSeconds: CLIP_SECONDS, queueBytes: QUEUE_BYTES, rate: 1 };
    const short = await runLive({ ...common, loops: 1, look: "instructions" });
    const long = await runLive({ ...common, loops: 4, look: "instructions" });
    const perByte = livePerByte(short, long);
    this.outcomes["live-spread"] = {
      value: Math.abs(perByte / repeatable - 1) * 100,
      note: `${perByte.toFixed(1)} against ${repeatable.toFixed(1)} a byte stored; 80 s less 20 s in real time, real sockets`,
    };
  }
}

const round = (value: number) => Number(value.toFixed(4));
const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
const mbits = ({ traffic }: CameraRun) =>
  ((traffic.frame_bytes * 8) / traffic.seconds / 1e6).toFixed(2);

function worldFigures(value: unknown): ReturnType<typeof worldUpload> | null {
  if (typeof value !== "object" || value === null) return null;
  if (!("http" in value) || !("tlsPercent" in value)) return null;
  const { http, tlsPercent } = value;
  return typeof http === "number" && typeof tlsPercent === "number" ? { http, tlsPercent } : null;
}

async function machine(): Promise<string> {
  const [cpu] = cpus();
  const qemu = await capture("qemu-mipsel", ["--version"]);
  const version = /version (\S+)/.exec(qemu.stdout)?.[1] ?? "?";
  const model = cpu?.model.replace(/\s+/g, " ") ?? "unknown processor";
  return `${cpus().length} × ${model}, Linux ${release()}, qemu-mipsel ${version}`;
}

/** Everything that one run found. */
export interface Result {
  readonly report: Report;
  readonly details: Details;
  /** What went wrong, with stacks; empty where all was measured that can be. */
  readonly failures: readonly string[];
}

/** Measures all of it: about ten minutes, less what is built already. */
export async function runBench(): Promise<Result> {
  const bench = new Bench();
  const clip = join(await ensure("bench-clip"), "clip.h264");
  const footage = FOOTAGE === "" ? clip : FOOTAGE;
  const slow = join(await ensure("bench-clip-1mbit"), "clip.h264");
  await bench.step("counting floor and camera", ["cpu-per-byte", "load"], () => bench.cpu(footage));
  await bench.step("measuring what sealing adds", ["sealing"], () => bench.overheads(slow));
  await bench.step("soaking", ["heap", "flat"], () => bench.soak(clip));
  await bench.step("looking at memory and sockets", ["rss", "http", "tls"], () =>
    bench.resident(clip),
  );
  await bench.step("counting live runs", ["live-spread"], () => bench.live(clip));
  await bench.step("counting what one would run instead", [], async () => {
    bench.comparisons = await compare(footage);
  });
  if (bench.comparisons.length === 0) {
    const note = "Debian's mipsel packages could not be had or run; see above";
    bench.comparisons = [{ title: "ffmpeg, openssl, curl, dropbear", measured: "–", note }];
  }
  const date = new Date().toISOString().slice(0, 10);
  const report: Report = {
    date,
    machine: await machine(),
    outcomes: bench.outcomes,
    comparisons: bench.comparisons,
  };
  return { report, details: bench.details, failures: bench.failures };
}
