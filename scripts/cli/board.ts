/**
 * What `ocellus run` shows: a few lines about the camera, rewritten in place on a terminal; elsewhere a line whenever
 * something changes, and now and then.
 */
import { ocellus } from "#proto";
import { isRefused } from "../../agent/seal/refusal.ts";
import { shown } from "../build/shown.mjs";
import type { CameraState } from "../owner/talk.ts";
import { showBytes, showTime } from "../owner/times.ts";
import { columns } from "./owner-options.ts";

const { StageName, StageState } = ocellus.v1;
const QUIET_MS = 30_000;

/** What is known of the footage that arrived. */
export interface Stored {
  readonly segments: number;
  readonly bytes: number;
  /** End of the newest segment, microseconds since 1970; null while the camera does not know the time. */
  readonly newest_us: number | null;
}

/**
 * The lines for a moment.
 * @param isStarting what is known of the camera is still what the broker kept of an earlier start.
 */
export function boardRows(
  state: CameraState,
  stored: Stored,
  isStarting: boolean,
): [string, string][] {
  const { trusted } = state;
  const { status, connected } = isStarting ? { status: null, connected: null } : state;
  const link = connected === null ? "starting" : connected ? "connected" : "not connected";
  const secret = status !== null && !isRefused(status) ? status.secret : null;
  const [main] = secret?.streams ?? [];
  const picture = main?.width ? `, ${main.width}x${main.height}` : "";
  const time =
    stored.newest_us === null ? "time not known yet" : `newest ${showTime(stored.newest_us)}`;
  const newest = stored.segments > 0 ? `, ${time}` : "";
  const rows: [string, string][] = [
    [trusted.name, `${link}${picture}`],
    ["stored", `${stored.segments} segments, ${showBytes(stored.bytes)}${newest}`],
  ];
  if (secret) {
    rows.push(["queue", `${showBytes(secret.queueBytes)} of ${showBytes(secret.queueLimitBytes)}`]);
    rows.push(["memory", `${secret.rssKb} kB, engine ${secret.heapKb} kB`]);
  }
  return [...rows, ...troubles(secret)];
}

/** Stages that are not well, with their reasons; one line that all are where they are. */
function troubles(secret: ocellus.v1.StatusPrivate | null): [string, string][] {
  if (!secret) return [["stages", "no status yet"]];
  const unwell = secret.stages.filter((stage) => stage.state !== StageState.STAGE_OK);
  if (unwell.length === 0) return [["stages", "all well"]];
  return unwell.map((stage) => [
    (StageName[stage.name ?? 0] ?? "").replace("STAGE_", "").toLowerCase(),
    stage.reason || (stage.state === StageState.STAGE_STARTING ? "starting" : "in trouble"),
  ]);
}

/** Shows lines. */
export interface Board {
  show(rows: readonly (readonly [string, string])[]): void;
  /** Shows a line that stays above them. */
  tell(sentence: string): void;
  /** Shows lines of ours that stay above them, as they are. */
  print(lines: string): void;
}

/** Shows nothing. */
export const SILENT_BOARD: Board = { show() {}, tell() {}, print() {} };

/** Where it is shown: a terminal of so many columns, or something that keeps every line. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Starts below what was printed so far. */
export function startBoard(stream: Screen = process.stdout): Board {
  let height = 0;
  let said = "";
  let said_ms = 0;
  const print = (lines: string) => {
    if (height > 0) stream.write(`\x1b[${height}A\x1b[J`);
    height = 0;
    stream.write(`${lines}\n`);
  };
  return {
    print,
    tell: (sentence) => print(`  ${shown(sentence)}`),
    show(rows) {
      if (stream.isTTY) {
        const width = (stream.columns || 80) - 1;
        const lines = columns(rows.map(([name, value]) => [`  ${name}`, value]))
          .split("\n")
          .map((line) => `\x1b[K${line.slice(0, width)}\n`);
        stream.write(`${height > 0 ? `\x1b[${height}A` : ""}${lines.join("")}\x1b[J`);
        height = lines.length;
        return;
      }
      // Counts change all the time; what is said is that something else did.
      const kind = rows.filter(
        ([name]) => name !== "stored" && name !== "queue" && name !== "memory",
      );
      const text = kind.map(([name, value]) => `${name}: ${value}`).join("; ");
      const stored = rows.find(([name]) => name === "stored");
      const counts = stored?.[1] ?? "";
      // But the first segment is what everybody waits for.
      const news = `${text} ${counts.startsWith("0 ")}`;
      if (news === said && Date.now() - said_ms < QUIET_MS) return;
      said = news;
      said_ms = Date.now();
      stream.write(`${text}${stored ? `; stored ${counts}` : ""}\n`);
    },
  };
}
