/**
 * A camera with its flash, as far as updates go: U-Boot's decision, and the update's machines on what it starts. Power on,
 * run, and wherever an operation changes the flash the power may go.
 */
import { same } from "../../agent/identity/encoding.ts";
import {
  type Action,
  type Event,
  type Machine,
  type Partition,
  UpdateStopped,
} from "../../agent/update/actions.ts";
import { install } from "../../agent/update/install.ts";
import {
  confirmedRecord,
  failures,
  JOURNAL_BLOCKS,
  JOURNAL_BYTES,
  type Journal,
  type JournalRecord,
  openTrial,
  readJournal,
  SLOTS,
  type Slot,
} from "../../agent/update/journal.ts";
import {
  adopt,
  confirm,
  giveUp,
  type Situation,
  type Start,
  settle,
} from "../../agent/update/start.ts";
import { type Image, imageIn, judge, sha256 } from "./images.ts";
import { FlashAbuse, type Nor, type Operation, type Random } from "./nor.ts";

export type Chips = Readonly<Record<Partition, Nor>>;

/** What U-Boot did. */
export type Boot = {
  /** The word that it programmed before, where it was a trial. */
  readonly consumed: {
    readonly partition: Partition;
    readonly offset: number;
    readonly bytes: Uint8Array;
  } | null;
} & (
  | { readonly is: "started"; readonly slot: Slot; readonly trial: number | null }
  /** It reset, `why` tells where. */
  | { readonly is: "reset"; readonly why: string }
  /** It stands still, until somebody comes. */
  | { readonly is: "stopped"; readonly why: string }
);

/** U-Boot with the boot script; the chips are only looked at. */
export type Bootloader = (chips: Chips, images: readonly Image[]) => Boot;

/** What must never be. */
export type Fault =
  | "unbootable"
  | "unable to update"
  | "runs an unverified image"
  | "lost a confirmed image"
  | "abuses flash";

export class Found extends Error {
  readonly fault: Fault;
  constructor(fault: Fault, what: string) {
    super(`${fault}: ${what}`);
    this.fault = fault;
  }
}

/** More starts than any way to the goal takes. */
const STARTS_MOST = 40;
/** So many failed trials, and an image is not tried again. */
const FAILURES_MOST = 2;

export interface World {
  readonly images: readonly Image[];
  readonly bootloader: Bootloader;
  readonly erase_bytes: number;
  readonly slot_bytes: number;
  /** What weak words read at a start is by chance. */
  readonly random: Random;
}

/** Told of each operation before it is done, and of the chips as they are. */
export type BeforeOperation = (partition: Partition, operation: Operation, now: State) => void;

/** A camera: what outlasts a power cut. */
export interface State {
  readonly chips: Chips;
  /** The image that was confirmed last: whatever is cut, it or a newer one is the primary one. */
  proven: Image;
  /** The image whose confirmation was begun: it counts as proven as soon as the journal says so. */
  candidate: Image | null;
}

/**
 * Lives until the wanted image runs and is confirmed, or was given up for the one before. Changes the state.
 * Throws Found where anything happens that must never.
 */
export function live(world: World, state: State, wanted: Image, before: BeforeOperation): void {
  const camera = new Camera(world, state, before);
  for (let starts = 0; starts < STARTS_MOST; starts++) if (camera.start(wanted)) return;
  throw new Found("unable to update", `${wanted.does} image after ${STARTS_MOST} starts`);
}

class Camera {
  readonly #world: World;
  readonly #state: State;
  readonly #chips: Chips;
  readonly #before: BeforeOperation;
  #resets = 0;

  constructor(world: World, state: State, before: BeforeOperation) {
    this.#world = world;
    this.#state = state;
    this.#chips = state.chips;
    this.#before = before;
  }

