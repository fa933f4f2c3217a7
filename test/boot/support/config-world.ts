/** An emulated camera, its owner and a real cloud, with every write to the camera's flash in order. */
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFirmware } from "../../../scripts/board/board.mjs";
import { findPartition } from "../../../scripts/board/flash.mjs";
import { checkout, ensure } from "../../../scripts/build/ensure.mjs";
import { clipFrom } from "../../../scripts/camera/footage.ts";
import { QemuCamera, SEEN_FROM_CAMERA } from "../../../scripts/camera/qemu.ts";
import type { CloudAccess } from "../../../scripts/cloud/access.ts";
import { type Cloud, startCloud } from "../../../scripts/cloud/cloud.ts";
import { Console } from "../../../scripts/emulator/console.ts";
import type { ExpectedCamera, Owner, PairedCamera } from "../../../scripts/owner/owner.ts";
import { HeldOwner, pairCamera } from "../../../scripts/owner/pairing.ts";
import { expectIn } from "./expected.ts";
import { type FlashOperation, type Part, readFlashLog } from "./flash-log.ts";

const BOARD = "qemu/malta";
/** Of what takes seconds on a machine that is not busy. */
export const PATIENCE_MS = 120_000;

/** What was done to the config partition since the camera was switched on. */
export interface ConfigWrites {
  /** The partition before the first operation. */
  readonly before: Buffer;
  readonly operations: readonly FlashOperation[];
}

/** Where config is on the flash. */
function configPart(): Part {
  const { chip, start, end } = findPartition(readFirmware(checkout, BOARD), "config");
  return { start, end, erase_bytes: Number(chip.erase_bytes) };
}

/** The holder calls `stop`. */
export class ConfigWorld {
  readonly cloud: Cloud;
  readonly camera: QemuCamera;
  readonly shell: Console;
  readonly expected: ExpectedCamera;
  /** The camera's, in the provisioning file that is on its card. */
  readonly access: CloudAccess;
  /** Waits for the camera, and has heard nothing of it. */
  readonly owner: Owner;
  readonly #directory: string;
  readonly #lines: string[];
  #flash = Buffer.alloc(0);

  private constructor(
    parts: Pick<ConfigWorld, "cloud" | "camera" | "shell" | "expected" | "access" | "owner">,
    directory: string,
    lines: string[],
  ) {
    this.cloud = parts.cloud;
    this.camera = parts.camera;
    this.shell = parts.shell;
    this.expected = parts.expected;
    this.access = parts.access;
    this.owner = parts.owner;
    this.#directory = directory;
    this.#lines = lines;
  }

  /** Lays everything out; the camera is off, its config erased. */
  static async create(): Promise<ConfigWorld> {
    const directory = await mkdtemp(join(tmpdir(), "ocellus-config-"));
    const cloud = await startCloud({
      state: join(directory, "cloud"),
      names: ["localhost", SEEN_FROM_CAMERA],
    });
    const lines: string[] = [];
    const shell = new Console((text) => camera.machine?.type(text));
    const camera: QemuCamera = await QemuCamera.create({
      ...{ directory: join(directory, "camera"), board: BOARD, image: "dev" },
      flash_log: join(directory, "flash.log"),
      onLine: (line) => lines.push(line),
      onText: (text) => shell.take(text),
    });
    await camera.play({ ...(await clipFrom(undefined, directory, () => {})), loops: 0 });
    const { owner, expected, access } = await expectIn(cloud, camera, "cut");
    return new ConfigWorld({ cloud, camera, shell, expected, access, owner }, directory, lines);
  }

  /** Switches the camera on, with this in its config. The broker knows nothing of it from before. */
  async start(config: Uint8Array | null): Promise<void> {
    const { start } = configPart();
    const flash = await readFile(join(await ensure("firmware-qemu-malta-dev"), "flash.bin"));
    if (config !== null) flash.set(config, start);
    this.#flash = flash;
    await writeFile(join(this.camera.options.directory, "flash.bin"), flash);
    await this.cloud.broker.stop("SIGKILL");
    await rm(join(this.cloud.state, "broker/mosquitto.db"), { force: true });
    await this.cloud.broker.start();
    await this.camera.start();
  }

  /** Pairs the camera. @returns it, and the owner who has answered it, but not heard that it is paired */
  async pair(owner: Owner): Promise<{ camera: PairedCamera; answered: Owner; now: Owner }> {
    const held = new HeldOwner(owner);
    let answered = owner;
    const change: HeldOwner["change"] = async (by) => {
      const result = await held.change(by);
      if (held.owner.cameras.some(({ state }) => state === "expected")) answered = held.owner;
      return result;
    };
    const expected = owner.cameras.find((one) => one.state === "expected");
    if (expected?.state !== "expected") throw new Error("this owner expects no camera");
    try {
      const { camera } = await pairCamera(owner, expected, PATIENCE_MS, { change, tell() {} });
      return { camera, answered, now: held.owner };
    } catch (error) {
      if (error instanceof Error)
        error.message += `\nThe camera's last lines:\n${this.#lines.slice(-30).join("\n")}`;
      throw error;
    }
  }

  /** How long the log is; QEMU writes on. */
  async log_bytes(): Promise<number> {
    return (await stat(join(this.#directory, "flash.log"))).size;
  }

  /** What was done until the log was so long; by default, all that was. For a camera that is off: the log has no head before. */
  async writes(log_bytes?: number): Promise<ConfigWrites> {
    const part = configPart();
    const log = await readFile(join(this.#directory, "flash.log"));
    const { operations } = readFlashLog(log.subarray(0, log_bytes), this.#flash, part);
    return { operations, before: this.#flash.subarray(part.start, part.end) };
  }

  async stop(): Promise<void> {
    await this.camera.stop();
    await this.cloud.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
