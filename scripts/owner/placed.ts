/** Which boots' footage may lie in an interval, and where on the owner's time line each may be. */
import { type Boot, hasLaterRecord, readBoots } from "./boots.ts";
import type { CameraView } from "./heads.ts";
import type { Tell } from "./notes.ts";
import type { Refusal } from "./open.ts";
import type { Wanted } from "./recordings.ts";
import { inRuns } from "./runs.ts";
import { bootBySegments, unrecordedBoots } from "./unrecorded.ts";

/** A boot that is to be looked through. */
export interface Placed {
  /** As its newest record has it. */
  readonly boot: Boot;
  /** The zeros under which it may have footage of the interval, the likeliest first; at least one. */
  readonly zeros_us: readonly (number | null)[];
  /** Whether another boot came after it. */
  readonly followed: boolean;
  /** When the next one had started, null where that is not known or there is none. */
  readonly nextStart_us: number | null;
}

/** A clock of two boots may be off by this much, so neighbours of an interval are looked at too. */
const CLOCK_SLACK_US = 300e6;

/** The boots to look through, rising; yields boot records that are refused, which are left out. */
export async function* bootsWanted(
  view: CameraView,
  wanted: Wanted,
  tell: Tell,
  onFlood: (refusal: Refusal) => void,
): AsyncGenerator<Refusal, Placed[], undefined> {
  if (wanted.boot !== undefined) return [yield* oneBoot(view, wanted.stream, wanted.boot, tell)];
  const records = yield* readBoots(view);
  const recorded = new Set(records.map(({ boot }) => boot));
  const others = await unrecordedBoots(view, wanted.stream, recorded, onFlood);
  const boots = inRuns([...records, ...others.timed].sort((a, b) => a.boot - b.boot));
  const untimed = others.untimed.filter(
    (number) =>
      !endedBefore(
        0,
        boots.filter(({ boot }) => boot > number),
        wanted.from_us,
      ),
  );
  if (untimed.length > 0 || others.left_out > 0) {
    tell({ note: "untimed", boots: untimed, left_out: others.left_out });
  }
  return boots.flatMap((boot, i) => {
    const later = boots.slice(i + 1);
    const zeros_us = zerosIn(boot, later, wanted);
    if (zeros_us.length === 0) return [];
    tellTimes(boot, tell);
    const [next] = later;
    return [{ boot, zeros_us, followed: next !== undefined, nextStart_us: startOf(next) }];
  });
}

/** The boot that was named, whole, whatever is known of it. */
async function* oneBoot(
  view: CameraView,
  stream: number,
  number: number,
  tell: Tell,
): AsyncGenerator<Refusal, Placed, undefined> {
  const [recorded] = yield* readBoots(view, number);
  const boot = recorded ?? (await bootBySegments(view, stream, number)) ?? untimed(number);
  tellTimes(boot, tell);
  const followed = await hasLaterRecord(view, number);
  return { boot, zeros_us: [boot.zero_us], followed, nextStart_us: null };
}

function untimed(boot: number): Boot {
  const unknown = { zero_us: null, firstRecord_us: null, lastRecord_us: null, put_us: null };
  const none = { build: null, startReason: null, otherZeros_us: [], zerosLeftOut: 0 };
  return { boot, ...unknown, ...none, run: { first: boot, last: boot } };
}

function tellTimes({ boot, zero_us, otherZeros_us, zerosLeftOut }: Boot, tell: Tell): void {
  if (zero_us === null || otherZeros_us.length === 0) return;
  const zeros_us = [zero_us, ...otherZeros_us];
  tell({ note: "times-differ", boot, zeros_us, left_out: zerosLeftOut });
}

/** The boot's zeros under which it may have footage of the interval. */
function zerosIn(boot: Boot, later: readonly Boot[], { from_us, to_us }: Wanted): number[] {
  const { zero_us, otherZeros_us, lastRecord_us } = boot;
  if (zero_us === null) return [];
  return [zero_us, ...otherZeros_us].filter(
    (zero_us) => zero_us < to_us && !endedBefore(zero_us + (lastRecord_us ?? 0), later, from_us),
  );
}

/**
 * Whether a boot that still ran at `lived_us` is certain to have ended before a time. All its footage is older than the start
 * of any later boot, and that had started when its first record was made; its zero says nothing, since an agent that starts
 * again without a power cycle goes on with the same clock. A record is in the store no sooner than it was made: whoever takes
 * the camera away can state any time, but the store's date of it is that of his deed. One boot that was told a wrong time must
 * not hide the others, so two must say so, neither of which claims to have started before this one's last record.
 */
function endedBefore(lived_us: number, later: readonly Boot[], time_us: number): boolean {
  const starts = later.flatMap((boot) => {
    const start_us = startOf(boot);
    if (start_us === null || start_us + CLOCK_SLACK_US <= lived_us) return [];
    return [Math.max(start_us, boot.put_us ?? Number.POSITIVE_INFINITY)];
  });
  const bounds = starts.slice(0, 2);
  return bounds.length === 2 && bounds.every((end_us) => end_us + CLOCK_SLACK_US <= time_us);
}

/** When it had started at the latest, by its own records. */
function startOf(boot: Boot | undefined): number | null {
  if (!boot || boot.zero_us === null) return null;
  return boot.zero_us + (boot.firstRecord_us ?? 0);
}
