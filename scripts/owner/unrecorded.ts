/**
 * Boots that have objects but no boot record: one refusal of the store and a power cut are enough for that, or whoever deletes
 * it. Their segments state themselves when they were taken, where the camera knew.
 */
import { ahead } from "./ahead.ts";
import { type Boot, zerosOf } from "./boots.ts";
import type { CameraView } from "./heads.ts";
import { lastGood, nextGood } from "./links.ts";
import { bootsListed, classPrefixes } from "./names.ts";
import type { Refusal } from "./open.ts";

/** As many are looked into; the lowest numbers, since whoever adds folders can only take those that no boot has. */
export const LOOKED_INTO = 1_000;
const AT_ONCE = 8;

/** What is found of such boots. */
export interface Unrecorded {
  /** Those whose segments state when they were taken; rising. */
  readonly timed: readonly Boot[];
  /** The others, rising; whether what they hold is footage is not looked at. */
  readonly untimed: readonly number[];
  /** How many were not looked into. */
  readonly left_out: number;
}

/**
 * Finds the boots that have objects of the stream and none of these records. Throws Problem where the store fails.
 * @param onFlood as for `bootsListed`.
 */
export async function unrecordedBoots(
  view: CameraView,
  stream: number,
  recorded: ReadonlySet<number>,
  onFlood: (refusal: Refusal) => void,
): Promise<Unrecorded> {
  const listed = await bootsListed(view, stream, onFlood);
  const without = listed.filter((boot) => !recorded.has(boot));
  const timed: Boot[] = [];
  const untimed: number[] = [];
  async function* numbers() {
    yield* without.slice(0, LOOKED_INTO);
  }
  const looked = ahead(numbers(), AT_ONCE, async (boot) => ({
    number: boot,
    boot: await bootBySegments(view, stream, boot),
  }));
  for await (const { number, boot } of looked) {
    if (boot) timed.push(boot);
    else untimed.push(number);
  }
  return { timed, untimed, left_out: Math.max(0, without.length - LOOKED_INTO) };
}

/**
 * A boot as its own last and first segments state its time: whoever has the camera's keys cannot change that of footage that
 * is in the store. Null where they state none.
 */
export async function bootBySegments(
  view: CameraView,
  stream: number,
  boot: number,
): Promise<Boot | null> {
  const prefixes = await classPrefixes(view, stream, boot);
  const first = await nextGood(view, prefixes, 0);
  const last = first && (await lastGood(view, prefixes));
  const stated = [last, first].flatMap((found) => {
    if (!found || found.metadata.wallUs === 0) return [];
    const { wallUs, captureUs } = found.metadata;
    return [{ zero_us: wallUs - captureUs, at_us: captureUs }];
  });
  const [newest] = stated;
  if (!newest) return null;
  return {
    boot,
    ...zerosOf(stated),
    ...{ build: null, startReason: null, put_us: null, run: { first: boot, last: boot } },
    // It ran when it took its last; what it took first may have waited in the ring since before it started.
    ...{ firstRecord_us: newest.at_us, lastRecord_us: newest.at_us },
  };
}
