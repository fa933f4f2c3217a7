/** What a start of the camera means for the update, and how a trial ends. */
import { type Machine, UpdateStopped } from "./actions.ts";
import {
  type JournalRecord,
  openInstallation,
  openTrial,
  primarySlot,
  type Slot,
} from "./journal.ts";
import { appendRecord, loadJournal, setWord, strengthen } from "./records.ts";

/** How this start came about, by the kernel's command line (ota/boot/boot.env writes it). */
export interface Start {
  readonly running: Slot;
  /** Generation of the trial that this start is; `null` for any other. */
  readonly trial: number | null;
  /** A trial was armed since this start: the restart that it needs has not been yet. */
  readonly armed: boolean;
}

export type Situation =
  /** What runs is confirmed, and nothing is under way. */
  | { readonly is: "steady" }
  /** What runs is a new image that has to prove itself. */
  | { readonly is: "trial"; readonly record: JournalRecord }
  /** An installation into the other slot was interrupted. */
  | { readonly is: "interrupted"; readonly record: JournalRecord }
  /** A trial is armed: it begins with the next restart. */
  | { readonly is: "restart-due"; readonly record: JournalRecord }
  /** A trial failed, and the image before it runs. Told once: from the next start on it is steady. */
  | { readonly is: "rolled-back"; readonly record: JournalRecord }
  /** The primary slot did not start, and the other one did. */
  | { readonly is: "fallback" };

/** Called once at each start, before anything else. A trial that failed is closed. */
export function* settle(start: Start): Machine<Situation> {
  const journal = yield* loadJournal();
  yield* strengthen(journal);
  const trial = openTrial(journal);
  const installation = openInstallation(journal);
  if (trial !== null) {
    if (trial.generation === start.trial && trial.slot === start.running)
      return { is: "trial", record: trial };
    if (start.armed) return { is: "restart-due", record: trial };
    yield* setWord(trial, "failed");
    if (trial.slot !== start.running) return { is: "rolled-back", record: trial };
  }
  if (primarySlot(journal) !== start.running) return { is: "fallback" };
  return installation === null ? { is: "steady" } : { is: "interrupted", record: installation };
}

/** The trial has proven itself: from here on its slot is the primary one. */
export function* confirm(start: Start): Machine<void> {
  const trial = openTrial(yield* loadJournal());
  if (trial === null || trial.generation !== start.trial || trial.slot !== start.running)
    throw new UpdateStopped("this start is no trial that is open");
  yield* setWord(trial, "confirmed");
}

/** The trial gives itself up: the next start is the image before it. */
export function* giveUp(start: Start): Machine<void> {
  const trial = openTrial(yield* loadJournal());
  if (trial === null || trial.generation !== start.trial)
    throw new UpdateStopped("this start is no trial that is open");
  yield* setWord(trial, "failed");
}

/**
 * What runs as fallback has proven itself as a trial would: its slot becomes the primary one, so that the other may be written.
 * @param image the id of what runs
 */
export function* adopt({ running }: Start, image: Uint8Array): Machine<void> {
  const journal = yield* loadJournal();
  if (primarySlot(journal) === running) return;
  yield* setWord(yield* appendRecord(running, image), "confirmed");
}
