/**
 * An emulated Malta board in a QEMU process: power on, what its serial line says, its control socket, power off.
 * What is on its flash and disks is the holder's (media.ts, images.ts).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findProgram } from "../cloud/system.ts";
import { Qmp, type QmpEvent } from "./qmp.ts";

/** What is plugged in. */
export interface MachineOptions {
  /** The 4 MB CFI flash: U-Boot, environment, journal, config. Written to. */
  readonly flash: string;
  /** IDE disks in order, raw: slots, clip, card; null leaves a place empty. */
  readonly disks: readonly (Disk | null)[];
  /** Further arguments of QEMU, for tests. */
  readonly more?: readonly string[];
  /** Told each line of the serial console, without its end. */
  readonly onLine: (line: string) => void;
  /** Told of QEMU's events: RESET, WATCHDOG, SHUTDOWN. */
  readonly onEvent?: (event: QmpEvent) => void;
}

export interface Disk {
  readonly file: string;
  readonly readOnly: boolean;
}

const PROGRAM = "qemu-system-mipsel";
/** U-Boot insists on 256 MB; Linux is told to use less (board.json). A T20 has a floating-point unit, as the 24Kf. */
const BOARD = ["-M", "malta", "-cpu", "24Kf", "-m", "256"];
/** No display; the camera has no clock that survives, so Malta's starts in 1970; i6300esb is its watchdog. */
const PERIPHERALS = [
  ...["-display", "none", "-vga", "none", "-rtc", "base=1970-01-01"],
  ...["-device", "i6300esb", "-action", "watchdog=reset"],
  ...["-netdev", "user,id=n0", "-device", "pcnet,netdev=n0,romfile="],
];
const STOP_MS = 3_000;

/** A machine that runs. Its holder calls `powerOff`. */
export class Machine {
  readonly qmp: Qmp;
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #ended: Promise<void>;
  #over: string | null = null;
  #lastError = "";

  private constructor(child: ChildProcess, directory: string, qmp: Qmp, ended: Promise<void>) {
    this.#child = child;
    this.#directory = directory;
    this.#ended = ended;
    this.qmp = qmp;
  }

  /** Switches a board on. Throws Problem where QEMU is missing or does not start. */
  static async powerOn(options: MachineOptions): Promise<Machine> {
    const program = await findProgram(PROGRAM, "qemu-system-mips");
    const directory = await mkdtemp(join(tmpdir(), "ocellus-qemu-"));
    const socket = join(directory, "qmp");
    const child = spawn(
      program,
      [...argumentsFor(options), "-qmp", `unix:${socket},server,nowait`],
      {
        stdio: ["pipe", "pipe", "pipe"],
        // A terminal's Ctrl-C is for us, who then switch it off.
        detached: true,
      },
    );
    createInterface({ input: child.stdout }).on("line", (line) =>
      options.onLine(line.replace(/\r$/, "")),
    );
    let machine: Machine | null = null;
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = `${complaint}${text}`.slice(-2000);
      if (machine !== null) machine.#lastError = complaint;
    });
    const ended = new Promise<void>((resolve) => {
      child.once("error", () => resolve());
      child.once("close", (code, signal) => {
        if (machine !== null) machine.#over = signal ?? `exit status ${code}`;
        resolve();
      });
    });
    try {
      const qmp = await Qmp.connect(socket, options.onEvent ?? (() => {}));
      machine = new Machine(child, directory, qmp, ended);
      machine.#lastError = complaint;
      return machine;
    } catch (error) {
      child.kill("SIGKILL");
      await ended;
      await rm(directory, { recursive: true, force: true });
      if (complaint !== "" && error instanceof Error)
        error.message += ` It said: ${complaint.trim()}`;
      throw error;
    }
  }

  /** How QEMU ended, and what it said; null while it runs. */
  get over(): string | null {
    return this.#over === null ? null : `${this.#over} ${this.#lastError.trim()}`.trim();
  }

  /** Process id of QEMU. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Types into the serial console. */
  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** The reset line: RAM stays as it is, as on a real board. */
  async reset(): Promise<void> {
    await this.qmp.ask("system_reset");
  }

  /** Pulls the plug. What QEMU has taken for the flash is in its file; nothing of the guest is asked. */
  async powerOff(): Promise<void> {
    if (this.#over === null) {
      this.qmp.ask("quit").catch(() => {});
      const hurry = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
      await this.#ended;
      clearTimeout(hurry);
    }
    this.qmp.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function argumentsFor({ flash, disks, more }: MachineOptions): string[] {
  const drives = disks.flatMap((disk, index) =>
    disk === null
      ? []
      : [
          "-drive",
          `if=ide,index=${index},format=raw,file=${escaped(disk.file)}${disk.readOnly ? ",snapshot=on" : ""}`,
        ],
  );
  const pflash = ["-drive", `if=pflash,format=raw,file=${escaped(flash)}`];
  const serial = ["-chardev", "stdio,id=s0,signal=off", "-serial", "chardev:s0"];
  return [...BOARD, ...PERIPHERALS, ...serial, ...pflash, ...drives, ...(more ?? [])];
}

/** A comma ends a value unless it is doubled (QEMU's manual, "-drive"). */
function escaped(path: string): string {
  return path.replaceAll(",", ",,");
}
