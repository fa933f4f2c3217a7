/** All measurements, one after another. */
import { cpus, release } from "node:os";
import { basename, join } from "node:path";
import { ensure } from "../../scripts/build/ensure.mjs";
import { Problem } from "../../scripts/build/problem.mjs";
import { capture } from "../../scripts/build/process.mjs";
import { compare } from "./comparisons.ts";
import { Ledger } from "./ledger.ts";
import { measureCpu, measureLive, measureProcess, measureSealing, measureSoak } from "./measure.ts";
import type { Report } from "./table.ts";

const SOAK_H = 2 / 3;

/** Everything that one run found. */
export interface Result {
  readonly report: Report;
  readonly details: Ledger["details"];
  /** What went wrong, with stacks; empty where all was measured that can be. */
  readonly failures: readonly string[];
}

function soakHours(): number {
  const text = process.env.OCELLUS_BENCH_SOAK_H;
  const hours = text === undefined ? SOAK_H : Number(text);
  if (hours >= 0.01 && hours <= 240) return hours;
  throw new Problem(`OCELLUS_BENCH_SOAK_H takes hours from 0.01 to 240, not "${text}".`);
}

async function machine(): Promise<string> {
  const [cpu] = cpus();
  const qemu = await capture("qemu-mipsel", ["--version"]);
  const version = /version (\S+)/.exec(qemu.stdout)?.[1] ?? "?";
  const model = cpu?.model.replace(/\s+/g, " ").trim() ?? "unknown processor";
  return `${cpus().length} × ${model}, Linux ${release()}, qemu-mipsel ${version}`;
}

/** Measures all of it: about ten minutes, and what has to be built first. */
export async function runBench(): Promise<Result> {
  const hours = soakHours();
  const ledger = new Ledger();
  const clip = join(await ensure("bench-clip"), "clip.h264");
  const slowClip = join(await ensure("bench-clip-1mbit"), "clip.h264");
  const given = process.env.FOOTAGE ?? "";
  const [footage, name] = given === "" ? [clip, "1080p"] : [given, basename(given)];
  const run = await ledger.step("counting floor and camera", ["cpu-per-byte", "load"], () =>
    measureCpu(ledger, footage, name),
  );
  const slow = await ledger.step("measuring what sealing adds", ["sealing"], () =>
    measureSealing(ledger, slowClip),
  );
  await ledger.step("soaking", ["heap", "flat"], () => measureSoak(ledger, clip, hours));
  await ledger.step("looking at memory and sockets", ["rss", "http", "tls"], () =>
    measureProcess(ledger, clip, slow),
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
  const compared = await ledger.step("counting what one would run instead", [], () =>
    compare(footage),
  );
  const unavailable = "Debian's mipsel packages could not be had or run here";
  const none = { title: "ffmpeg, openssl, curl, dropbear", measured: "–", note: unavailable };
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    machine: await machine(),
    outcomes: ledger.outcomes,
    comparisons: compared ?? [none],
    profile: ledger.profile,
  };
  return { report, details: ledger.details, failures: ledger.failures };
}
