/**
 * What the update's machines want done, and what they are told of it. A machine is a generator: it yields one action at a time
 * and goes on with the event that answers it. It does no I/O, so that camera, simulator and tests run the same one; all that it
 * remembers beyond a power cut stands in flash.
 */
import { same } from "../identity/encoding.ts";
import type { JournalBlock, Slot } from "./journal.ts";

export type Partition = JournalBlock | `slot-${Slot}`;

export const slotPartition = (slot: Slot): Partition => `slot-${slot}`;

export type Action =
  /** Read `bytes` from `offset`. Answered by `bytes`. */
  | {
      readonly do: "read";
      readonly partition: Partition;
      readonly offset: number;
      readonly bytes: number;
    }
  /** SHA-256 of `prefix` ‖ what stands from `offset` on, `bytes` long. Answered by `bytes`, 32 of them. */
  | {
      readonly do: "hash";
      readonly partition: Partition;
      readonly prefix: Uint8Array;
      readonly offset: number;
      readonly bytes: number;
    }
  /** Erase the erase block that begins at `offset`. Answered by `done`. */
  | { readonly do: "erase"; readonly partition: Partition; readonly offset: number }
  /** Program erased bytes; 4-byte aligned, durable once it is answered by `done`. */
  | {
      readonly do: "program";
      readonly partition: Partition;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  /** Get this block of the image. Answered by `bytes`, as long as the manifest says; their hash is checked here. */
  | { readonly do: "fetch"; readonly block: number }
  /** Answered by `done`. */
  | { readonly do: "stage"; readonly stage: Stage };

/** How far an installation is. */
export type Stage = keyof typeof STAGES;

/** Each in a sentence, for status and logs. */
export const STAGES = {
  begin: "The journal gets a record of the new image; the slot still holds what it held.",
  compare:
    "What the slot holds of the image, from an earlier attempt, is compared with the manifest.",
  erase: "What is to be written is erased, from the beginning on: the slot cannot start any more.",
  write:
    "Blocks are fetched, checked and written; the slot cannot start, since its first page is erased.",
  "read-back": "The whole image is read back from flash and its hash compared.",
  header: "The page with the image's header is written: from here on the slot can start.",
  arm: "The journal's record is armed: the next start is a trial of the new image.",
} as const;

export type Event =
  | { readonly is: "bytes"; readonly bytes: Uint8Array }
  | { readonly is: "done" }
  /** It could not be done: a sentence. */
  | { readonly is: "failed"; readonly why: string };

/** A machine that ends with a result. */
export type Machine<Result> = Generator<Action, Result, Event>;

/** Ends a machine in the middle. Nothing that it did has to be undone. */
export class UpdateStopped extends Error {}

function* wanted(action: Action): Machine<Uint8Array> {
  const event = yield action;
  if (event.is === "failed") throw new UpdateStopped(event.why);
  if (event.is !== "bytes") throw new TypeError(`${action.do} was answered without bytes`);
  return event.bytes;
}

function* done(action: Action): Machine<void> {
  const event = yield action;
  if (event.is === "failed") throw new UpdateStopped(event.why);
}

export function* read(partition: Partition, offset: number, bytes: number): Machine<Uint8Array> {
  return yield* wanted({ do: "read", partition, offset, bytes });
}

export function* hash(
  partition: Partition,
  prefix: Uint8Array,
  offset: number,
  bytes: number,
): Machine<Uint8Array> {
  return yield* wanted({ do: "hash", partition, prefix, offset, bytes });
}

export function* erase(partition: Partition, offset: number): Machine<void> {
  yield* done({ do: "erase", partition, offset });
}

/** Programs, and reads back. */
export function* program(partition: Partition, offset: number, bytes: Uint8Array): Machine<void> {
  yield* done({ do: "program", partition, offset, bytes });
  const back = yield* read(partition, offset, bytes.length);
  if (!same(back, bytes))
    throw new UpdateStopped(`flash does not hold what was written to ${partition} at ${offset}`);
}

export function* fetch(block: number): Machine<Uint8Array> {
  return yield* wanted({ do: "fetch", block });
}

export function* stage(name: Stage): Machine<void> {
  yield* done({ do: "stage", stage: name });
}
