/** The whole camera in QEMU, by its self-test: what its image takes, how much memory it leaves, how soon it stores footage. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensure } from "../../scripts/build/ensure.mjs";
import { faultIn, type Report } from "../../scripts/camera/report.ts";
import { selftest } from "../../scripts/camera/selftest.ts";
import type { Ledger } from "./ledger.ts";
import type { GuestLine } from "./table.ts";

/** Runs it with so much memory, on the default clip. Throws where it does not give every frame back. */
async function run(mem_bytes: number): Promise<Report> {
  const out = await mkdtemp(join(tmpdir(), "ocellus-bench-emulated-"));
  try {
    const report = await selftest({
      footage: join(await ensure("clip-default"), "clip.h264"),
      ...{ loops: 1, out, camera: { on: "qemu", mem_bytes } },
      show: () => {},
      signal: new AbortController().signal,
    });
    const fault = faultIn(report);
    if (fault !== null) throw new Error(fault);
    return report;
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

/** Both ends of what a camera may have. */
export async function measureEmulated(ledger: Ledger): Promise<void> {
  const most = await run(64 << 20);
  const least = await run(38 << 20);
  ledger.details.emulated = { "64M": most, "38M": least };
  ledger.guest = guestLines(most, least);
  const { slot_bytes = Number.NaN, first_segment_s } = most;
  ledger.outcomes["slot-image"] = {
    value: slot_bytes,
    note: "emulated camera, its development image, which is the larger",
  };
  const { frames_identical, mem_available_kb } = least;
  ledger.outcomes["memory-38m"] = {
    value: 38,
    note: `emulated: ${frames_identical} frames came back as they were fed, ${mem_available_kb} kB available at the end`,
  };
  ledger.outcomes["power-on"] = {
    value: first_segment_s,
    note: "emulated, paired, on the default clip; QEMU on this machine",
  };
}

/** What is read in the guest, side by side. */
export function guestLines(most: Report, least: Report): GuestLine[] {
  const kb = (title: string, of: (report: Report) => number | undefined): GuestLine => {
    const cell = (report: Report) => `${of(report)?.toLocaleString("en-US") ?? "–"} kB`;
    return { title, at64M: cell(most), at38M: cell(least) };
  };
  return [
    kb("agent, resident, ring and queue included", (report) => report.rss_peak_kb),
    kb("its QuickJS heap", (report) => report.heap_kb),
    kb("MemAvailable of Linux at the end", (report) => report.mem_available_kb),
    {
      title: "power-on to first sealed segment in the store",
      at64M: `${most.first_segment_s.toFixed(1)} s`,
      at38M: `${least.first_segment_s.toFixed(1)} s`,
    },
  ];
}
