/** Images as the simulator has them, and what U-Boot sees of a slot. */
import { createHash } from "node:crypto";
import { slotPartition } from "../../agent/update/actions.ts";
import type { ImagePlan } from "../../agent/update/install.ts";
import { IMAGE_ID_BYTES, type Slot } from "../../agent/update/journal.ts";
import { BLOCK_BYTES, HEADER_BYTES } from "../../agent/update/sizes.ts";
import { crc32 } from "../../scripts/board/crc32.mjs";
import { uimage } from "../../scripts/board/uimage.mjs";
import type { Chips } from "./camera.ts";
import type { Nor, Random } from "./nor.ts";

/** What an image does once U-Boot has found header and checksum right. */
export type Behaviour =
  /** Runs, and proves itself. */
  | "good"
  /** Header and checksum are right, and it cannot be unpacked: U-Boot resets. */
  | "no-lzma"
  /** Linux panics or hangs, init exits: a reset, sooner or later. */
  | "panics"
  /** Runs, and cannot prove itself (no network, no store): it gives up and restarts. */
  | "gives-up";

export interface Image {
  readonly plan: ImagePlan;
  /** A uImage. */
  readonly bytes: Uint8Array;
  readonly does: Behaviour;
}

/** Where U-Boot would load it. */
const ADDRESS = 0x8010_0000;

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** An image of so many blocks, the last of them not full. */
export function makeImage(does: Behaviour, blocks: number, random: Random): Image {
  const data = new Uint8Array(blocks * BLOCK_BYTES - HEADER_BYTES - 1001);
  for (let at = 0; at < data.length; at += 64) data[at] = random() * 256;
  const addresses = { load_address: ADDRESS, entry_address: ADDRESS };
  const bytes = new Uint8Array(uimage({ name: `simulated ${does}`, ...addresses, data }));
  const block_hashes: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES)
    block_hashes.push(sha256(bytes.subarray(at, at + BLOCK_BYTES)));
  const whole = sha256(bytes);
  const id = sha256(whole).slice(0, IMAGE_ID_BYTES);
  return {
    plan: { id, bytes: bytes.length, block_bytes: BLOCK_BYTES, block_hashes, sha256: whole },
    ...{ bytes, does },
  };
}

/** What `bootm` finds in a slot. */
export type BootmFinds = "no-header" | "bad-data" | "whole";

const MAGIC = 0x2705_1956;

/** What was found before, by the digest of the chip: a slot rarely changes between two looks. */
class Memory<Value> {
  readonly #known = new Map<string, Value>();

  get({ digest }: Nor, find: () => Value): Value {
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    const value = find();
    if (this.#known.size > 10_000) this.#known.clear();
    this.#known.set(digest, value);
    return value;
  }
}

const contents = new Memory<BootmFinds>();
const wholes = new WeakMap<readonly Image[], Memory<Image | null>>();

/** Looks at a slot as `bootm` does: magic, the header's checksum, the data's. */
export function judge(chips: Chips, slot: Slot): BootmFinds {
  const chip = chips[slotPartition(slot)];
  return contents.get(chip, () => judgeChip(chip));
}

function judgeChip(chip: Nor): BootmFinds {
  const header = Buffer.from(chip.read(0, HEADER_BYTES));
  if (header.readUInt32BE(0) !== MAGIC) return "no-header";
  const sum = header.readUInt32BE(4);
  header.writeUInt32BE(0, 4);
  const data_bytes = header.readUInt32BE(12);
  if (crc32(header) !== sum || HEADER_BYTES + data_bytes > chip.bytes) return "no-header";
  const right = crc32(chip.read(HEADER_BYTES, data_bytes)) === header.readUInt32BE(24);
  return right ? "whole" : "bad-data";
}

/** Which image stands whole in a slot; `null` where none of these does. */
export function imageIn(chips: Chips, slot: Slot, images: readonly Image[]): Image | null {
  const chip = chips[slotPartition(slot)];
  const memory = wholes.get(images) ?? new Memory<Image | null>();
  wholes.set(images, memory);
  return memory.get(
    chip,
    () => images.find(({ bytes }) => Buffer.from(chip.read(0, bytes.length)).equals(bytes)) ?? null,
  );
}
