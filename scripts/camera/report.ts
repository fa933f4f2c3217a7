/** What the self-test found: report.json, and what is wrong with it. */
import type { Comparison } from "./compare.ts";
import type { Variant } from "./host.ts";
import type { ListeningSocket } from "./observe.ts";

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
  /** Of the agent at the end, as the system (with `mipsel`, emulator included) and as its engine count it. */
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

/** A figure as reports have it. */
export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
