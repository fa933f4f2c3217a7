/**
 * A camera of host processes: the encoder (a clip in real time) and the agent, each supervised, in one directory.
 *
 *     bin/             the programs and the agent's bytecode, copied, so that an unprivileged user can reach them
 *     clip.h264        what the encoder plays; for it alone to read
 *     encoder/         the encoder's own; the agent may pass through
 *       door           its socket: the encoder and the agent's group may connect
 *     provision.json   until the camera is paired; for the agent alone
 *     state/           the agent's durable state, its own
 *
 * Where we are root each runs as a user of its own (accounts.ts), and the directory stays ours; where we are not, both run
 * as we do and nothing stands between them. Everything is named relative to the directory, so that only it must be
 * reachable for them. Both end with this process, however that ends.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readBoard } from "../board/board.mjs";
import { checkout, ensure } from "../build/ensure.mjs";
import { findProgram, unprivileged } from "../cloud/system.ts";
import { AGENT, AGENT_USER, canSeparate, ENCODER } from "./accounts.ts";
import { makeDirectory, placeCopy, placeText, ROOT, takeOver } from "./layout.ts";
import { type Exit, Supervisor, unasked } from "./supervise.ts";

/** Which build of the C runs: plain, with sanitizers, or the camera's own under user-mode emulation. */
export type Variant = "host" | "asan" | "mipsel";

export const VARIANTS: readonly Variant[] = ["host", "asan", "mipsel"];

/** How a camera is set up. */
export interface HostCameraOptions {
  /** Made if missing; an existing one is gone on with. */
  readonly directory: string;
  readonly variant: Variant;
  /** Memory for sealed footage that waits, bytes; the board's by default. */
  readonly queue_bytes?: number;
  /** Told each line of both logs. */
  readonly onLine?: (from: "agent" | "encoder", line: string) => void;
  /** Told of each end of a process. */
  readonly onExit?: (from: "agent" | "encoder", exit: Exit, then: "again" | "over") => void;
  /** Added to the environment of both. */
  readonly env?: Readonly<Record<string, string>>;
  /** Start the agent as root, where we are, and let it give that up by itself, as on a camera. It can outlive us then. */
  readonly startAsRoot?: boolean;
}

/** What the encoder plays. */
export interface Play {
  /** Annex B, as `prepareClip` makes it. Copied. */
  readonly clip: string;
  /** What else `prepareClip` wants the encoder to be told, such as the frame rate. */
  readonly args: readonly string[];
  /** Times to play it; 0 for ever. */
  readonly loops: number;
  /** Times as fast as the clip's own clock; 1 by default. */
  readonly rate?: number;
}

/** What these cameras are, by its data in buildroot/board. */
const BOARD = "host/process";

/** Exit statuses of the agent (native/host/options.c). */
const STATUS = { stopped: 0, usage: 64, setup: 71, reboot: 76 } as const;

/** A camera. Nothing runs until it is told to; the holder calls `stop`. */
export class HostCamera {
  readonly options: HostCameraOptions;
  readonly #wrapped: readonly string[];
  #agent: Supervisor | null = null;
  #encoder: Supervisor | null = null;
  #lastLine = { agent: "", encoder: "" };

  private constructor(options: HostCameraOptions, wrapped: readonly string[]) {
    this.options = options;
    this.#wrapped = wrapped;
  }

  /** Builds what is missing and lays out the directory. Throws Problem where that fails. */
  static async create(options: HostCameraOptions): Promise<HostCamera> {
    const native = await ensure(`native-${options.variant}`);
    const bytecode = await ensure("bytecode");
    const emulator =
      options.variant === "mipsel" ? [await findProgram("qemu-mipsel", "qemu-user")] : [];
    const camera = new HostCamera(options, emulator);
    const at = (...name: string[]) => join(options.directory, ...name);
    await makeDirectory(at(), 0o711, ROOT);
    await makeDirectory(at("bin"), 0o711, ROOT);
    for (const program of ["ocellus-camera", "ocellus-canned"]) {
      await placeCopy(join(native, "bin", program), at("bin", program), 0o755, ROOT);
    }
    await placeCopy(join(bytecode, "agent.bin"), at("bin", "agent.bin"), 0o644, ROOT);
    // Set-group-id: the socket that the encoder makes in it belongs to the agent's group.
    await makeDirectory(at("encoder"), 0o2710, { uid: ENCODER.uid, gid: AGENT.gid });
    await makeDirectory(at("state"), 0o700, AGENT);
    if (canSeparate()) await takeOver(at("state"), AGENT);
    return camera;
  }

