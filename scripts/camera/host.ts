/**
 * A camera of host processes: the encoder (a clip in real time) and the agent, each supervised, in one directory.
 *
 *     bin/             the programs and the agent's bytecode, copied, so that an unprivileged user can reach them
 *     clip.h264        what the encoder plays
 *     provision.json   until the camera is paired
 *     state/           the agent's durable state
 *     door             the encoder's socket
 *
 * Where we are root both run as nobody. Everything is named relative to the directory, so that only it must be
 * reachable for them. Both end with this process, however that ends.
 */
import { chown, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ensure } from "../build/ensure.mjs";
import { type Account, findProgram, serverAccount, unprivileged } from "../cloud/system.ts";
import { type Exit, Supervisor, unasked } from "./supervise.ts";

/** Which build of the C runs: plain, with sanitizers, or the camera's own under user-mode emulation. */
export type Variant = "host" | "asan" | "mipsel";

export const VARIANTS: readonly Variant[] = ["host", "asan", "mipsel"];

/** How a camera is set up. */
export interface HostCameraOptions {
  /** Made if missing; an existing one is gone on with. */
  readonly directory: string;
  readonly variant: Variant;
  /** Memory for sealed footage that waits, bytes; default the agent's own. */
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

/** Exit statuses of the agent (native/host/options.c). */
const STATUS = { stopped: 0, usage: 64, setup: 71, reboot: 76 } as const;

/** A camera. Nothing runs until it is told to; the holder calls `stop`. */
export class HostCamera {
  readonly options: HostCameraOptions;
  readonly #account: Account | undefined;
  readonly #wrapped: readonly string[];
  #agent: Supervisor | null = null;
  #encoder: Supervisor | null = null;
  #lastLine = { agent: "", encoder: "" };

  private constructor(
    options: HostCameraOptions,
    account: Account | undefined,
    wrapped: readonly string[],
  ) {
    this.options = options;
    this.#account = account;
    this.#wrapped = wrapped;
  }

  /** Builds what is missing and lays out the directory. Throws Problem where that fails. */
  static async create(options: HostCameraOptions): Promise<HostCamera> {
    const native = await ensure(`native-${options.variant}`);
    const bytecode = await ensure("bytecode");
    const account = await serverAccount(["nobody"]);
    const emulator =
      options.variant === "mipsel" ? [await findProgram("qemu-mipsel", "qemu-user")] : [];
    const camera = new HostCamera(options, account, emulator);
    const { directory } = options;
    await camera.#makeDirectory(directory);
    await camera.#makeDirectory(join(directory, "bin"));
    for (const program of ["ocellus-camera", "ocellus-canned"]) {
      await camera.#copy(join(native, "bin", program), join("bin", program));
    }
    await camera.#copy(join(bytecode, "agent.bin"), join("bin", "agent.bin"));
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

  /** Puts the provisioning file into the camera, for the next start of the agent. */
  async provision(file: string): Promise<void> {
    await this.#write("provision.json", file);
  }

  /** Removes it: after pairing it is of no use to the camera. */
  async forgetProvisioning(): Promise<void> {
    await rm(join(this.options.directory, "provision.json"), { force: true });
  }

  /** Starts the agent. @param reset ask it to erase everything that belongs to its owner; it ends when that is done. */
  async startAgent(reset = false): Promise<void> {
    const { queue_bytes } = this.options;
    const command = [
      ...[
        "bin/ocellus-camera",
        "--bytecode",
        "bin/agent.bin",
        "--state",
        "state",
        "--door",
        "door",
      ],
      ...["--provision", "provision.json"],
      ...(queue_bytes === undefined ? [] : ["--queue-bytes", String(queue_bytes)]),
      ...(reset ? ["--reset"] : []),
    ];
    this.#agent = await this.#supervise("agent", command, this.options.startAsRoot === true);
  }

  /** Starts the encoder, which waits for the agent before it plays, so that the first frame is seen. */
  async startEncoder({ clip, args, loops, rate }: Play): Promise<void> {
    await this.#copy(clip, "clip.h264");
    await rm(join(this.options.directory, "door"), { force: true });
    const command = [
      ...["bin/ocellus-canned", "--clip", "clip.h264", "--socket", "door", "--wait"],
      ...["--loops", String(loops), ...(rate === undefined ? [] : ["--rate", String(rate)])],
      ...args,
    ];
    this.#encoder = await this.#supervise("encoder", command, false);
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

  async #supervise(
    from: "agent" | "encoder",
    program: readonly string[],
    asRoot: boolean,
  ): Promise<Supervisor> {
    const { directory, variant, onLine, onExit } = this.options;
    const command = [...this.#wrapped, ...program];
    const wrapped = asRoot ? command : await unprivileged(this.#account, command);
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

  async #copy(source: string, name: string): Promise<void> {
    const target = join(this.options.directory, name);
    // A running program's file cannot be written; a new one beside it can take its name.
    await rm(target, { force: true });
    await copyFile(source, target);
    await this.#give(target);
  }

  async #write(name: string, text: string): Promise<void> {
    const target = join(this.options.directory, name);
    await rm(target, { force: true });
    await writeFile(target, text, { mode: 0o600 });
    await this.#give(target);
  }

  async #makeDirectory(path: string): Promise<void> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await this.#give(path);
  }

  async #give(path: string): Promise<void> {
    if (this.#account) await chown(path, this.#account.uid, this.#account.gid);
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

/** The sanitizers' findings end the process with a signal, so that the supervisor and tests see them. */
function environment(variant: Variant): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  const base: NodeJS.ProcessEnv = {};
  if (PATH) base.PATH = PATH;
  if (HOME) base.HOME = HOME;
  if (TMPDIR) base.TMPDIR = TMPDIR;
  if (variant !== "asan") return base;
  return {
    ...base,
    ASAN_OPTIONS: "abort_on_error=1:detect_leaks=0",
    UBSAN_OPTIONS: "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
  };
}
