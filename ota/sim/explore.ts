/**
 * Cuts the power everywhere: before, in and after every operation on flash, then again wherever that leads to, as deep as asked.
 * What is the same afterwards is looked at once.
 */
import type { Partition } from "../../agent/update/actions.ts";
import { type Chips, type Fault, Found, live, type State, type World } from "./camera.ts";
import type { Image } from "./images.ts";
import { ERASE_TEARS, type Operation, PROGRAM_TEARS, type Tear } from "./nor.ts";

/** Starts after the end of a life. */
const LATER = [1, 2, 3];

/** What was done, and what it led to. */
export interface Counts {
  /** Operations on flash before which a cut was tried. */
  operations: number;
  cuts: number;
  /** Lives that were run to their end. */
  lives: number;
  /** Cuts that led to flash that had been looked at. */
  repeated: number;
  readonly tears: Map<string, number>;
  readonly faults: Map<Fault, number>;
  /** Of the first of each kind: how it came about. */
  readonly first: Map<Fault, string>;
}

export function emptyCounts(): Counts {
  return {
    ...{ operations: 0, cuts: 0, lives: 0, repeated: 0 },
    ...{ tears: new Map(), faults: new Map(), first: new Map() },
  };
}

export interface Exploration {
  readonly world: World;
  /** What is published. */
  readonly wanted: Image;
  /** What must still be possible afterwards; `null` where `wanted` shows it. */
  readonly afterwards: Image | null;
  /** Cuts in one life, each in what the one before led to. */
  readonly depth: number;
  readonly counts: Counts;
  /** Whether to cut here; all where it is left out. */
  readonly sampled?: (partition: Partition, operation: Operation) => boolean;
}

/** @returns the camera after the life that was not cut. */
export function explore(what: Exploration, from: State): State {
  const end = cloned(from);
  branch(what, end, what.depth, [], new Set());
  return end;
}

/** Runs `state` to the end, cutting on the way. */
function branch(
  what: Exploration,
  state: State,
  depth: number,
  path: readonly string[],
  seen: Set<string>,
): void {
  const { world, wanted, afterwards, counts } = what;
  let count = 0;
  const before = (partition: Partition, operation: Operation, now: State) => {
    count++;
    if (depth === 0 || what.sampled?.(partition, operation) === false) return;
    counts.operations++;
    const tears: readonly Tear[] = operation.do === "erase" ? ERASE_TEARS : PROGRAM_TEARS;
    for (const tear of tears) {
      const copy = cloned(now);
      copy.chips[partition].tear(operation, tear, world.random);
      counts.cuts++;
      const kind = `${operation.do} ${tear}`;
      counts.tears.set(kind, (counts.tears.get(kind) ?? 0) + 1);
      const key = `${depth} ${digestOf(copy.chips)}`;
      if (seen.has(key)) {
        counts.repeated++;
        continue;
      }
      seen.add(key);
      const step = `operation ${count} of this life: ${operation.do} ${partition} ${operation.offset}, ${tear}`;
      branch(what, copy, depth - 1, [...path, step], seen);
    }
  };
  counts.lives++;
  try {
    live(world, state, wanted, before);
    // What reads right today must do so later.
    for (const _ of LATER) live(world, state, wanted, () => {});
    if (afterwards !== null) live(world, cloned(state), afterwards, () => {});
  } catch (error) {
    if (!(error instanceof Found)) throw error;
    counts.faults.set(error.fault, (counts.faults.get(error.fault) ?? 0) + 1);
    if (!counts.first.has(error.fault))
      counts.first.set(error.fault, [error.message, ...path].join("\n  after "));
  }
}

function cloned({ chips, proven, candidate }: State): State {
  const copy = {
    "journal-a": chips["journal-a"].clone(),
    "journal-b": chips["journal-b"].clone(),
    "slot-a": chips["slot-a"].clone(),
    "slot-b": chips["slot-b"].clone(),
  };
  return { chips: copy, proven, candidate };
}

function digestOf(chips: Chips): string {
  return Object.values(chips)
    .map(({ digest }) => digest)
    .join(";");
}
