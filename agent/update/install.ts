/**
 * Puts an image into the slot that does not run. It can be cut anywhere: what runs stays as it is, the slot cannot start before
 * all of the image is proven to be in it, and the next call goes on where this one stopped.
 *
 * The caller has verified the manifest, and that it is for this board and not older than what may run: nothing here asks.
 */
import { same } from "../identity/encoding.ts";
import {
  erase,
  fetch,
  hash,
  type Machine,
  program,
  read,
  slotPartition,
  stage,
  UpdateStopped,
} from "./actions.ts";
import {
  type JournalRecord,
  openInstallation,
  openTrial,
  primarySlot,
  type Slot,
} from "./journal.ts";
import { appendRecord, loadJournal, setWord } from "./records.ts";
import { HEADER_BYTES } from "./sizes.ts";

/** What is to be installed, out of its verified manifest. */
export interface ImagePlan {
  /** 16 bytes. */
  readonly id: Uint8Array;
  readonly bytes: number;
  readonly block_bytes: number;
  /** SHA-256 of each block, the last of which may be shorter. */
  readonly block_hashes: readonly Uint8Array[];
  readonly sha256: Uint8Array;
}

export interface SlotGeometry {
  readonly running: Slot;
  /** Erase block of the slots, bytes. */
  readonly erase_bytes: number;
  readonly slot_bytes: number;
}

/** U-Boot looks for its header here: written last. A page of the flash chip, and a whole number of words of any. */
export const HEADER_PAGE_BYTES = 256;

const ERASED = 0xff;
const NOTHING = new Uint8Array(0);

export interface InstallCrypto {
  sha256(bytes: Uint8Array): Uint8Array;
}

/** @returns the record, armed. Ends with UpdateStopped where something cannot be done. */
export function* install(
  crypto: InstallCrypto,
  plan: ImagePlan,
  geometry: SlotGeometry,
): Machine<JournalRecord> {
  yield* stage("begin");
  const record = yield* begin(plan, geometry);
  const slot = { crypto, plan, geometry, partition: slotPartition(record.slot) };
  yield* stage("compare");
  // Its first page is kept here until the end.
  const first = yield* getBlock(slot, 0);
  const header = first.slice(0, HEADER_PAGE_BYTES);
  const from = yield* firstToWrite(slot, header);
  yield* stage("erase");
  yield* eraseFrom(slot, from);
  yield* stage("write");
  for (let block = from; block < plan.block_hashes.length; block++)
    yield* writeBlock(slot, block, block === 0 ? first : yield* getBlock(slot, block));
  yield* stage("read-back");
  yield* checkWhole(slot, header);
  yield* stage("header");
  // Its end first: a page that is cut half-way would else have a good header over data that is not there.
  yield* program(slot.partition, HEADER_BYTES, header.subarray(HEADER_BYTES));
  yield* program(slot.partition, 0, header.subarray(0, HEADER_BYTES));
  yield* checkWhole(slot, NOTHING);
  yield* stage("arm");
  yield* setWord(record, "armed");
  return { ...record, armed: true };
}

interface SlotWork {
  readonly crypto: InstallCrypto;
  readonly plan: ImagePlan;
  readonly geometry: SlotGeometry;
  readonly partition: ReturnType<typeof slotPartition>;
}

/** The record of this installation: an open one of the same image, or a new one. */
function* begin({ id, bytes }: ImagePlan, { running, slot_bytes }: SlotGeometry) {
  const target: Slot = running === "a" ? "b" : "a";
  if (bytes > slot_bytes) throw new UpdateStopped("the image is longer than the slot");
  const journal = yield* loadJournal();
  if (openTrial(journal) !== null) throw new UpdateStopped("a trial is under way");
  if (primarySlot(journal) !== running)
    throw new UpdateStopped("what runs is not what the journal has as primary");
  const open = openInstallation(journal);
  if (open !== null && open.slot === target && same(open.image, id)) return open;
  if (open !== null) yield* setWord(open, "failed");
  return yield* appendRecord(target, id);
}

/**
 * The first block that has to be written. What an earlier attempt wrote counts, but for the last block of it: that one may have
 * been cut so late that it reads right today. So may a header: where anything stands in its page, all is done again.
 */
function* firstToWrite(slot: SlotWork, header: Uint8Array): Machine<number> {
  const { plan, geometry, partition } = slot;
  const page = yield* read(partition, 0, HEADER_PAGE_BYTES);
  if (page.some((byte) => byte !== ERASED)) return 0;
  let right = 0;
  while (right < plan.block_hashes.length && (yield* isRight(slot, right, header))) right++;
  const last = Math.max(0, right - 1);
  const together = Math.max(1, geometry.erase_bytes / plan.block_bytes);
  return last - (last % together);
}

/**
 * All that follows is erased before any of it is written: of what stands there from before nothing can then be taken for what
 * this attempt wrote.
 */
function* eraseFrom({ plan, geometry, partition }: SlotWork, block: number): Machine<void> {
  for (let at = block * plan.block_bytes; at < plan.bytes; at += geometry.erase_bytes)
    yield* erase(partition, at);
}

function* isRight({ plan, partition }: SlotWork, block: number, header: Uint8Array) {
  const prefix = block === 0 ? header : NOTHING;
  const { offset, bytes } = extent(plan, block);
  const rest = bytes - prefix.length;
  const found = yield* hash(partition, prefix, offset + prefix.length, rest);
  return same(found, plan.block_hashes[block] ?? NOTHING);
}

function extent({ bytes, block_bytes }: ImagePlan, block: number) {
  const offset = block * block_bytes;
  return { offset, bytes: Math.min(block_bytes, bytes - offset) };
}

/** Gets a block of the image: what is returned is what the manifest says. */
function* getBlock({ crypto, plan }: SlotWork, block: number): Machine<Uint8Array> {
  const data = yield* fetch(block);
  if (!same(crypto.sha256(data), plan.block_hashes[block] ?? NOTHING))
    throw new UpdateStopped(`block ${block} is not what the manifest says`);
  return data;
}

/** Writes a block, but for the header's page. */
function* writeBlock({ plan, partition }: SlotWork, block: number, data: Uint8Array) {
  const skipped = block === 0 ? HEADER_PAGE_BYTES : 0;
  yield* program(partition, extent(plan, block).offset + skipped, padded(data.subarray(skipped)));
}

/** To whole words, with what erased flash reads. */
function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 4 === 0) return bytes;
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4).fill(0xff);
  whole.set(bytes);
  return whole;
}

/** @param prefix what is to stand at the beginning, and is not there yet */
function* checkWhole({ plan, partition }: SlotWork, prefix: Uint8Array): Machine<void> {
  const found = yield* hash(partition, prefix, prefix.length, plan.bytes - prefix.length);
  if (!same(found, plan.sha256)) throw new UpdateStopped("the slot does not hold the image");
}