  /** One power-on or reset. @returns whether the goal is reached. */
  start(wanted: Image): boolean {
    for (const chip of Object.values(this.#chips)) chip.powerOn(this.#world.random);
    this.#checkHeaders();
    const boot = this.#world.bootloader(this.#chips, this.#world.images);
    if (boot.consumed !== null) {
      const { partition, offset, bytes } = boot.consumed;
      this.#operate(partition, { do: "program", offset, bytes });
    }
    if (boot.is === "stopped") throw new Found("unbootable", boot.why);
    if (boot.is === "reset") {
      if (++this.#resets > 8) throw new Found("unbootable", boot.why);
      return false;
    }
    const image = this.#imageIn(boot.slot);
    if (image === null) throw new Found("runs an unverified image", `in slot ${boot.slot}`);
    if (image.does === "panics") {
      if (boot.trial === null) throw new Found("unbootable", "a failed image runs outside a trial");
      return false;
    }
    this.#resets = 0;
    return this.#linux(image, { running: boot.slot, trial: boot.trial, armed: false }, wanted);
  }

  #linux(image: Image, start: Start, wanted: Image): boolean {
    const situation: Situation = this.#drive(settle(start));
    this.#checkConfirmed();
    if (situation.is === "trial") {
      if (image.does === "gives-up") {
        this.#drive(giveUp(start));
        return false;
      }
      this.#state.candidate = image;
      this.#drive(confirm(start));
      this.#checkConfirmed();
      return image === wanted;
    }
    if (situation.is === "rolled-back" && situation.record.attempts === 0)
      throw new Found("unable to update", "an image is blamed that was never started");
    if (image.does !== "good") throw new Found("unbootable", "a failed image runs outside a trial");
    if (situation.is === "fallback") this.#drive(adopt(start, image.plan.id));
    if (image === wanted) return true;
    const journal = this.#journal();
    if (failures(journal, wanted.plan.id) >= FAILURES_MOST) {
      if (wanted.does !== "good") return true;
      throw new Found("unable to update", "a good image was given up");
    }
    const { erase_bytes, slot_bytes } = this.#world;
    this.#drive(
      install({ sha256 }, wanted.plan, { running: start.running, erase_bytes, slot_bytes }),
      wanted,
    );
    this.#checkConfirmed();
    return false;
  }

  #drive<Result>(machine: Machine<Result>, wanted?: Image): Result {
    try {
      let next = machine.next();
      while (next.done !== true) next = machine.next(this.#answer(next.value, wanted));
      return next.value;
    } catch (error) {
      if (error instanceof UpdateStopped) throw new Found("unable to update", error.message);
      throw error;
    }
  }

  #answer(action: Action, wanted?: Image): Event {
    switch (action.do) {
      case "read":
        return {
          is: "bytes",
          bytes: this.#chips[action.partition].read(action.offset, action.bytes),
        };
      case "hash": {
        const rest = this.#chips[action.partition].read(action.offset, action.bytes);
        return { is: "bytes", bytes: sha256(Buffer.concat([action.prefix, rest])) };
      }
      case "fetch": {
        if (wanted === undefined) throw new Error("nothing is installed");
        const { block_bytes } = wanted.plan;
        const at = action.block * block_bytes;
        return { is: "bytes", bytes: wanted.bytes.slice(at, at + block_bytes) };
      }
      case "erase":
      case "program":
        this.#operate(action.partition, action);
        return { is: "done" };
      case "stage":
        return { is: "done" };
    }
  }

  #operate(partition: Partition, operation: Operation): void {
    try {
      this.#before(partition, operation, this.#state);
      this.#chips[partition].apply(operation);
    } catch (error) {
      if (error instanceof FlashAbuse)
        throw new Found("abuses flash", `${partition}: ${error.message}`);
      throw error;
    }
    this.#checkHeaders();
    const trial = openTrial(this.#journal());
    if (
      trial !== null &&
      !same(this.#imageIn(trial.slot)?.plan.id ?? new Uint8Array(0), trial.image)
    )
      throw new Found("runs an unverified image", `slot ${trial.slot} is armed without its image`);
  }

  /** No slot has a header that U-Boot would take over anything but a whole image. */
  #checkHeaders(): void {
    for (const slot of SLOTS)
      if (judge(this.#chips, slot) !== "no-header" && this.#imageIn(slot) === null)
        throw new Found("runs an unverified image", `slot ${slot} has a header and no image`);
  }

  #imageIn(slot: Slot): Image | null {
    return imageIn(this.#chips, slot, this.#world.images);
  }

  #journal() {
    return journalOf(this.#chips);
  }

  /** What the journal has as confirmed is whole in its slot, and is what was proven last. */
  #checkConfirmed(): void {
    const record = confirmedRecord(this.#journal());
    const slot = record?.slot ?? "a";
    const { proven, candidate } = this.#state;
    const image = this.#imageIn(slot);
    if (image !== null && image === candidate) this.#state.proven = image;
    else if (image === proven) return;
    else this.#lost(slot, record);
  }

  #lost(slot: Slot, record: JournalRecord | null): never {
    const generation = record?.generation ?? 0;
    throw new Found(
      "lost a confirmed image",
      `slot ${slot} is primary by generation ${generation}`,
    );
  }
}

export function journalOf(chips: Chips): Journal {
  const [a, b] = JOURNAL_BLOCKS;
  return readJournal({
    [a]: chips[a].read(0, JOURNAL_BYTES),
    [b]: chips[b].read(0, JOURNAL_BYTES),
  });
}
