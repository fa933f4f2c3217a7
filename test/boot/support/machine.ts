/** An emulated camera of a test: its chips as files of its own, and its serial console. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { readFirmware } from "../../../scripts/board/board.mjs";
import { developmentEnvironment, environmentImage } from "../../../scripts/board/bootloader.mjs";
import { findPartition } from "../../../scripts/board/flash.mjs";
import { slotsImage } from "../../../scripts/board/flash-image.mjs";
import type { qemuArguments } from "../../../scripts/board/qemu.mjs";
import { checkout, ensure } from "../../../scripts/build/ensure.mjs";
import type { ImageVariant } from "../../../scripts/camera/qemu.ts";
import { type Answer, Console } from "../../../scripts/emulator/console.ts";
import { Machine as Emulated } from "../../../scripts/emulator/machine.ts";

type Chips = Parameters<typeof qemuArguments>[0] & { readonly lan: string };

const PROMPT = /maltael # +$/;

export const firmware = readFirmware(checkout, "qemu/malta");

export interface MachineOptions {
  /** Slot images; by default the development image in both. */
  readonly a?: Uint8Array;
  readonly b?: Uint8Array;
  /** The image in slots and flash; the development one by default. */
  readonly image?: ImageVariant;
  /** What else stands in the flash. */
  readonly flash?: readonly { readonly offset_bytes: number; readonly data: Uint8Array }[];
  /** mem= other than the board's. */
  readonly mem_bytes?: number;
}

/** The development image's slot. */
export async function developmentSlot(): Promise<Buffer> {
  return readFileSync(join(await ensure("firmware-qemu-malta-dev"), "slot.uimage"));
}

export class Machine {
  readonly #t: TestContext;
  readonly #chips: Chips;
  readonly #emulated: Emulated;
  readonly #console: Console;

  private constructor(t: TestContext, chips: Chips, on: Emulated, console: Console) {
    this.#t = t;
    this.#chips = chips;
    this.#emulated = on;
    this.#console = console;
  }

  static async #powerOn(t: TestContext, chips: Chips): Promise<Machine> {
    const console = new Console((text) => emulated.type(text));
    const emulated: Emulated = await Emulated.powerOn({
      chips,
      onText: (text) => console.take(text),
      onOver: (how) => console.end(`QEMU ended: ${how}`),
    });
    t.after(() => emulated.powerOff());
    return new Machine(t, chips, emulated, console);
  }

  /** Switches it on. It goes off after the test. */
  static async start(t: TestContext, options: MachineOptions = {}): Promise<Machine> {
    const directory = mkdtempSync(join(tmpdir(), "ocellus-machine-"));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const image = await ensure(`firmware-qemu-malta-${options.image ?? "dev"}`);
    const good = readFileSync(join(image, "slot.uimage"));
    const flash = readFileSync(join(image, "flash.bin"));
    if (options.mem_bytes !== undefined) {
      const variables = developmentEnvironment(firmware, options.mem_bytes);
      flash.set(environmentImage(firmware, variables), findPartition(firmware, "env").start);
    }
    for (const { offset_bytes, data } of options.flash ?? []) flash.set(data, offset_bytes);
    const chips = {
      rom: join(image, "rom.elf"),
      flash: join(directory, "flash"),
      slots: join(directory, "slots"),
      clip: join(directory, "clip"),
      lan: join(directory, "lan"),
    };
    writeFileSync(chips.flash, flash);
    const { a = good, b = good } = options;
    writeFileSync(chips.slots, slotsImage(firmware, { a, b }));
    writeFileSync(chips.clip, Buffer.alloc(512));
    return Machine.#powerOn(t, chips);
  }

  /** Files of what is in it. */
  get chips(): Chips {
    return this.#chips;
  }

  /** Process id of QEMU. */
  get pid(): number {
    return this.#emulated.pid;
  }

  /** All that the console has said. */
  get output(): string {
    return this.#console.output;
  }

  /** Takes its power away. */
  stop(): Promise<void> {
    return this.#emulated.powerOff();
  }

  /** Takes its power away, and switches on what is left: the same chips. */
  async powerCycle(): Promise<Machine> {
    await this.stop();
    return Machine.#powerOn(this.#t, this.#chips);
  }

  /** Plugs the network cable in, or out. */
  async plug(up: boolean): Promise<void> {
    await this.#emulated.qmp.ask("set_link", { name: "nic", up });
  }

  /** Types into the serial console. */
  type(text: string): void {
    this.#emulated.type(text);
  }

  /** Waits until the console says this, after what was waited for before. */
  see(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#console.see(pattern);
  }

  /** Keeps U-Boot, which has just been switched on, from starting anything. */
  async stopAutoboot(): Promise<void> {
    await this.see(/U-Boot 2025\.01 /);
    // U-Boot sets its serial line up twice, and looks only once whether somebody typed.
    const typing = setInterval(() => this.#emulated.type(" "), 50);
    try {
      await this.see(PROMPT);
    } finally {
      clearInterval(typing);
    }
  }

  /** Runs a command at U-Boot's prompt. Returns what it printed. */
  async uboot(command: string): Promise<string> {
    this.#console.skip();
    this.#emulated.type(`${command}\n`);
    await this.see(/\n/);
    return (await this.see(new RegExp(`(.*)${PROMPT.source}`, "s")))[1] ?? "";
  }

  /** Waits for the development image's shell and the network, and has nothing else say something on its line. */
  async login(): Promise<void> {
    // Either may be the first.
    const [shell, lease] = ["built-in shell \\(ash\\)", "ocellus-dhcp: eth0: \\S+, router"];
    await this.see(new RegExp(`${shell}.*${lease}|${lease}.*${shell}`, "s"));
    await this.#console.quieten();
  }

  /** Runs a command in the shell. Returns what it printed, and its exit status. */
  run(command: string): Promise<Answer> {
    return this.#console.run(command);
  }

  /** As `run`, of a command that has to succeed. */
  async ask(command: string): Promise<string> {
    const { text, status } = await this.run(command);
    if (status !== 0) throw new Error(`${command} ended with ${status}: ${text}`);
    return text;
  }
}
