/**
 * The journal of updates: what stands in its two erase blocks, and what follows from it. Pure; the boot script
 * (ota/boot/boot.env) draws the same conclusions, and ota/FORMAT.md, "Journal", says why they are these.
 */
import { same } from "../identity/encoding.ts";
import { crc32 } from "./crc32.ts";
import layout from "./journal.json" with { type: "json" };

/** The two blocks, by the names of their partitions. */
export const JOURNAL_BLOCKS = ["journal-a", "journal-b"] as const;
export type JournalBlock = (typeof JOURNAL_BLOCKS)[number];

export const SLOTS = ["a", "b"] as const;
export type Slot = (typeof SLOTS)[number];

/** Words that are set once, by their pattern; what is neither erased nor the pattern counts as not set. */
export type StateWord = "armed" | "confirmed" | "failed";

/** Bytes of an image id: the first of the SHA-256 of its manifest's signed bytes. */
export const IMAGE_ID_BYTES = 16;
/** Bytes of a journal block that are looked at. */
export const JOURNAL_BYTES = layout.record_bytes * layout.records;
/** U-Boot compares numbers as signed ones of 32 bits. No camera gets so far. */
const GENERATION_MAX = 0x7fff_ffff;
/** Bytes of a record that its check covers. */
const BODY_BYTES = layout.fields.check;
const ERASED = 0xff;
/** Trials that an image gets: a camera that loses power during one is not blamed on the image. */
export const ATTEMPTS = layout.attempts;

/** A record whose check is right. */
export interface JournalRecord {
  readonly block: JournalBlock;
  /** Offset in its block, bytes. */
  readonly offset: number;
  readonly generation: number;
  readonly slot: Slot;
  readonly image: Uint8Array;
  readonly armed: boolean;
  /** Attempts that are used up, 0 to ATTEMPTS. */
  readonly attempts: number;
  readonly confirmed: boolean;
  readonly failed: boolean;
}

/** What a block holds. */
export interface BlockContent {
  readonly name: JournalBlock;
  /** Good ones, as they stand. */
  readonly records: readonly JournalRecord[];
  /** Where the next record may be written: behind everything that is not erased; `null` where no room is left. */
  readonly free: number | null;
}

export interface Journal {
  readonly blocks: readonly BlockContent[];
}

/** Reads both blocks, of which the first JOURNAL_BYTES count. Never fails: what is no good record is none. */
export function readJournal(bytes: Readonly<Record<JournalBlock, Uint8Array>>): Journal {
  return { blocks: JOURNAL_BLOCKS.map((name) => readBlock(name, bytes[name])) };
}

function readBlock(name: JournalBlock, bytes: Uint8Array): BlockContent {
  const records: JournalRecord[] = [];
  let free: number | null = 0;
  for (let offset = 0; offset < JOURNAL_BYTES; offset += layout.record_bytes) {
    const place = bytes.subarray(offset, offset + layout.record_bytes);
    if (place.every((byte) => byte === ERASED)) continue;
    const next = offset + layout.record_bytes;
    free = next < JOURNAL_BYTES ? next : null;
    const record = readRecord(place, name, offset);
    if (record !== null) records.push(record);
  }
  return { name, records, free };
}

function readRecord(bytes: Uint8Array, block: JournalBlock, offset: number): JournalRecord | null {
  const { fields, patterns } = layout;
  const word = (at: number) => wordAt(bytes, at);
  if (word(fields.magic) !== Number(layout.magic)) return null;
  if (word(fields.check) !== crc32(bytes.subarray(0, BODY_BYTES))) return null;
  const generation = word(fields.generation);
  if (generation < 1 || generation > GENERATION_MAX) return null;
  const slot = SLOTS.find((each) => word(fields.slot) === Number(layout.slots[each]));
  if (slot === undefined) return null;
  const used = attemptOffsets().filter((at) => word(at) === Number(patterns.attempt));
  const failed = word(fields.failed) === Number(patterns.failed);
  return {
    ...{ block, offset, generation, slot },
    image: bytes.slice(fields.image, fields.image + IMAGE_ID_BYTES),
    attempts: used.length,
    armed: word(fields.armed) === Number(patterns.armed),
    // Failed is only ever set where confirmed did not read as set.
    confirmed: !failed && word(fields.confirmed) === Number(patterns.confirmed),
    failed,
  };
}

function wordAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}

function attemptOffsets(): number[] {
  return Array.from({ length: ATTEMPTS }, (_, index) => layout.fields.attempts + 4 * index);
}

const all = ({ blocks }: Journal) => blocks.flatMap(({ records }) => records);

/** Of the two copies that a rotation makes of a record, the finished one. */
const isLater = (a: JournalRecord, b: JournalRecord) =>
  a.generation > b.generation || (a.generation === b.generation && a.confirmed && !b.confirmed);

const latest = (records: readonly JournalRecord[]) =>
  records.reduce<JournalRecord | null>(
    (best, each) => (best === null || isLater(each, best) ? each : best),
    null,
  );

/** The record written last, of whatever state; `null` where there is none. */
export function newestRecord(journal: Journal): JournalRecord | null {
  return latest(all(journal));
}

/** The record that names the primary slot; `null` where nothing was ever confirmed: slot a is primary then. */
export function confirmedRecord(journal: Journal): JournalRecord | null {
  return latest(all(journal).filter(({ confirmed }) => confirmed));
}

/** The slot that starts where there is no trial. */
export function primarySlot(journal: Journal): Slot {
  return confirmedRecord(journal)?.slot ?? "a";
}

/** The trial that is neither confirmed nor failed, whether or not an attempt is left; `null` where there is none. */
export function openTrial(journal: Journal): JournalRecord | null {
  const newest = newestRecord(journal);
  if (newest === null || !newest.armed || newest.confirmed || newest.failed) return null;
  return newest;
}

/** The installation that was begun and not finished; `null` where there is none. */
export function openInstallation(journal: Journal): JournalRecord | null {
  const newest = newestRecord(journal);
  if (newest === null || newest.armed || newest.confirmed || newest.failed) return null;
  return newest;
}

/** How often this image's trial has failed, as far as the journal remembers. */
export function failures(journal: Journal, image: Uint8Array): number {
  return all(journal).filter(({ armed, failed, image: its }) => armed && failed && same(its, image))
    .length;
}

/** Which block is written to: the one with the newest record; on equal generations the one with more records. */
export function currentBlock(journal: Journal): BlockContent | null {
  const newest = newestRecord(journal);
  if (newest === null) return null;
  const holding = journal.blocks.filter(({ records }) =>
    records.some(({ generation }) => generation === newest.generation),
  );
  return holding.reduce((a, b) => (b.records.length > a.records.length ? b : a));
}

/** A record's first part as it is programmed: body, and the check that is programmed after it. */
export function encodeRecord(
  generation: number,
  slot: Slot,
  image: Uint8Array,
): { readonly body: Uint8Array; readonly check: Uint8Array } {
  const { fields } = layout;
  if (image.length !== IMAGE_ID_BYTES) throw new RangeError("an image id has 16 bytes");
  const body = new Uint8Array(BODY_BYTES);
  const view = new DataView(body.buffer);
  view.setUint32(fields.magic, Number(layout.magic), true);
  view.setUint32(fields.generation, generation, true);
  view.setUint32(fields.slot, Number(layout.slots[slot]), true);
  body.set(image, fields.image);
  return { body, check: word(crc32(body)) };
}

/** Where in its record the check stands. */
export const CHECK_OFFSET = layout.fields.check;

/** A state word's pattern as it is programmed, and where in its record. */
export function stateWord(name: StateWord): { readonly at: number; readonly bytes: Uint8Array } {
  return { at: layout.fields[name], bytes: word(Number(layout.patterns[name])) };
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
