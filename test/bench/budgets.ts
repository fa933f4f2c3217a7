/**
 * The budgets of the design, each in one place: what is promised, and how it is measured. `make bench`
 * prints them as a table; nothing else states a limit.
 */

/** One promise. */
export interface Budget {
  /** Short name, unique; the key in bench.json. */
  readonly id: string;
  readonly title: string;
  /** The limit as people read it, unit included. */
  readonly target: string;
  /** The measured value must not be above this, in `unit`. */
  readonly limit: number;
  readonly unit: string;
  /** Decimals shown of a measured value. */
  readonly decimals: number;
}

export const budgets = [
  {
    id: "slot-image",
    title: "slot image (kernel + rootfs + agent)",
    target: "≤ 3,686,400 B",
    limit: 3_686_400,
    unit: "B",
    decimals: 0,
  },
  {
    id: "memory-38m",
    title: "whole system in mem=38M",
    target: "runs",
    limit: 38,
    unit: "MiB",
    decimals: 0,
  },
  {
    id: "rss",
    title: "agent's resident memory without ring and queue",
    target: "≤ 10 MB",
    limit: 10,
    unit: "MB",
    decimals: 2,
  },
  {
    id: "heap",
    title: "QuickJS heap",
    target: "≤ 3 MB",
    limit: 3,
    unit: "MB",
    decimals: 2,
  },
  {
    id: "flat",
    title: "growth of memory over 24 h of footage",
    target: "flat: ≤ 256 KB",
    limit: 256,
    unit: "KB",
    decimals: 0,
  },
  {
    id: "cpu-per-byte",
    title: "instructions per byte, against the C floor",
    target: "≤ 1.15 ×",
    limit: 1.15,
    unit: "×",
    decimals: 3,
  },
  {
    id: "load",
    title: "load at 1080p, 25 fps, 2 Mbit/s",
    target: "≤ 43 M instructions/s",
    limit: 43,
    unit: "M/s",
    decimals: 2,
  },
  {
    id: "live-spread",
    title: "live run against the repeatable one",
    target: "≤ 1 % apart",
    limit: 1,
    unit: "%",
    decimals: 2,
  },
  {
    id: "power-on",
    title: "power-on to first sealed segment in the store",
    target: "≤ 10 s",
    limit: 10,
    unit: "s",
    decimals: 1,
  },
  {
    id: "live-latency",
    title: "live, capture to screen, median",
    target: "≤ 500 ms",
    limit: 500,
    unit: "ms",
    decimals: 0,
  },
  {
    id: "sealing",
    title: "sealing overhead at 1 Mbit/s, two recipients",
    target: "≤ 0.5 %",
    limit: 0.5,
    unit: "%",
    decimals: 3,
  },
  {
    id: "http",
    title: "HTTP beside the object, both ways, per segment",
    target: "≤ 1,500 B",
    limit: 1500,
    unit: "B",
    decimals: 0,
  },
  {
    id: "tls",
    title: "TLS beside HTTP, both ways",
    target: "≤ 0.3 %",
    limit: 0.3,
    unit: "%",
    decimals: 3,
  },
] as const satisfies readonly Budget[];

export type BudgetId = (typeof budgets)[number]["id"];
