/** The bounded walk of the tests. */
import type { Bootloader, Fault } from "../../../ota/sim/camera.ts";
import type { Behaviour } from "../../../ota/sim/images.ts";
import { walk } from "../../../ota/sim/walk.ts";

const times = (count: number, does: Behaviour) => Array<Behaviour>(count).fill(does);

/** Each kind of walk, by how the journal stands in it. */
const WALKS = {
  "as it was made": {
    before: [],
    published: ["good", "panics", "gives-up", "no-lzma", "good", "good"],
  },
  "about to turn over": { before: times(28, "good"), published: ["good", "panics", "good"] },
  // Confirmed by the first, which every rotation has to carry over.
  "one image confirmed, and many that failed": {
    before: ["good", ...times(16, "gives-up")],
    published: ["gives-up", "good"],
  },
} as const satisfies Record<
  string,
  { before: readonly Behaviour[]; published: readonly Behaviour[] }
>;

export type WalkName = keyof typeof WALKS;

export interface ShortWalks {
  /** By kind, and of the first of each how it came about. */
  readonly found: ReadonlyMap<Fault, string>;
  readonly cuts: number;
  readonly lives: number;
}

/** Walks, or only that of a name; ends with the first published image of which anything was found. */
export function shortWalks(bootloader: Bootloader, seed: number, only?: WalkName): ShortWalks {
  const shape = { bootloader, erase_bytes: 65_536, depth: 1, blocks: 3, seed };
  let [cuts, lives] = [0, 0];
  for (const [name, { before, published }] of Object.entries(WALKS)) {
    if (only !== undefined && name !== only) continue;
    for (const { counts } of walk({ ...shape, before, published })) {
      cuts += counts.cuts;
      lives += counts.lives;
      if (counts.first.size > 0) return { found: counts.first, cuts, lives };
    }
  }
  return { found: new Map(), cuts, lives };
}
