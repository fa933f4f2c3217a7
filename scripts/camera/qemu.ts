/**
 * The emulated camera: an image of ours on a QEMU board, in one directory.
 *
 *     flash.bin       the chip with U-Boot, environment, journal and config: what a camera keeps over a power cut
 *     chips.json      the flash map by which it was made
 *     slots.bin       the slots; written anew at each start, as U-Boot and its environment are: what was built last boots
 *     clip.disk       the clip and how it is played (scripts/emulator/media.ts)
 *     card.img        the FAT medium with the provisioning file, until the camera is paired
 *
 * It reaches the development cloud at SEEN_FROM_CAMERA, QEMU's name for this machine's loopback; nothing reaches it.
 */
import { chmod, copyFile, mkdir, open, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readFirmware } from "../board/board.mjs";
import { environment, environmentImage, memText } from "../board/bootloader.mjs";
import { findPartition } from "../board/flash.mjs";
import { slotsImage } from "../board/flash-image.mjs";
import { checkout, ensure } from "../build/ensure.mjs";
import { Problem } from "../build/problem.mjs";
import { boardId } from "../build/recipes/board-id.mjs";
import { findQemu, Machine } from "../emulator/machine.ts";
import { makeCard, makeClipDisk, wipeCard } from "../emulator/media.ts";
import type { QmpEvent } from "../emulator/qmp.ts";
import type { Play } from "./host.ts";

type Firmware = ReturnType<typeof readFirmware>;

/** The address at which QEMU's user network shows the machine that it runs on (QEMU's manual, "Network emulation"). */
export const SEEN_FROM_CAMERA = "10.0.2.2";

const BLANK_BYTES = 1 << 20;

/** Which image: as cameras have it, or with a shell on the serial console. */
export type ImageVariant = "release" | "dev";

export const IMAGE_VARIANTS: readonly ImageVariant[] = ["release", "dev"];

/** Which emulated camera. */
export interface Built {
  readonly board: string;
  readonly image: ImageVariant;
  /** Memory that Linux is told of, bytes; the board's by default. */
  readonly mem_bytes?: number;
}

/** How an emulated camera is set up. */
export interface QemuCameraOptions extends Built {
  /** Made if missing; an existing one is gone on with. */
  readonly directory: string;
  /** Whether another station may join its network, at `lan`; false by default. */
  readonly lan?: boolean;
  /** Further arguments of QEMU, for tests. */
  readonly more?: readonly string[];
  /** For tests: each start logs what it writes to the flash, from the first write on (scripts/board/qemu.mjs). */
  readonly flash_log?: string;
  /** Told each line of the serial console. */
  readonly onLine?: (line: string) => void;
  /** Told what the console says, as it comes. */
  readonly onText?: (text: string) => void;
  /** Told of resets and what the watchdog did. */
  readonly onEvent?: (event: QmpEvent) => void;
  /** Told how QEMU ended at each end of it, asked for or not. */
  readonly onOver?: (how: string) => void;
}

/** A camera. Nothing runs until it is told to; the holder calls `stop`. */
export class QemuCamera {
  readonly options: QemuCameraOptions;
  readonly cloudHost = SEEN_FROM_CAMERA;
  /** What was built. */
  readonly #built: string;
  readonly #firmware: Firmware;
  #machine: Machine | null = null;
  #lastLine = "";

  private constructor(options: QemuCameraOptions, built: string, firmware: Firmware) {
    this.options = options;
    this.#built = built;
    this.#firmware = firmware;
  }

  /** Builds what is missing. Throws Problem where that fails, or where there could be no such camera. */
  static async build({ board, image, mem_bytes }: Built): Promise<string> {
    await findQemu();
    if (mem_bytes !== undefined) checkMemory(board, readFirmware(checkout, board), mem_bytes);
    return ensure(`firmware-${boardId(board)}-${image}`);
  }

