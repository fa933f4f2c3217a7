/**
 * An emulated Malta board in a QEMU process: power on, what its serial line says, its control socket, power off.
 * What is on its flash and disks is the holder's. It ends with this process, however that ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { qemuArguments } from "../board/qemu.mjs";
import { findProgram, unprivileged } from "../cloud/system.ts";
import { Qmp, type QmpEvent } from "./qmp.ts";

/** Files, as scripts/board/qemu.mjs says. */
type Chips = Parameters<typeof qemuArguments>[0];

/** What is plugged in. */
export interface MachineOptions {
  readonly chips: Chips;
  /** Further arguments of QEMU, for tests. */
  readonly more?: readonly string[];
  /** Told what the serial console says, as it comes. */
  readonly onText?: (text: string) => void;
  /** Told each line of it, without its end. */
  readonly onLine?: (line: string) => void;
  /** Told once how QEMU ended, and what it said. */
  readonly onOver?: (how: string) => void;
  /** Told of QEMU's events: RESET, WATCHDOG, SHUTDOWN. */
  readonly onEvent?: (event: QmpEvent) => void;
}

const PROGRAM = "qemu-system-mipsel";
const STOP_MS = 3_000;

/** @returns the path of QEMU. Throws Problem where it is not installed. */
export function findQemu(): Promise<string> {
  return findProgram(PROGRAM, "qemu-system-mips");
}

/** A machine that runs. Its holder calls `powerOff`. */
export class Machine {
  readonly qmp: Qmp;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #over: string | null = null;

  private constructor(child: ChildProcess, qmp: Qmp, ended: Promise<void>) {
    this.#child = child;
    this.#ended = ended;
    this.qmp = qmp;
  }

  /** Switches a board on. Throws Problem where QEMU is missing or does not start. */
  static async powerOn(options: MachineOptions): Promise<Machine> {
    const program = await findQemu();
    // Inherited: it has no name that anybody else could find, or that could stay behind.
    const control = ["-chardev", "socket,id=qmp,fd=3", "-mon", "chardev=qmp,mode=control"];
    const command = [program, ...qemuArguments(options.chips), ...control, ...(options.more ?? [])];
    // As who we are, for its files are ours; what counts is that it ends with us.
    const [first = "", ...rest] = await unprivileged(undefined, command);
    const child = spawn(first, rest, {
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      // A terminal's Ctrl-C is for us, who then switch it off.
      detached: true,
    });
    // It may end while something is typed; how it ended is told by its end.
    child.stdin.on("error", () => {});
    const { onText = () => {}, onLine = () => {} } = options;
    child.stdout.setEncoding("utf8").on("data", onText);
    createInterface({ input: child.stdout }).on("line", (line) => onLine(line.replace(/\r$/, "")));
    let machine: Machine | null = null;
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = `${complaint}${text}`.slice(-2000);
    });
    const ended = new Promise<void>((resolve) => {
      child.once("error", () => resolve());
      child.once("close", (code, signal) => {
        const how = `${signal ?? `exit status ${code}`} ${complaint.trim()}`.trim();
        if (machine !== null) machine.#over = how;
        options.onOver?.(how);
        resolve();
      });
    });
    try {
      const socket = child.stdio[3];
      if (!(socket instanceof Socket)) throw new Error("QEMU has no control socket");
      const qmp = await Qmp.open(socket, options.onEvent ?? (() => {}));
      machine = new Machine(child, qmp, ended);
      return machine;
    } catch (error) {
      child.kill("SIGKILL");
      await ended;
      if (complaint !== "" && error instanceof Error)
        error.message += ` It said: ${complaint.trim()}`;
      throw error;
    }
  }

  /** How QEMU ended, and what it said; null while it runs. */
  get over(): string | null {
    return this.#over;
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
  }
}
