/**
 * What stands before a segment's chunks: fetched by range, verified, opened, and kept in a cache as it was fetched.
 */
import { join } from "node:path";
import { PRELUDE_BYTES, parsePrelude, SIGNATURE_BYTES } from "../../agent/seal/container.ts";
import type { RecipientKey } from "../../agent/seal/crypto.ts";
import { isPruned } from "../../agent/seal/pruned.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { throughCache } from "./cache.ts";
import { asRefusal, type Named, type OpenedHead, openHead, Refusal } from "./open.ts";
import type { Store } from "./store.ts";
import type { Trusted } from "./trust.ts";

/** One camera's footage in a store, as its owner. */
export interface CameraView {
  readonly store: Store;
  readonly trusted: Trusted;
  readonly keys: readonly RecipientKey[];
  /** Directory for kept heads and boot records; null: none are kept. */
  readonly cache: string | null;
  /** When the camera left the owner's hands, microseconds since 1970 UTC; absent while it is his. */
  readonly retired_us?: number;
  /** No signature is checked: nobody knows the camera's key any more, and `trusted.signingKey` is nothing. */
  readonly unverified?: boolean;
}

/** Fetched at once; more only where the head is longer. Measured: 4 s at 4 Mbit/s for two recipients has 3 kB. */
const FIRST_BYTES = 8192;

/** The verified and opened head of an object. Throws Refusal, or Problem where the store fails. */
export async function headOf(view: CameraView, name: Named): Promise<OpenedHead> {
  return throughCache(
    view.cache && join(view.cache, "heads"),
    name.object,
    (bytes) => openHead(view.trusted, view.keys, name, bytes, view.unverified),
    () => fetchHead(view.store, name),
  );
}

/** A segment's head from the first of its copies that is good. */
export interface FoundHead extends OpenedHead {
  readonly name: Named;
  /** Copies that were not looked at. */
  readonly copies: readonly Named[];
}

/**
 * The head of one of a segment's copies, and what was refused on the way to it. Where none is good, the first refusal stands
 * for the segment. Throws Problem where the store fails.
 */
export async function headOfCopies(
  view: CameraView,
  copies: readonly Named[],
): Promise<{ readonly found: FoundHead | null; readonly refused: readonly Refusal[] }> {
  const refused: Refusal[] = [];
  for (const [i, name] of copies.entries()) {
    const opened = await headOf(view, name).catch(asRefusal);
    if (opened instanceof Refusal) {
      refused.push(opened);
      continue;
    }
    const found = { ...opened, name, copies: copies.slice(i + 1) };
    return { found, refused: refused.map((one) => one.aside()) };
  }
  return { found: null, refused: refused.map((one, i) => (i === 0 ? one : one.aside())) };
}

async function fetchHead(store: Store, name: Named): Promise<Uint8Array> {
  const first = await store.get(name.object, 0, FIRST_BYTES - 1);
  if (first === null) throw new Refusal(name.object, "withheld");
  if (isPruned(first)) throw new Refusal(name.object, "damaged");
  const prelude = parsePrelude(first);
  if (isRefused(prelude)) throw new Refusal(name.object, prelude.refused);
  const head_bytes = PRELUDE_BYTES + prelude.headerBytes + SIGNATURE_BYTES;
  if (head_bytes <= first.length) return first.subarray(0, head_bytes);
  return (await store.get(name.object, 0, head_bytes - 1)) ?? first;
}
