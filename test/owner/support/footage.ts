/** Stretches of sealed footage, and what is found of them. */
import { random } from "../../../scripts/owner/crypto.ts";
import type { CameraView } from "../../../scripts/owner/heads.ts";
import { Notes } from "../../../scripts/owner/notes.ts";
import type { Refusal } from "../../../scripts/owner/open.ts";
import { findSegments, type Segment, type Wanted } from "../../../scripts/owner/recordings.ts";
import type { Store } from "../../../scripts/owner/store.ts";
import { type Sealed, type Sealer, type SegmentSpec, sealSegment, viewOf } from "./sealed.ts";

/** Any instant. */
export const DAY_US = 1_770_000_000_000_000;
export const SEGMENT_US = 4_000_000;

/** So long after DAY_US, microseconds since 1970. */
export const at = (seconds: number) => DAY_US + seconds * 1e6;

/** A boot's first `count` segments of 4 s each, from the boot's zero. */
export function chain(
  by: Sealer,
  boot: number,
  count: number,
  over: Partial<SegmentSpec> = {},
): Sealed[] {
  const made: Sealed[] = [];
  for (let seq = 0; seq < count; seq++) {
    const previous = made.at(-1)?.hash ?? new Uint8Array(32);
    const times = { capture_us: seq * SEGMENT_US, duration_us: SEGMENT_US };
    made.push(sealSegment(by, { boot, seq, previous, ...times, chunks: [random(200)], ...over }));
  }
  return made;
}

/** All that is found; of the main stream, and of all times where none are named. */
export async function find(
  by: Sealer,
  store: Store,
  wanted: Partial<Wanted> = {},
  cache: string | null = null,
): Promise<(Segment | Refusal)[]> {
  return (await look(viewOf(by, store, cache), wanted)).found;
}

/** The same with what is told beside it. */
export async function look(view: CameraView, wanted: Partial<Wanted> = {}) {
  const whole = { stream: 0, from_us: 0, to_us: Number.MAX_SAFE_INTEGER, ...wanted };
  const found: (Segment | Refusal)[] = [];
  const notes = new Notes();
  for await (const one of findSegments(view, whole, (note) => notes.add(note))) found.push(one);
  return { found, notes };
}
