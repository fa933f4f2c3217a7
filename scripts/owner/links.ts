/**
 * The link from a boot's first segment to the boots before it (agent/seal/FORMAT.md, "The link between boots"): whether the
 * segment that it names by its hash alone is in the store.
 */
import { same } from "../../agent/identity/encoding.ts";
import { headerHash, type SegmentHead, type SegmentHeader } from "../../agent/seal/container.ts";
import { crypto } from "./crypto.ts";
import { type CameraView, type FoundHead, headOfCopies } from "./heads.ts";
import { bootsBefore, classPrefixes, segmentNames } from "./names.ts";
import { Refusal } from "./open.ts";

/** What a camera seals within its persist interval is fewer segments than this by far: one of 4 s would be 150. */
const TAIL = 10_000;
/** A boot with footage over this long has kept its chain's head on flash: twice the interval at which cameras do. */
const KEPT_US = 2 * 600e6;

/** Whether a header states the head of an earlier boot: it is the first of its boot that has a header. */
export function isFirstOfBoot({ seq, skipped }: SegmentHeader): boolean {
  return skipped === seq;
}

/**
 * Whether what `header`, the first of its boot, names as the segment before it is in the store, or nothing is named.
 * False: the camera sealed a segment in an earlier boot, near the end of what it had sealed, and it is not there.
 * Throws Problem where the store fails.
 * @param guess a good segment of an earlier boot that is likely to be the one; null: none is known.
 * @param onFlood as for `bootsBefore`: then it may be there although this says false.
 */
export async function isLinked(
  view: CameraView,
  header: SegmentHeader,
  guess: SegmentHead | null,
  onFlood: (refusal: Refusal) => void,
): Promise<boolean> {
  const { previous, stream } = header;
  if (guess && same(headerHash(crypto, guess.signed), previous)) return true;
  if (previous.every((byte) => byte === 0)) return true;
  for (const boot of await bootsBefore(view, stream, header.boot, onFlood)) {
    const prefixes = await classPrefixes(view, stream, boot);
    const last = await lastGood(view, prefixes);
    // Where the last name is a forged one, who knows where the end is: then all is looked through.
    const from = last ? Math.max(0, last.name.seq - TAIL) : 0;
    if (await holds(view, prefixes, from, previous)) return true;
    const first = last && (await nextGood(view, prefixes, 0));
    if (first && last.metadata.captureUs - first.metadata.captureUs >= KEPT_US) return false;
  }
  return false;
}

async function holds(
  view: CameraView,
  prefixes: readonly string[],
  from: number,
  hash: Uint8Array,
): Promise<boolean> {
  for await (const copies of segmentNames(view, prefixes, from)) {
    if (copies instanceof Refusal) continue;
    if (!copies.some((name) => same(name.hash, hash.subarray(0, 16)))) continue;
    // Anybody who may put can put something of that name.
    const { found } = await headOfCopies(view, copies);
    if (found && same(headerHash(crypto, found.head.signed), hash)) return true;
  }
  return false;
}

/**
 * The first segment from number `seq` on whose head is good; null where there is none.
 * @param onName told of objects on the way that are no segments.
 */
export async function nextGood(
  view: CameraView,
  prefixes: readonly string[],
  seq: number,
  onName: (refusal: Refusal) => void = () => {},
): Promise<FoundHead | null> {
  for await (const copies of segmentNames(view, prefixes, seq, 1)) {
    if (copies instanceof Refusal) {
      onName(copies);
      continue;
    }
    const { found } = await headOfCopies(view, copies);
    if (found) return found;
  }
  return null;
}

/** The last segment of a boot, found by halving; null where there is none or the last name is not of a good one. */
export async function lastGood(
  view: CameraView,
  prefixes: readonly string[],
): Promise<FoundHead | null> {
  const first = async (seq: number) => {
    for await (const copies of segmentNames(view, prefixes, seq, 1)) {
      if (!(copies instanceof Refusal)) return copies;
    }
    return null;
  };
  let last = await first(0);
  const seq = () => last?.[0]?.seq ?? 0;
  let step = 1;
  /** From here on there is none. */
  let end = Number.POSITIVE_INFINITY;
  while (last && seq() + 1 < end) {
    const at = end === Number.POSITIVE_INFINITY ? seq() + step : Math.ceil((seq() + end) / 2);
    const next = at > 9_999_999_999 ? null : await first(at);
    if (next) last = next;
    else end = at;
    step *= 2;
  }
  return last && (await headOfCopies(view, last)).found;
}
