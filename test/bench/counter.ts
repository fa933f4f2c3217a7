/**
 * Counts the instructions of a mipsel program with native/bench/count.c, the QEMU plugin.
 *
 * The program gets an empty environment and fixed arguments, so that what it finds on its stack is the
 * same each time; a program that asks for nothing else that varies gives the same counts every run.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ensure } from "../../scripts/build/ensure.mjs";

/** For whom instructions were counted: enum mark_region in native/bench/mark.h. */
export const regions = ["camera", "world", "start"] as const;
export type Region = (typeof regions)[number];

/** Instructions of one run. */
export interface Counts {
  /** Sum of each region. */
  readonly total: Readonly<Record<Region, number>>;
  /** By function name ("-": outside of any), of each region. */
  readonly functions: Readonly<Record<Region, ReadonlyMap<string, number>>>;
  /** What the program printed on standard output. */
  readonly stdout: string;
}

/** What a run may set beside its arguments. */
export interface CountOptions {
  readonly cwd?: string;
  /** Environment of the program; default: none. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the run with an error. Default: 20 minutes. */
  readonly timeoutMs?: number;
  /** False: only run, nothing is counted. */
  readonly plugin?: boolean;
  /** Further arguments of qemu-mipsel, such as ["-L", directory]. */
  readonly qemu?: readonly string[];
}

/** QEMU's own part in what a program can notice: its random bytes, the program's name, no variables. */
const FIXED = ["-seed", "1", "-0", "program", "-U", "PATH"];

function uncounted(stdout: string): Counts {
  const none: ReadonlyMap<string, number> = new Map();
  return {
    total: { camera: 0, world: 0, start: 0 },
    functions: { camera: none, world: none, start: none },
    stdout,
  };
}

/** Parses what count.c writes: lines of region, instructions, function, separated by tabs. */
export function parseCounts(text: string, stdout: string): Counts {
  const total = { camera: 0, world: 0, start: 0 };
  const functions = {
    camera: new Map<string, number>(),
    world: new Map<string, number>(),
    start: new Map<string, number>(),
  };
  for (const line of text.trimEnd().split("\n")) {
    const [number, count, name] = line.split("\t");
    const region = regions[Number(number)];
    const instructions = Number(count);
    if (region === undefined || name === undefined || !Number.isSafeInteger(instructions)) {
      throw new Error(`count.c wrote a line that is none: ${line}`);
    }
    total[region] += instructions;
    functions[region].set(name, instructions);
  }
  return { total, functions, stdout };
}

/**
 * Runs a program to its end under the counter. Rejects where it does not end with status 0: the
 * error's text holds what it printed.
 */
export async function count(
  program: string,
  args: readonly string[],
  options: CountOptions = {},
): Promise<Counts> {
  const plugin = join(await ensure("bench-counter"), "count.so");
  const directory = mkdtempSync(join(tmpdir(), "ocellus-count-"));
  const out = join(directory, "counts");
  const counting = options.plugin === false ? [] : ["-plugin", `${plugin},out=${out}`];
  const variables = Object.entries(options.env ?? {}).flatMap(([k, v]) => ["-E", `${k}=${v}`]);
  try {
    const { stdout } = await promisify(execFile)(
      "qemu-mipsel",
      [...FIXED, ...variables, ...(options.qemu ?? []), ...counting].concat(program, args),
      {
        cwd: options.cwd,
        env: { PATH: process.env.PATH },
        timeout: options.timeoutMs ?? 20 * 60_000,
        maxBuffer: 16 << 20,
      },
    );
    const text = options.plugin === false ? null : readFileSync(out, "utf8");
    return text === null ? uncounted(stdout) : parseCounts(text, stdout);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
