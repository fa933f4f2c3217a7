/** The bounded walk of the tests. */
import type { Bootloader, Fault } from "../../../ota/sim/camera.ts";
import type { Behaviour } from "../../../ota/sim/images.ts";
import { walk } from "../../../ota/sim/walk.ts";

/** Walks whose journal turns over in different ways. */
const BEFORE: readonly (readonly Behaviour[])[] = [
  [],
  Array<Behaviour>(28).fill("good"),
  // Confirmed by the first, which every rotation has to carry over.
  ["good", ...Array<Behaviour>(16).fill("gives-up")],
];

export interface ShortWalks {
  /** By kind, and of the first of each how it came about. */
  readonly found: ReadonlyMap<Fault, string>;
  readonly cuts: number;
  readonly lives: number;
}

/** Walks; ends with the first published image of which anything was found. */
export function shortWalks(bootloader: Bootloader, seed: number): ShortWalks {
  const shape = { bootloader, erase_bytes: 65_536, depth: 1, blocks: 3, seed };
  let [cuts, lives] = [0, 0];
  for (const before of BEFORE) {
    for (const { counts } of walk({ ...shape, before })) {
      cuts += counts.cuts;
      lives += counts.lives;
      if (counts.first.size > 0) return { found: counts.first, cuts, lives };
    }
  }
  return { found: new Map(), cuts, lives };
}
