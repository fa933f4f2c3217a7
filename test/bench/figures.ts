/** From runs to the figures that budgets are about. Pure. */
import type { CameraRun, Traffic } from "./camera.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { LiveRun } from "./live.ts";
import type { SealedBytes } from "./objects.ts";

const DAY_S = 86_400;

/** What the camera's work costs. */
export interface CameraCost {
  /** Instructions for each byte of footage. */
  readonly perByte: number;
  /** Millions of instructions a second. */
  readonly perSecond: number;
  /** Instructions before and beside the footage: loading, two handshakes, the first words to the broker. */
  readonly start: number;
}

export function cameraCost({ counts, traffic }: CameraRun): CameraCost {
  const perByte = counts.total.camera / traffic.frame_bytes;
  return {
    perByte,
    perSecond: counts.total.camera / traffic.seconds / 1e6,
    start: counts.total.start - perByte * traffic.frame_bytes_before,
  };
}

/** Bytes that sealing adds, in per cent of the MP4. */
export function sealingPercent({ objects, plain }: SealedBytes): number {
  return (objects / plain - 1) * 100;
}

/** Bytes that MP4 boxes add, in per cent of the frames. */
export function mp4Percent(sealed: SealedBytes, frameBytes: number): number {
  return (sealed.plain / frameBytes - 1) * 100;
}

/** What uploading adds, from the repeatable run: bytes a segment and per cent. */
export function worldUpload(traffic: Traffic): { http: number; tlsPercent: number } {
  const http = traffic.http_out + traffic.http_in;
  const wire = traffic.store_wire_out + traffic.store_wire_in;
  return {
    http: (http - traffic.object_bytes) / traffic.objects,
    tlsPercent: (wire / http - 1) * 100,
  };
}

/** Likewise from the store's log: every segment but those that opened a connection, whose share has the handshake in it. */
export function liveUpload(puts: LiveRun["puts"]): {
  http: number;
  tlsPercent: number;
  segments: number;
} {
  const segments = puts.filter((r) => !r.key.includes("/boot/") && r.requestOnConnection > 1);
  if (segments.length === 0) throw new Error("no segment was put over a connection in use");
  const sum = (of: (r: LiveRun["puts"][number]) => number) =>
    segments.reduce((total, r) => total + of(r), 0);
  const http = sum((r) => r.httpIn_bytes + r.httpOut_bytes);
  const wire = sum((r) => r.wireIn_bytes + r.wireOut_bytes);
  return {
    http: (http - sum((r) => r.bodyIn_bytes)) / segments.length,
    tlsPercent: (wire / http - 1) * 100,
    segments: segments.length,
  };
}

/** Instructions for each byte stored, from two live runs of different length: what starting costs cancels out. */
export function livePerByte(short: LiveRun, long: LiveRun): number {
  const stored = (run: LiveRun) => run.puts.reduce((sum, put) => sum + put.bodyIn_bytes, 0);
  if (short.counts === null || long.counts === null) throw new Error("nothing was counted");
  const instructions = long.counts.total.camera - short.counts.total.camera;
  return instructions / (stored(long) - stored(short));
}

/** The largest resident set that was seen, MB. */
export function residentMegabytes(looks: readonly GuestMemory[]): number {
  if (looks.length === 0) throw new Error("memory was not looked at");
  return Math.max(...looks.map(({ agent }) => agent)) / 1e6;
}

/** How memory moves over a soak. */
export interface Growth {
  /** Highest the heap was, MB. */
  readonly heapMegabytes: number;
  /** From the first half's least allocation to the second half's: right after collections, of which each half has some. */
  readonly driftBytes: number;
  /** The same, KB in 24 h. */
  readonly kilobytesADay: number;
  /** Between the most that was mapped in either half, KB: whole pages, too coarse to be scaled. */
  readonly mappedDriftKilobytes: number;
}

export function growth({ seconds, heap_high, allocated_low, mapped_high }: Traffic): Growth {
  if (Math.min(...allocated_low) <= 0) throw new Error("allocations were not counted");
  const half = allocated_low.length / 2;
  const least = (list: readonly number[]) => Math.min(...list);
  const most = (list: readonly number[]) => Math.max(...list);
  const driftBytes = least(allocated_low.slice(half)) - least(allocated_low.slice(0, half));
  return {
    heapMegabytes: most(heap_high) / 1e6,
    driftBytes,
    kilobytesADay: (driftBytes * DAY_S) / (seconds / 2) / 1000,
    mappedDriftKilobytes: (most(mapped_high.slice(half)) - most(mapped_high.slice(0, half))) / 1000,
  };
}
