/** A camera's life of updates, with the power cut everywhere in it. */

import type { Partition } from "../../agent/update/actions.ts";
import { BLOCK_BYTES } from "../../agent/update/sizes.ts";
import type { Bootloader, Chips, State, World } from "./camera.ts";
import { type Counts, emptyCounts, explore } from "./explore.ts";
import { type Behaviour, type Image, makeImage } from "./images.ts";
import { Nor, type Operation, type Random } from "./nor.ts";

export interface WalkOptions {
  readonly bootloader: Bootloader;
  /** Erase block of the slots. */
  readonly erase_bytes: number;
  /** Updates before, none of them cut: they fill the journal. */
  readonly before: readonly Behaviour[];
  /** Cuts in one life. */
  readonly depth: number;
  /** What is published, one after the other, each with cuts; after a bad one a good one must still be taken. */
  readonly published: readonly Behaviour[];
  readonly seed: number;
  /** Blocks of an image. */
  readonly blocks: number;
  readonly sampled?: (partition: Partition, operation: Operation) => boolean;
}

/** The same numbers for the same seed, 0 to 1. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    // Numerical Recipes' quick generator, whose upper bits are good enough to tear words.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What was counted of one published image. */
export interface Walked {
  readonly published: Behaviour;
  readonly counts: Counts;
}

/** Goes on to the next published image when it is asked for it. */
export function* walk(options: WalkOptions): Generator<Walked> {
  const random = randomOf(options.seed);
  const image = (does: Behaviour) => makeImage(does, options.blocks, random);
  const first = image("good");
  const before = options.before.map(image);
  const published = options.published.map(image);
  const last = image("good");
  const world: World = {
    bootloader: options.bootloader,
    images: [first, ...before, ...published, last],
    erase_bytes: options.erase_bytes,
    slot_bytes: (options.blocks + 1) * BLOCK_BYTES,
    random,
  };
  let state = outOfTheBox(world, first);
  for (const wanted of before)
    state = explore({ world, wanted, afterwards: null, depth: 0, counts: emptyCounts() }, state);
  for (const wanted of published) {
    const counts = emptyCounts();
    const afterwards = wanted.does === "good" ? null : last;
    const { depth, sampled } = options;
    state = explore(
      { world, wanted, afterwards, depth, counts, ...(sampled === undefined ? {} : { sampled }) },
      state,
    );
    yield { published: wanted.does, counts };
  }
}

/** Slot a as it was made, the rest erased. */
function outOfTheBox({ erase_bytes, slot_bytes }: World, image: Image): State {
  const slot = () => Nor.erased(slot_bytes / erase_bytes, erase_bytes);
  const chips: Chips = {
    "journal-a": Nor.erased(1, BLOCK_BYTES),
    "journal-b": Nor.erased(1, BLOCK_BYTES),
    "slot-a": slot(),
    "slot-b": slot(),
  };
  const whole = new Uint8Array(Math.ceil(image.bytes.length / 4) * 4).fill(0xff);
  whole.set(image.bytes);
  chips["slot-a"].apply({ do: "program", offset: 0, bytes: whole });
  return { chips, proven: image, candidate: null };
}
