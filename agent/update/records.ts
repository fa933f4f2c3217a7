/** What writes the journal. Each step leaves a journal that starts what is proven, wherever the power goes. */
import { erase, type Machine, program, read, UpdateStopped } from "./actions.ts";
import {
  CHECK_OFFSET,
  confirmedRecord,
  currentBlock,
  encodeRecord,
  JOURNAL_BLOCKS,
  JOURNAL_BYTES,
  type Journal,
  type JournalBlock,
  type JournalRecord,
  newestRecord,
  readJournal,
  type Slot,
  type StateWord,
  stateWord,
} from "./journal.ts";

/** Reads the journal from flash. */
export function* loadJournal(): Machine<Journal> {
  const [a, b] = JOURNAL_BLOCKS;
  return readJournal({
    [a]: yield* read(a, 0, JOURNAL_BYTES),
    [b]: yield* read(b, 0, JOURNAL_BYTES),
  });
}

/** Sets a state word of a record. Doing it again changes nothing. */
export function* setWord(
  { block, offset }: Pick<JournalRecord, "block" | "offset">,
  name: StateWord,
): Machine<void> {
  const { at, bytes } = stateWord(name);
  yield* program(block, offset + at, bytes);
}

/** Appends a record for an image that is to go into a slot, and makes room for it where there is none. */
export function* appendRecord(slot: Slot, image: Uint8Array): Machine<JournalRecord> {
  const journal = yield* loadJournal();
  const generation = (newestRecord(journal)?.generation ?? 0) + 1;
  const place = yield* makeRoom(journal);
  return yield* writeRecord(place, generation, slot, image);
}

interface Place {
  readonly block: JournalBlock;
  readonly offset: number;
}

function* makeRoom(journal: Journal): Machine<Place> {
  const current = currentBlock(journal);
  if (current !== null && current.free !== null)
    return { block: current.name, offset: current.free };
  const [first, second] = JOURNAL_BLOCKS;
  const block = current?.name === first ? second : first;
  // Whatever it reads: an erasure that was cut may look complete and not be.
  yield* erase(block, 0);
  const confirmed = confirmedRecord(journal);
  if (confirmed === null) return { block, offset: 0 };
  const { generation, slot, image } = confirmed;
  const copy = yield* writeRecord({ block, offset: 0 }, generation, slot, image);
  yield* setWord(copy, "confirmed");
  const free = (yield* loadJournal()).blocks.find(({ name }) => name === block)?.free;
  if (free === undefined || free === null) throw new Error("a block of the journal has one place");
  return { block, offset: free };
}

function* writeRecord(
  { block, offset }: Place,
  generation: number,
  slot: Slot,
  image: Uint8Array,
): Machine<JournalRecord> {
  const { body, check } = encodeRecord(generation, slot, image);
  yield* program(block, offset, body);
  yield* program(block, offset + CHECK_OFFSET, check);
  const found = (yield* loadJournal()).blocks
    .flatMap(({ records }) => records)
    .find((record) => record.block === block && record.offset === offset);
  if (found === undefined) throw new UpdateStopped(`the journal does not take a record`);
  return found;
}

/** Programs the words that count again: one that was cut at its very end may read right today and not tomorrow. */
export function* strengthen(journal: Journal): Machine<void> {
  const records = new Set([newestRecord(journal), confirmedRecord(journal)]);
  for (const record of records) {
    if (record === null) continue;
    const { body, check } = encodeRecord(record.generation, record.slot, record.image);
    yield* program(record.block, record.offset, body);
    yield* program(record.block, record.offset + CHECK_OFFSET, check);
    for (const name of ["armed", "confirmed", "failed"] as const)
      if (record[name]) yield* setWord(record, name);
  }
}