  /** Builds what is missing and lays out the directory. Throws Problem where that fails. */
  static async create(options: QemuCameraOptions): Promise<QemuCamera> {
    const { directory, board } = options;
    const built = await QemuCamera.build(options);
    const firmware = readFirmware(checkout, board);
    const camera = new QemuCamera(options, built, firmware);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const chips = JSON.stringify(firmware.chips);
    if (!(await exists(camera.#path("flash.bin")))) {
      await writeFile(camera.#path("chips.json"), chips);
      // Under another name until it is whole: what is cut short would never boot.
      const fresh = camera.#path("flash.bin.new");
      await copyFile(join(built, "flash.bin"), fresh);
      await chmod(fresh, 0o600);
      await rename(fresh, camera.#path("flash.bin"));
    } else if ((await readFile(camera.#path("chips.json"), "utf8")) !== chips) {
      throw new Problem(
        `the camera in ${directory} was made by another flash map than board ${board} has now; remove that directory to start with a new camera.`,
      );
    }
    return camera;
  }

  /** Where it is kept. */
  get directory(): string {
    return this.options.directory;
  }

  /** Memory that Linux is told of, as mem= takes it. */
  get mem(): string {
    return memText(this.options.mem_bytes ?? Number(this.#firmware.memory.mem_bytes));
  }

  get machine(): Machine | null {
    return this.#machine;
  }

  /** Where another station joins its network (scripts/emulator/lan.ts). */
  get lan(): string {
    return this.#path("lan");
  }

  /** Bytes of the slot image. */
  async slot_bytes(): Promise<number> {
    return (await stat(join(this.#built, "slot.uimage"))).size;
  }

  /** Puts the provisioning file onto the card, which is plugged in at the next start. */
  async provision(file: string): Promise<void> {
    await makeCard(this.#path("card.img"), file);
  }

  /**
   * Wipes the card and takes it away: after pairing it is of no use to the camera, and it holds secrets. QEMU cannot pull an
   * IDE disk from a board that runs: until it is switched off that has an empty card.
   */
  async forgetProvisioning(): Promise<void> {
    await wipeCard(this.#path("card.img"));
  }

  /** What the encoder plays from the next start on. */
  async play(play: Play): Promise<void> {
    await makeClipDisk(this.#path("clip.disk"), play);
  }

  /** Switches it on. */
  async start(): Promise<void> {
    if (this.#machine !== null) throw new Error("the camera runs already");
    await this.#writeSlots();
    await this.#writeBootloader();
    const { lan, onEvent, onText, onOver, more, flash_log } = this.options;
    if (flash_log !== undefined) await writeFile(flash_log, "", { mode: 0o600 });
    const card = this.#path("card.img");
    this.#machine = await Machine.powerOn({
      chips: {
        rom: join(this.#built, "rom.elf"),
        flash: this.#path("flash.bin"),
        ...(flash_log === undefined ? {} : { flash_log }),
        slots: this.#path("slots.bin"),
        clip: await this.#clip(),
        ...((await exists(card)) ? { card } : {}),
        ...(lan ? { lan: this.lan } : {}),
      },
      onLine: (line) => {
        this.#lastLine = line;
        this.options.onLine?.(line);
      },
      ...(onText === undefined ? {} : { onText }),
      ...(onEvent === undefined ? {} : { onEvent }),
      ...(onOver === undefined ? {} : { onOver }),
      ...(more === undefined ? {} : { more }),
    });
  }

  /** Pulls the plug. */
  async stop(): Promise<void> {
    const machine = this.#machine;
    this.#machine = null;
    await machine?.powerOff();
  }

  /** Types into its serial console. */
  type(text: string): void {
    this.#machine?.type(text);
  }

  /** Throws Problem where QEMU has ended without having been asked. */
  check(): void {
    const over = this.#machine?.over ?? null;
    if (over === null) return;
    throw new Problem(
      `QEMU ended unasked (${over}), which to the camera is a power cut: start it again; the last line of its console was "${this.#lastLine}".`,
    );
  }

  #path(name: string): string {
    return join(this.options.directory, name);
  }

  /** A disk of zeros where there is no clip yet. */
  async #clip(): Promise<string> {
    const clip = this.#path("clip.disk");
    if (await exists(clip)) return clip;
    const blank = this.#path("blank.disk");
    await writeFile(blank, Buffer.alloc(BLANK_BYTES), { mode: 0o600 });
    return blank;
  }

  async #writeSlots(): Promise<void> {
    const image = await readFile(join(this.#built, "slot.uimage"));
    const slots = slotsImage(this.#firmware, { a: image, b: image });
    await writeFile(this.#path("slots.bin"), slots, { mode: 0o600 });
  }

  /** U-Boot as built, and a stored environment where it shall not go by the one that is compiled in. */
  async #writeBootloader(): Promise<void> {
    const { mem_bytes } = this.options;
    const firmware = this.#firmware;
    const fresh = await readFile(join(this.#built, "flash.bin"));
    if (mem_bytes !== undefined) {
      const image = environmentImage(firmware, environment(firmware, mem_bytes));
      fresh.set(image, findPartition(firmware, "env").start);
    }
    const flash = await open(this.#path("flash.bin"), "r+");
    try {
      for (const name of ["u-boot", "env", "env-redundant"]) {
        const { start, end } = findPartition(firmware, name);
        await flash.write(fresh, start, end - start, start);
      }
    } finally {
      await flash.close();
    }
  }
}

/** More would be where ramoops lies, and with less it does not run. */
function checkMemory(board: string, { memory }: Firmware, mem_bytes: number): void {
  const [least, most] = [Number(memory.mem_least_bytes), Number(memory.mem_bytes)];
  if (mem_bytes >= least && mem_bytes <= most) return;
  throw new Problem(
    `board ${board} runs with ${memText(least)} to ${memText(most)} of memory, not with ${memText(mem_bytes)}.`,
  );
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
