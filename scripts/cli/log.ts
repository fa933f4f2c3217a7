/**
 * A camera's log for people. Its lines begin with the camera's monotonic clock, seconds since power-on (CLOCK_MONOTONIC); what
 * is kept of the boot before begins as the kernel writes it, in brackets, by that boot's own clock.
 */
import { isRefused } from "../../agent/seal/refusal.ts";
import type { CameraState } from "../owner/talk.ts";
import { showDuration, showTime } from "../owner/times.ts";

const STAMP = /^(\d{1,12})\.(\d{6}) /;

/** What the help says of it. */
export const LOG_CLOCK =
  "The camera writes seconds since power-on by its own clock; they are shown as local time where the camera knows the time,\nelse as +time since power-on. Lines that begin with [seconds] are of the boot before, by that boot's clock.";

/** When the camera was powered on, microseconds since 1970 UTC, by its newest status; null where it does not know. */
export function powerOn_us({ status }: Pick<CameraState, "status">): number | null {
  if (status === null || isRefused(status) || !status.secret?.wallUs) return null;
  return status.secret.wallUs - status.open.monotonicUs;
}

/** The lines with their times readable. @param zero_us as `powerOn_us` has it. */
export function showLog(log: string, zero_us: number | null): string {
  const lines = log.trimEnd().split("\n");
  return lines
    .map((line) => line.replace(STAMP, (_all, s, us) => stamp(s, us, zero_us)))
    .join("\n");
}

function stamp(seconds: string, micros: string, zero_us: number | null): string {
  const since_us = Number(seconds) * 1e6 + Number(micros);
  if (zero_us === null) return `+${showDuration(since_us)} `;
  const wall_us = zero_us + since_us;
  const milliseconds = String(Math.floor(wall_us / 1000) % 1000).padStart(3, "0");
  return `${showTime(wall_us)}.${milliseconds} `;
}