  /** Process ids of what runs now: agent, encoder. */
  get pids(): readonly number[] {
    return [this.#agent?.pid, this.#encoder?.pid].flatMap((pid) => pid ?? []);
  }

  get agent(): Supervisor | null {
    return this.#agent;
  }

  get encoder(): Supervisor | null {
    return this.#encoder;
  }

  /** Puts the provisioning file into the camera. An agent that runs and has no identity finds it within seconds. */
  async provision(file: string): Promise<void> {
    await placeText(file, join(this.options.directory, "provision.json"), 0o600, AGENT);
  }

  /** Removes it: after pairing it is of no use to the camera. */
  async forgetProvisioning(): Promise<void> {
    await rm(join(this.options.directory, "provision.json"), { force: true });
  }

  /** Starts the agent. @param reset ask it to erase everything that belongs to its owner; it ends when that is done. */
  async startAgent(reset = false): Promise<void> {
    const queue_bytes = this.options.queue_bytes ?? readBoard(checkout, BOARD).queue_bytes;
    const command = [
      ...[
        "bin/ocellus-camera",
        "--bytecode",
        "bin/agent.bin",
        "--state",
        "state",
        "--door",
        "encoder/door",
      ],
      ...["--provision", "provision.json"],
      ...(canSeparate() ? ["--user", AGENT_USER] : []),
      ...["--board", BOARD, "--queue-bytes", String(queue_bytes)],
      ...(reset ? ["--reset"] : []),
    ];
    this.#agent = await this.#supervise("agent", command);
  }

  /** Starts the encoder, which waits for the agent before it plays, so that the first frame is seen. */
  async startEncoder({ clip, args, loops, rate }: Play): Promise<void> {
    // Not into the encoder's own directory, where it could have root write through a name of its choice.
    const readers = { uid: ROOT.uid, gid: ENCODER.gid };
    await placeCopy(clip, join(this.options.directory, "clip.h264"), 0o640, readers);
    await rm(join(this.options.directory, "encoder/door"), { force: true });
    const command = [
      ...["bin/ocellus-canned", "--clip", "clip.h264", "--socket", "encoder/door"],
      "--wait",
      ...["--loops", String(loops), ...(rate === undefined ? [] : ["--rate", String(rate)])],
      ...args,
    ];
    this.#encoder = await this.#supervise("encoder", command);
  }

  /** Ends the agent alone. */
  async stopAgent(): Promise<void> {
    await this.#agent?.stop();
    this.#agent = null;
  }

  /** Ends the encoder alone. */
  async stopEncoder(): Promise<void> {
    await this.#encoder?.stop();
    this.#encoder = null;
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    await this.stopAgent();
    await this.stopEncoder();
  }

  /** Throws Problem where the agent or the encoder has ended for good without having been asked. */
  check(): void {
    const over = this.#agent?.over;
    if (over && over.status !== STATUS.stopped) {
      throw unasked("the camera's agent", over, this.#lastLine.agent);
    }
    const encoder = this.#encoder?.over;
    if (encoder && encoder.status !== 0) {
      throw unasked("the camera's encoder", encoder, this.#lastLine.encoder);
    }
  }

  async #supervise(from: "agent" | "encoder", program: readonly string[]): Promise<Supervisor> {
    const { directory, variant, startAsRoot, onLine, onExit } = this.options;
    const command = [...this.#wrapped, ...program];
    const account = from === "agent" ? AGENT : ENCODER;
    const wrapped =
      from === "agent" && startAsRoot === true
        ? command
        : await unprivileged(canSeparate() ? account : undefined, command);
    return new Supervisor({
      name: from,
      command: (reason) => (from === "agent" ? [...wrapped, "--start-reason", reason] : wrapped),
      cwd: directory,
      env: { ...environment(variant), ...this.options.env },
      onLine: (line) => {
        this.#lastLine[from] = line;
        onLine?.(from, line);
      },
      onExit: (exit, then) => onExit?.(from, exit, then),
      judge: (exit) => (from === "agent" ? judgeAgent(exit) : judgeEncoder(exit)),
    });
  }
}

function judgeAgent({ status }: Exit): "over" | "again" | "reboot" {
  if (status === STATUS.reboot) return "reboot";
  // Its command line or this machine is at fault: starting it again cannot help.
  const hopeless = status === STATUS.usage || status === STATUS.setup || status === 127;
  return status === STATUS.stopped || hopeless ? "over" : "again";
}

/** 0: the clip is over. 1 and 2: it says what is wrong with the clip or the command line. A signal: it was killed. */
function judgeEncoder({ status }: Exit): "over" | "again" {
  return status === null ? "again" : "over";
}

/**
 * The sanitizers' findings end the process with a signal, so that the supervisor and tests see them. Leaks are looked for
 * where it ends in order, after it gave up root too: nothing is kept that would have to be suppressed.
 */
function environment(variant: Variant): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  const base: NodeJS.ProcessEnv = {};
  if (PATH) base.PATH = PATH;
  if (HOME) base.HOME = HOME;
  if (TMPDIR) base.TMPDIR = TMPDIR;
  if (variant !== "asan") return base;
  return {
    ...base,
    ASAN_OPTIONS: "abort_on_error=1:detect_leaks=1",
    UBSAN_OPTIONS: "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
  };
}
