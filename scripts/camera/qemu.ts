/**
 * The emulated camera: an image of ours on a QEMU board, in one directory.
 *
 *     flash.bin       the chip with U-Boot, environment, journal and config: what a camera keeps over a power cut
 *     slots.bin       the slots, written anew at each start: what was built last is what boots
 *     clip.disk       the clip and how it is played (scripts/emulator/media.ts)
 *     card.img        the FAT medium with the provisioning file, until the camera is paired
 *
 * It reaches the development cloud at SEEN_FROM_CAMERA, QEMU's name for this machine's loopback; nothing reaches it.
 */
import { copyFile, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readFirmware } from "../board/board.mjs";
import { environment, environmentImage } from "../board/bootloader.mjs";
import { findPartition } from "../board/flash.mjs";
import { slotsImage } from "../board/flash-image.mjs";
import { checkout, ensure } from "../build/ensure.mjs";
import { Problem } from "../build/problem.mjs";
import { Machine } from "../emulator/machine.ts";
import { makeCard, makeClipDisk } from "../emulator/media.ts";
import type { QmpEvent } from "../emulator/qmp.ts";
import type { Play } from "./host.ts";

/** The address at which QEMU's user network shows the machine that it runs on (QEMU's manual, "Network emulation"). */
export const SEEN_FROM_CAMERA = "10.0.2.2";

const BLANK_BYTES = 1 << 20;

/** Which image: as cameras have it, or with a shell on the serial console. */
export type ImageVariant = "release" | "dev";

export const IMAGE_VARIANTS: readonly ImageVariant[] = ["release", "dev"];

/** How an emulated camera is set up. */
export interface QemuCameraOptions {
  /** Made if missing; an existing one is gone on with. */
  readonly directory: string;
  readonly board: string;
  readonly image: ImageVariant;
  /** Memory that Linux is told of, bytes; the board's by default. */
  readonly mem_bytes?: number;
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
}

/** A camera. Nothing runs until it is told to; the holder calls `stop`. */
export class QemuCamera {
  readonly options: QemuCameraOptions;
  readonly #firmware: string;
  #machine: Machine | null = null;
  #lastLine = "";

  private constructor(options: QemuCameraOptions, firmware: string) {
    this.options = options;
    this.#firmware = firmware;
  }

  /** Builds what is missing and lays out the directory. Throws Problem where that fails. */
  static async create(options: QemuCameraOptions): Promise<QemuCamera> {
    const { directory, board, image } = options;
    const id = board.replaceAll("/", "-");
    const camera = new QemuCamera(options, await ensure(`firmware-${id}-${image}`));
    await mkdir(directory, { recursive: true, mode: 0o700 });
    if (!(await exists(camera.#path("flash.bin")))) {
      // Under another name until it is whole: what is cut short would never boot.
      const fresh = camera.#path("flash.bin.new");
      await copyFile(join(camera.#firmware, "flash.bin"), fresh);
      await rename(fresh, camera.#path("flash.bin"));
    }
    return camera;
  }

  get machine(): Machine | null {
    return this.#machine;
  }

  /** Bytes of the slot image. */
  async slot_bytes(): Promise<number> {
    return (await stat(join(this.#firmware, "slot.uimage"))).size;
  }

  /** Puts the provisioning file onto the card, which is plugged in at the next start. */
  async provision(file: string): Promise<void> {
    await makeCard(this.#path("card.img"), file);
  }

  /** Pulls the card: after pairing it is of no use to the camera, and it holds secrets. */
  async forgetProvisioning(): Promise<void> {
    await rm(this.#path("card.img"), { force: true });
  }

  /** What the encoder plays from the next start on. */
  async play(play: Play): Promise<void> {
    await makeClipDisk(this.#path("clip.disk"), play);
  }

  /** Switches it on. */
  async start(): Promise<void> {
    if (this.#machine !== null) throw new Error("the camera runs already");
    await this.#writeSlots();
    await this.#writeEnvironment();
    const { onEvent, onText, more, flash_log } = this.options;
    if (flash_log !== undefined) await writeFile(flash_log, "", { mode: 0o600 });
    const card = this.#path("card.img");
    this.#machine = await Machine.powerOn({
      chips: {
        rom: join(this.#firmware, "rom.elf"),
        flash: this.#path("flash.bin"),
        ...(flash_log === undefined ? {} : { flash_log }),
        slots: this.#path("slots.bin"),
        clip: await this.#clip(),
        ...((await exists(card)) ? { card } : {}),
      },
      onLine: (line) => {
        this.#lastLine = line;
        this.options.onLine?.(line);
      },
      ...(onText === undefined ? {} : { onText }),
      ...(onEvent === undefined ? {} : { onEvent }),
      ...(more === undefined ? {} : { more }),
    });
  }

  /** Pulls the plug. */
  async stop(): Promise<void> {
    const machine = this.#machine;
    this.#machine = null;
    await machine?.powerOff();
  }

  /** Throws Problem where QEMU has ended without having been asked. */
  check(): void {
    const over = this.#machine?.over ?? null;
    if (over === null) return;
    throw new Problem(`QEMU ended unasked (${over}); the camera's last line: ${this.#lastLine}`);
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
    const image = await readFile(join(this.#firmware, "slot.uimage"));
    const slots = slotsImage(readFirmware(checkout, this.options.board), { a: image, b: image });
    await writeFile(this.#path("slots.bin"), slots, { mode: 0o600 });
  }

  /** U-Boot's stored environment stands for another mem= than the one compiled in. */
  async #writeEnvironment(): Promise<void> {
    const { board, mem_bytes } = this.options;
    if (mem_bytes === undefined) return;
    const firmware = readFirmware(checkout, board);
    const image = environmentImage(firmware, environment(firmware, mem_bytes));
    const flash = await open(this.#path("flash.bin"), "r+");
    try {
      await flash.write(image, 0, image.length, findPartition(firmware, "env").start);
    } finally {
      await flash.close();
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
