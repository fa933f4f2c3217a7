/** A state of journal and slots, and what has to come of it. */

import type { Slot } from "../../../agent/update/journal.ts";
import type { BootState, Ended } from "../../../ota/sim/sandbox.ts";
import type { SlotContent } from "../../../ota/sim/slots.ts";
import { record } from "./records.ts";

/** A state and what has to come of it. */
export interface Decision {
  readonly what: string;
  readonly state: BootState;
  readonly ends: Ended;
  /** The only word that is written: an attempt, by its record's place. */
  readonly consumed?: { readonly block: Slot; readonly index: number; readonly attempt: number };
  /** In real U-Boot too. */
  readonly real?: true;
}

interface Given {
  readonly a?: readonly Buffer[];
  readonly b?: readonly Buffer[];
  readonly slot_a?: SlotContent;
  readonly slot_b?: SlotContent;
  readonly worn?: BootState["worn"];
}

export const GOOD_A = record(1, "a", { armed: true, attempts: [true], confirmed: true });
export const GOOD_B = record(2, "b", { armed: true, attempts: [true], confirmed: true });

export function state({
  a = [],
  b = [],
  slot_a = "valid",
  slot_b = "valid",
  worn = [],
}: Given): BootState {
  return {
    journal: { a: Buffer.concat(a), b: Buffer.concat(b) },
    slots: { a: slot_a, b: slot_b },
    worn,
  };
}

const image = (slot: Slot) => `slot ${slot}`;

/** No trial: the slot starts and nothing is written. */
export function starts(what: string, slot: Slot, given: Given, real?: true): Decision {
  const ends: Ended = { outcome: "started", slot, image: image(slot) };
  return { what, state: state(given), ends, ...(real ? { real } : {}) };
}

interface Trial {
  readonly generation?: number;
  readonly attempt: number;
  readonly slot?: Slot;
  readonly block?: Slot;
  readonly index?: number;
}

/** A trial starts, and its attempt is consumed. */
export function tries(what: string, trial: Trial, given: Given, real?: true): Decision {
  const { generation = 2, attempt, slot = "b", block = "a", index = 1 } = trial;
  const started = { outcome: "started", slot, trial: { generation, attempt } } as const;
  return {
    what,
    state: state(given),
    ends: { ...started, image: image(slot) },
    consumed: { block, index, attempt },
    ...(real ? { real } : {}),
  };
}

/** The trial's slot does not start after all: its attempt is consumed, and the other slot starts. */
export function triesInVain(what: string, given: Given, real?: true): Decision {
  return {
    ...starts(what, "a", given, real),
    consumed: { block: "a", index: 1, attempt: 1 },
  };
}

/** The usual trial, of slot b. */
export const trial = (states: Parameters<typeof record>[2] = {}) =>
  record(2, "b", { armed: true, ...states });
