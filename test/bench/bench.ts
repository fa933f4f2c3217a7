/** All measurements, one after another. */
import { cpus, release } from "node:os";
import { basename, join } from "node:path";
import { ensure } from "../../scripts/build/ensure.mjs";
import { Problem } from "../../scripts/build/problem.mjs";
import { capture } from "../../scripts/build/process.mjs";
import { type CameraRun, cameraBuild } from "./camera.ts";
import { compare, shown } from "./comparisons.ts";
import { measureEmulated } from "./emulated.ts";
import { cameraCost } from "./figures.ts";
import { Ledger } from "./ledger.ts";
import { measureCpu, measureLive, measureProcess, measureSealing, measureSoak } from "./measure.ts";
import type { Comparison, Report } from "./table.ts";

/** Long enough that what settles in the first minutes is no growth: of 40 minutes it was said to be 263 KB a day, of 4 hours 18. */
const SOAK_H = 4;
/** Times real time; the machine must keep up with the emulated camera. */
const MEMORY_RATE = 4;

/** Everything that one run found. */
export interface Result {
  readonly report: Report;
  readonly details: Ledger["details"];
  /** What went wrong, with stacks; empty where all was measured that can be. */
  readonly failures: readonly string[];
}

/** A number from the environment, or what stands for it. */
function setting(name: string, otherwise: number, least: number, most: number): number {
  const text = process.env[name];
  const value = text === undefined ? otherwise : Number(text);
  if (value >= least && value <= most) return value;
  throw new Problem(`${name} takes a number from ${least} to ${most}, not "${text}".`);
}

async function machine(): Promise<string> {
  const [cpu] = cpus();
  const qemu = await capture("qemu-mipsel", ["--version"]);
  const version = /version (\S+)/.exec(qemu.stdout)?.[1] ?? "?";
  const model = cpu?.model.replace(/\s+/g, " ").trim() ?? "unknown processor";
  return `${cpus().length} × ${model}, Linux ${release()}, qemu-mipsel ${version}`;
}

/** The camera itself, in the form of what one would run instead. */
function ownRow(run: CameraRun): Comparison {
  return shown("ocellus", cameraCost(run), "segments, seals, signs, uploads, reports");
}

/** Measures all of it: about a quarter of an hour, and what has to be built first. */
export async function runBench(): Promise<Result> {
  const hours = setting("OCELLUS_BENCH_SOAK_H", SOAK_H, 0.01, 240);
  const rate = setting("OCELLUS_BENCH_RATE", MEMORY_RATE, 1, 20);
  const ledger = new Ledger();
  const build = await cameraBuild();
  const clip = join(await ensure("bench-clip"), "clip.h264");
  const slowClip = join(await ensure("bench-clip-1mbit"), "clip.h264");
  const given = process.env.FOOTAGE ?? "";
  const [footage, name] = given === "" ? [clip, "1080p"] : [given, basename(given)];
  const slow = await ledger.step("measuring what sealing adds", ["sealing"], () =>
    measureSealing(ledger, build, slowClip),
  );
  const run = await ledger.step("counting floor and camera", ["cpu-per-byte", "load"], () =>
    measureCpu(ledger, build, footage, name, slow),
  );
  await ledger.step("soaking", ["heap", "flat"], () => measureSoak(ledger, build, clip, hours));
  await ledger.step("looking at memory and sockets", ["rss", "http", "tls"], () =>
    measureProcess(ledger, clip, rate, slow),
  );
  await ledger.step("counting live runs", ["live-spread"], async () => {
    if (given !== "") {
      const notMeasured = "live runs are compared on the benchmark's own clip only";
      ledger.outcomes["live-spread"] = { notMeasured };
      return;
    }
    if (run === null) throw new Error("there is no repeatable run to compare with");
    await measureLive(ledger, clip, run);
  });
  await ledger.step("running the emulated camera", ["slot-image", "memory-38m", "power-on"], () =>
    measureEmulated(ledger),
  );
  const compared = await ledger.step("counting what one would run instead", [], () =>
    compare(footage),
  );
  const unavailable = "Debian's mipsel packages could not be had or run here";
  const none = { title: "ffmpeg, openssl, curl, dropbear", measured: "–", note: unavailable };
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    machine: await machine(),
    outcomes: ledger.outcomes,
    comparisons: [...(run === null ? [] : [ownRow(run)]), ...(compared ?? [none])],
    profile: ledger.profile,
    guest: ledger.guest,
  };
  return { report, details: ledger.details, failures: ledger.failures };
}
