/** An emulated camera of a test: its chips as files of its own, and its serial console. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { readFirmware } from "../../../scripts/board/board.mjs";
import { environment, environmentImage } from "../../../scripts/board/bootloader.mjs";
import { findPartition } from "../../../scripts/board/flash.mjs";
import { slotsImage } from "../../../scripts/board/flash-image.mjs";
import { qemuArguments } from "../../../scripts/board/qemu.mjs";
import { checkout, ensure } from "../../../scripts/build/ensure.mjs";

/** Bounds a wait for what takes a second or a few on a machine that is not busy. */
const PATIENCE_MS = 120_000;
const PROMPT = /maltael # +$/;
/** Shown of the console where a wait fails. */
const TAIL = 4_000;

export const firmware = readFirmware(checkout, "qemu/malta");

export interface MachineOptions {
  /** Slot images; by default the development image in both. */
  readonly a?: Uint8Array;
  readonly b?: Uint8Array;
  /** mem= other than the board's. */
  readonly mem_bytes?: number;
}

/** The development image's slot. */
export async function developmentSlot(): Promise<Buffer> {
  return readFileSync(join(await ensure("firmware-qemu-malta-dev"), "slot.uimage"));
}

export class Machine {
  readonly #t: TestContext;
  readonly #args: readonly string[];
  readonly #qemu: ChildProcessWithoutNullStreams;
  #output = "";
  /** Where the next wait begins to read. */
  #read = 0;
  #woken: (() => void) | undefined;
  #ended = false;

  private constructor(t: TestContext, args: readonly string[]) {
    this.#t = t;
    this.#args = args;
    this.#qemu = spawn("qemu-system-mipsel", args);
    t.after(() => this.stop());
    const take = (text: string) => {
      this.#output += text;
      this.#woken?.();
    };
    this.#qemu.stdout.setEncoding("utf8").on("data", take);
    this.#qemu.stderr.setEncoding("utf8").on("data", take);
    this.#qemu.on("exit", () => {
      this.#ended = true;
      this.#woken?.();
    });
  }

  /** Switches it on. It goes off after the test. */
  static async start(t: TestContext, options: MachineOptions = {}): Promise<Machine> {
    const directory = mkdtempSync(join(tmpdir(), "ocellus-machine-"));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const image = await ensure("firmware-qemu-malta-dev");
    const good = await developmentSlot();
    const flash = readFileSync(join(image, "flash.bin"));
    if (options.mem_bytes !== undefined) {
      const variables = environment(firmware, options.mem_bytes);
      flash.set(environmentImage(firmware, variables), findPartition(firmware, "env").start);
    }
    const chips = {
      rom: join(image, "rom.elf"),
      flash: join(directory, "flash"),
      slots: join(directory, "slots"),
      clip: join(directory, "clip"),
    };
    writeFileSync(chips.flash, flash);
    const { a = good, b = good } = options;
    writeFileSync(chips.slots, slotsImage(firmware, { a, b }));
    writeFileSync(chips.clip, Buffer.alloc(512));
    return new Machine(t, qemuArguments(chips));
  }

  /** All that the console has said. */
  get output(): string {
    return this.#output;
  }

  async stop(): Promise<void> {
    if (this.#ended) return;
    const ended = new Promise((resolve) => this.#qemu.once("exit", resolve));
    this.#qemu.kill("SIGKILL");
    await ended;
  }

  /** Takes its power away, and switches on what is left: the same chips. */
  async powerCycle(): Promise<Machine> {
    await this.stop();
    return new Machine(this.#t, this.#args);
  }

  /** Waits until the console says this, after what was waited for before. */
  async see(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline_ms = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = pattern.exec(this.#output.slice(this.#read));
      if (found !== null) {
        this.#read += found.index + found[0].length;
        return found;
      }
      const left_ms = deadline_ms - Date.now();
      if (this.#ended || left_ms <= 0) {
        const why = this.#ended ? "QEMU ended" : "it did not come";
        throw new Error(`${pattern}: ${why}; the console's end:\n${this.#output.slice(-TAIL)}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left_ms);
        this.#woken = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Keeps U-Boot, which has just been switched on, from starting anything. */
  async stopAutoboot(): Promise<void> {
    await this.see(/U-Boot 2025\.01 /);
    // U-Boot sets its serial line up twice, and looks only once whether somebody typed.
    const typing = setInterval(() => this.#qemu.stdin.write(" "), 50);
    try {
      await this.see(PROMPT);
    } finally {
      clearInterval(typing);
    }
  }

  /** Runs a command at U-Boot's prompt. Returns what it printed. */
  async uboot(command: string): Promise<string> {
    this.#read = this.#output.length;
    this.#qemu.stdin.write(`${command}\n`);
    await this.see(/\r\n/);
    const from = this.#read;
    await this.see(PROMPT);
    return this.#output.slice(from, this.#read).replaceAll("\r", "");
  }

  /** Waits for the development image's shell, and until nothing else has something to say on its line. */
  async login(): Promise<void> {
    const from = this.#read;
    await this.see(/built-in shell \(ash\)/);
    // Either may be the first.
    this.#read = from;
    await this.see(/ocellus-dhcp: eth0: \S+, router/);
    await this.run("dmesg -n 1");
  }

  /** Runs a command in the shell. Returns what it printed, and its exit status. */
  async run(command: string): Promise<{ readonly text: string; readonly status: number }> {
    this.#read = this.#output.length;
    // What is typed is echoed: the two halves are one word only in the answer.
    this.#qemu.stdin.write(`${command}; echo "en""d:$?"\n`);
    await this.see(/en""d:\$\?"\r?\n/);
    const from = this.#read;
    const [whole, status] = await this.see(/end:(\d+)\r?\n# /);
    const text = this.#output.slice(from, this.#read - (whole?.length ?? 0));
    return { text: text.replaceAll("\r", ""), status: Number(status) };
  }

  /** As `run`, of a command that has to succeed. */
  async ask(command: string): Promise<string> {
    const { text, status } = await this.run(command);
    if (status !== 0) throw new Error(`${command} ended with ${status}: ${text}`);
    return text;
  }
}
