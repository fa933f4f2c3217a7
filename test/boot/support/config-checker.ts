/**
 * Looks into images of the config partition with the camera's own kernel: one QEMU starts it with a small init of tests
 * (test/native/config_checker.c), which mounts each image as the camera does, reads the state files by the agent's own code,
 * replaces one of them, mounts it again and reads them anew.
 */
import { once } from "node:events";
import {
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFirmware } from "../../../scripts/board/board.mjs";
import { slotsImage } from "../../../scripts/board/flash-image.mjs";
import { uimage } from "../../../scripts/board/uimage.mjs";
import { checkout, ensure } from "../../../scripts/build/ensure.mjs";
import { capture } from "../../../scripts/build/process.mjs";
import { CHARACTER_DEVICE, cpio, DIRECTORY, FILE } from "../../../scripts/build/recipes/cpio.mjs";
import { fillRoom } from "../../../scripts/build/recipes/firmware.mjs";
import { Machine } from "../../../scripts/emulator/machine.ts";
import type { ImageStep } from "./cuts.ts";

const BOARD = "qemu/malta";
const SECTOR_BYTES = 512;
const END = 0xffff_ffff;
/** It prints two lines for each image, each of which takes about a tenth of a second. */
const SILENCE_MS = 120_000;

/** What an image holds: contents of the state files by name; a text where a file cannot be read. */
export type Files = ReadonlyMap<string, Buffer | string>;

export interface Checked {
  /** As the camera's start finds them; null where it finds no config. */
  readonly files: Files | null;
  /** The files in one line, for comparing: name and digest of each. */
  readonly text: string;
  /** Likewise once a file was written twice: `files` and that file. */
  readonly again: string;
  /** What failed, for people. */
  readonly failed: readonly string[];
}

/** Checks each image, in this order. Throws where the checker does not come to its end. */
export async function checkImages(steps: Iterable<ImageStep>): Promise<Checked[]> {
  const directory = mkdtempSync(join(tmpdir(), "ocellus-config-"));
  try {
    const images = join(directory, "images");
    const count = await writeImages(images, steps);
    const work = join(directory, "work");
    writeFileSync(work, "");
    truncateSync(work, configBytes());
    const slots = join(directory, "slots");
    writeFileSync(
      slots,
      slotsImage(readFirmware(checkout, BOARD), { a: await slotImage(directory) }),
    );
    const firmware = await ensure("firmware-qemu-malta-dev");
    const flash = join(directory, "flash");
    writeFileSync(flash, readFileSync(join(firmware, "flash.bin")));
    const lines = await run({
      ...{ rom: join(firmware, "rom.elf"), flash, slots, clip: images, card: work },
    });
    return results(lines, count);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Bytes of the partition. */
function configBytes(): number {
  const { chips } = readFirmware(checkout, BOARD);
  const part = chips.flatMap(({ partitions }) => partitions).find(({ name }) => name === "config");
  return Number(part?.size_bytes);
}

/** The camera's kernel with that init in place of the camera's programs. */
async function slotImage(directory: string): Promise<Buffer> {
  const program = join(await ensure("native-mipsel"), "bin/config_checker");
  const folders = ["config", "dev", "proc", "sys"].map((path) => ({
    path,
    mode: DIRECTORY | 0o755,
  }));
  const archive = cpio([
    ...folders,
    { path: "dev/console", mode: CHARACTER_DEVICE | 0o600, device: [5, 1] },
    { path: "init", mode: FILE | 0o755, data: readFileSync(program) },
  ]);
  const kernel = join(directory, "kernel");
  const layout = fillRoom(await ensure("linux-qemu-malta"), archive, kernel);
  const { code, stderr } = await capture("xz", ["--format=lzma", "-1", kernel]);
  if (code !== 0) throw new Error(stderr);
  return uimage({ name: "config checker", ...layout, data: readFileSync(`${kernel}.lzma`) });
}

/** @returns how many */
async function writeImages(file: string, steps: Iterable<ImageStep>): Promise<number> {
  const out = createWriteStream(file, { highWaterMark: 1 << 20 });
  let bytes = 0;
  const put = async (part: Uint8Array) => {
    bytes += part.length;
    if (!out.write(part)) await once(out, "drain");
  };
  const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
  let number = 0;
  for (const { kept, patches } of steps) {
    await put(words(number++, kept ? 1 : 0, patches.length));
    for (const { at, data } of patches) {
      await put(words(at, data.length));
      await put(data);
      await put(Buffer.alloc(-data.length & 3));
    }
  }
  await put(words(END));
  await put(Buffer.alloc(SECTOR_BYTES - (bytes % SECTOR_BYTES)));
  out.end();
  await once(out, "close");
  return number;
}

/** @returns its lines, without those of the kernel */
async function run(chips: Parameters<typeof Machine.powerOn>[0]["chips"]): Promise<string[]> {
  const lines: string[] = [];
  let end = (_why: string) => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  let timer: NodeJS.Timeout | undefined;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => end("it fell silent"), SILENCE_MS);
  };
  const machine = await Machine.powerOn({
    chips,
    onLine(line) {
      heard();
      lines.push(line);
      if (line === "done") end("");
      if (/^gave up|Kernel panic/.test(line)) end(line);
    },
  });
  heard();
  const why = await ended;
  clearTimeout(timer);
  await machine.powerOff();
  if (why !== "")
    throw new Error(`the config checker: ${why}; its last lines:\n${lines.slice(-20).join("\n")}`);
  return lines;
}

function results(lines: readonly string[], count: number): Checked[] {
  const contents = new Map<string, Buffer>();
  const all = Array.from({ length: count }, () => ({
    files: null as Files | null,
    text: "",
    again: "",
    failed: [] as string[],
  }));
  const of = (number: string | undefined) => {
    const one = all[Number(number)];
    if (one === undefined) throw new Error(`the config checker speaks of image ${number}`);
    return one;
  };
  for (const line of lines) {
    const [word, number, ...rest] = line.split(" ");
    if (word === "file") contents.set(number ?? "", Buffer.from(rest[0] ?? "", "hex"));
    else if (word === "failed") of(number).failed.push(rest.join(" "));
    else if (word === "found") {
      const [when, ...files] = rest;
      if (when === "again") of(number).again = files.join(" ");
      else {
        of(number).text = files.join(" ");
        of(number).files = new Map(
          files.map((file) => {
            const [name = "", digest = ""] = file.split("=");
            return [name, contents.get(digest) ?? digest];
          }),
        );
      }
    }
  }
  return all;
}
