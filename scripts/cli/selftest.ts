/** `ocellus selftest`: a camera on a clip, compared frame by frame with what its owner gets back. */
import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { Problem } from "../build/problem.mjs";
import { VARIANTS, type Variant } from "../camera/host.ts";
import { faultIn, type Report } from "../camera/report.ts";
import { selftest, type TestedKind } from "../camera/selftest.ts";
import { showBytes } from "../owner/times.ts";
import { memory } from "./memory.ts";
import { Misuse } from "./misuse.ts";
import { startProgress } from "./progress.ts";

interface Flags {
  readonly footage: string;
  readonly loops: number;
  readonly on: "host" | "qemu";
  readonly variant?: Variant;
  readonly mem?: number;
  readonly out: string;
  readonly json?: true;
}

/** The command, to be added to the program. */
export function selftestCommand(): Command {
  return new Command("selftest")
    .description("run a camera on a clip with a private cloud and compare every frame that arrives")
    .requiredOption("--footage <file>", "H.264, or any file that ffmpeg reads")
    .requiredOption("--out <dir>", "gets footage.mp4, report.json and input.h264")
    .option("--loops <number>", "times to play it", times, 1)
    .addOption(
      new Option("--on <where>", "host processes or the emulated camera")
        .choices(["host", "qemu"])
        .default("host"),
    )
    .addOption(
      new Option(
        "--variant <build>",
        "with --on host: which build of the programs (default: host)",
      ).choices([...VARIANTS]),
    )
    .option(
      "--mem <size>",
      "with --on qemu: memory that Linux is told of, such as 38M (default: the board's)",
      memory,
    )
    .option("--json", "print the report")
    .addHelpText("after", HELP)
    .action(run);
}

/** What is judged stands in `faultIn`, what is reported in `Report`. */
const HELP = `
It ends with 0 where all of this holds, else with 1 and a sentence that says what does not:
  every frame that was fed came back, in order and bit by bit, and none else: frames_in, frames_out and
    frames_identical are the same number, above 0 (a frame is its NAL units without access-unit delimiters and
    parameter sets, as ffmpeg extracts them)
  the parameter sets in force at each key frame are those that were fed: parameter_sets_equal
  the camera listened on no TCP or UDP port: listening_sockets is 0
  its agent ran without root, and never had to be started again: unprivileged, restarts

DIR/report.json also has, not judged:
  on, variant, board, mem, slot_bytes, build    what was tested
  transcoded                                    whether the clip had to be made into what a camera produces first
  segments, bytes_video, bytes_sealed, sealing_overhead_percent
  first_segment_s                               from the start of the camera to its first segment in the store
  rss_kb, rss_peak_kb, heap_kb, mem_available_kb  memory of the agent, of its engine, left on the camera; with
                                                --variant mipsel rss_kb and rss_peak_kb include QEMU's user-mode emulator
  listening                                     the ports, where there were any
  frames_lost, gaps, duration_s                 as the camera and the joined film tell

DIR/input.h264 is what was fed, DIR/footage.mp4 what came back, DIR/camera.log what the camera said.

Exit status: 0 every frame came back as it was fed; 1 it did not, or there is no report; 2 wrong usage`;

function times(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("it takes a whole number from 1 on.");
}

function kindOf({ on, variant, mem }: Flags): TestedKind {
  if (on === "host") {
    if (mem !== undefined) throw new Misuse("--mem goes with --on qemu only.");
    return { on, variant: variant ?? "host" };
  }
  if (variant !== undefined) throw new Misuse("--variant goes with --on host only.");
  return mem === undefined ? { on } : { on, mem_bytes: mem };
}

async function run(flags: Flags): Promise<void> {
  const camera = kindOf(flags);
  const progress = startProgress();
  const stop = new AbortController();
  const interrupted = () => stop.abort();
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  try {
    const { footage, loops } = flags;
    const out = resolve(flags.out);
    const options = { footage, loops, camera, out, show: progress.show, signal: stop.signal };
    const report = await selftest(options);
    progress.end();
    process.stdout.write(`${flags.json ? JSON.stringify(report, null, 2) : describe(report)}\n`);
    const fault = faultIn(report);
    if (fault !== null) throw new Problem(fault);
    process.exit(0);
  } catch (error) {
    progress.end();
    if (!stop.signal.aborted) throw error;
    console.error("ocellus: stopped before the end; there is no report.");
    process.exit(1);
  }
}

function describe(report: Report): string {
  const { frames_identical, frames_in, segments, bytes_sealed, first_segment_s } = report;
  return [
    `${frames_identical} of ${frames_in} frames came back as they were fed${report.transcoded ? " (after transcoding)" : ""}.`,
    `${segments} segments, ${showBytes(bytes_sealed)} sealed (${report.sealing_overhead_percent} % more than the video), the first after ${first_segment_s} s.`,
    `Agent: ${report.rss_kb} kB resident${report.variant === "mipsel" ? " with the emulator" : ""}, engine ${report.heap_kb} kB, ${report.listening_sockets} listening sockets.`,
  ].join("\n");
}
