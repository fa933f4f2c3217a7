/**
 * The disks that an emulated camera is given beside its flash: the clip, and the FAT medium with the provisioning file that
 * stands for its SD card. Each is a new file that only we may read.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { open, rm, stat, truncate, writeFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { errorCode, Problem } from "../build/problem.mjs";
import { capture } from "../build/process.mjs";
import type { Play } from "../camera/host.ts";

/** native/encoder/canned/disk.h */
const HEAD_BYTES = 4096;
const MAGIC = "ocellus clip disk 1";
/** QEMU wants whole sectors. */
const SECTOR_BYTES = 512;
/** Smallest that mformat makes a FAT16 of by itself, as on the small cards that old bootloaders read. */
const CARD_BYTES = 16 << 20;
const MTOOLS = { MTOOLS_SKIP_CHECK: "1", MTOOLSRC: "/dev/null" };

/** Name of the provisioning file on the medium. */
export const PROVISION_FILE = "ocellus-provision.json";

/** Makes the disk that holds a clip and how it is played. */
export async function makeClipDisk(file: string, { clip, args, loops, rate }: Play): Promise<void> {
  const { size } = await stat(clip);
  const told = [
    "--wait",
    "--loops",
    `${loops}`,
    ...(rate === undefined ? [] : ["--rate", `${rate}`]),
  ];
  const head = Buffer.alloc(HEAD_BYTES);
  const lines = [MAGIC, `${size}`, ...told, ...args];
  if (head.write(`${lines.join("\n")}\n`) >= HEAD_BYTES) throw new Error("the head is too long");
  await writeNew(file, head);
  await pipeline(createReadStream(clip), createWriteStream(file, { flags: "a" }));
  await truncate(file, Math.ceil((HEAD_BYTES + size) / SECTOR_BYTES) * SECTOR_BYTES);
}

/** Makes a FAT medium with this provisioning file on it; without one, an empty medium. */
export async function makeCard(file: string, provisioning: string | null): Promise<void> {
  await writeNew(file, "");
  await truncate(file, CARD_BYTES);
  await mtool("mformat", ["-i", file, "-v", "OCELLUS", "::"]);
  if (provisioning === null) return;
  await mtool("mcopy", ["-i", file, "-", `::${PROVISION_FILE}`], provisioning);
}

/** Overwrites a medium and removes its file, if there is one. A machine that has it plugged in goes on with an empty one. */
export async function wipeCard(file: string): Promise<void> {
  const card = await open(file, "r+").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  });
  if (card === null) return;
  try {
    const { size } = await card.stat();
    await card.write(Buffer.alloc(size), 0, size, 0);
    await card.sync();
  } finally {
    await card.close();
  }
  await rm(file);
}

async function mtool(tool: string, args: readonly string[], input = ""): Promise<void> {
  const { code, stderr } = await capture(tool, args, { env: MTOOLS, input });
  if (code !== 0) throw new Problem(`${tool} cannot make the camera's card: ${stderr.trim()}`);
}

async function writeNew(file: string, content: Buffer | string): Promise<void> {
  await rm(file, { force: true });
  await writeFile(file, content, { mode: 0o600, flag: "wx" });
}
