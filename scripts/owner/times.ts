/**
 * Points in time as people write them on a command line.
 */
import { Problem } from "../build/problem.mjs";

const UNIT_S: { readonly [unit: string]: number } = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?$/;
const ISO =
  /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/i;

/** What --help says about times. */
export const TIME_HELP =
  'a time: 2026-05-01T14:00:00 (local, or with Z or an offset), 14:00, "today 14:00", "yesterday 14:00", -10m (ago), now';

/**
 * Reads a point in time.
 * @param text ISO 8601; `now`; `today`, `yesterday` or nothing before a time of day; `-1h30m` before now; and,
 *   where there is a `base`, `+30s` after it. Days and times of day are local.
 * @param now_us microseconds since 1970 UTC.
 * @param base_us what `+…` counts from.
 * @returns microseconds since 1970 UTC. Throws Problem where it is not a time.
 */
export function parseTime(text: string, now_us: number, base_us?: number): number {
  const words = text.trim().toLowerCase();
  if (words === "now") return now_us;
  if (words.startsWith("-")) return now_us - duration_us(words.slice(1), text);
  if (words.startsWith("+") && base_us !== undefined) {
    return base_us + duration_us(words.slice(1), text);
  }
  const [day, clock] = splitDay(words);
  if (day !== undefined) return onDay(now_us, day, clock, text);
  if (ISO.test(words)) {
    // A date alone would be read as UTC by ECMAScript, all else without an offset as local.
    const iso = words.length === 10 ? `${words}T00:00` : words.replace(" ", "T").replace(",", ".");
    const ms = Date.parse(iso.toUpperCase());
    if (Number.isFinite(ms)) return ms * 1000;
  }
  throw notATime(text);
}

/** The days before today that the words name, and the time of day, if words like these they are. */
function splitDay(words: string): [number | undefined, string] {
  if (CLOCK.test(words)) return [0, words];
  const match = /^(today|yesterday)(?:[ t]+(.+))?$/.exec(words);
  if (!match) return [undefined, ""];
  return [match[1] === "today" ? 0 : 1, match[2] ?? "0:00"];
}

function onDay(now_us: number, daysAgo: number, clock: string, text: string): number {
  const match = CLOCK.exec(clock);
  if (!match) throw notATime(text);
  const [hour, minute, second] = [match[1], match[2], match[3] ?? "0"].map(Number);
  if (hour === undefined || minute === undefined || second === undefined) throw notATime(text);
  if (hour > 23 || minute > 59 || second > 59) throw notATime(text);
  const at = new Date(now_us / 1000);
  at.setDate(at.getDate() - daysAgo);
  at.setHours(hour, minute, second, 0);
  return at.getTime() * 1000 + Number((match[4] ?? "").padEnd(6, "0"));
}

function duration_us(words: string, text: string): number {
  if (!/^(\d+(\.\d+)?[smhdw])+$/.test(words)) throw notATime(text);
  let seconds = 0;
  for (const [, amount, unit] of words.matchAll(/(\d+(?:\.\d+)?)([smhdw])/g)) {
    seconds += Number(amount) * (UNIT_S[unit ?? ""] ?? 0);
  }
  return Math.round(seconds * 1e6);
}

function notATime(text: string): Problem {
  return new Problem(`"${text}" is not a time; write ${TIME_HELP}.`);
}

/** Local time to the second, such as 2026-05-01 14:00:03. */
export function showTime(time_us: number): string {
  const at = new Date(time_us / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** A length of time for people, such as 4.2 s, 3 min 20 s, 2 h 5 min. */
export function showDuration(length_us: number): string {
  const seconds = length_us / 1e6;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A size for people, in powers of 1,000. */
export function showBytes(size_bytes: number): string {
  if (size_bytes < 1000) return `${size_bytes} B`;
  if (size_bytes < 1e6) return `${(size_bytes / 1e3).toFixed(1)} kB`;
  if (size_bytes < 1e9) return `${(size_bytes / 1e6).toFixed(1)} MB`;
  return `${(size_bytes / 1e9).toFixed(2)} GB`;
}
