/**
 * A camera's boots: each has a clock of its own, which a signed and sealed boot record maps to wall time.
 */
import { join } from "node:path";
import { ocellus } from "#proto";
import { same } from "../../agent/identity/encoding.ts";
import { decodeMessage } from "../../agent/seal/decode.ts";
import { type BootObjectName, cameraPrefix, parseBootObjectName } from "../../agent/seal/names.ts";
import { openBody, parseRecord, verifyRecord } from "../../agent/seal/record.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { ahead } from "./ahead.ts";
import { throughCache } from "./cache.ts";
import { crypto } from "./crypto.ts";
import type { CameraView } from "./heads.ts";
import { listAll, tenDigits } from "./names.ts";
import { asRefusal, Refusal } from "./open.ts";
import type { Listed } from "./store.ts";

/** One boot of a camera. */
export interface Boot {
  readonly boot: number;
  /** Wall time of the boot's monotonic zero, microseconds since 1970 UTC; null where the camera never knew the time. */
  readonly zero_us: number | null;
  /** From its boot record; null where there is none. */
  readonly build: string | null;
  readonly startReason: string | null;
  /**
   * When its oldest and its newest record were made, microseconds since its zero; the agent had started by the first and
   * still ran at the second. Null where there is none.
   */
  readonly firstRecord_us: number | null;
  readonly lastRecord_us: number | null;
  /** The first and the last boot of the same machine run: their clocks are one. Only itself where that is not looked at. */
  readonly run: { readonly first: number; readonly last: number };
}

/** More than any record of a camera has; what is longer is not fetched. */
const RECORD_BYTES = 65_536;
const FETCH_AHEAD = 8;

/**
 * Reads boot records; yields what is refused of them, which is left out.
 * @param boot only this one's.
 * @returns the boots that have a record, rising.
 */
export async function* readBoots(
  view: CameraView,
  boot?: number,
): AsyncGenerator<Refusal, Boot[], undefined> {
  const boots = new Map<number, Boot>();
  const prefix = `${cameraPrefix(view.trusted.tenant, view.trusted.camera)}boot/`;
  const wanted = boot === undefined ? prefix : `${prefix}${tenDigits(boot)}-`;
  // All of them, whatever interval is asked: in any boot the clock may have been set wrongly, so that no record proves
  // when the boots before it were.
  const records = ahead(listAll(view.store, wanted), FETCH_AHEAD, (listed) =>
    bootRecord(view, listed).catch(asRefusal),
  );
  for await (const opened of records) {
    if (opened instanceof Refusal) {
      yield opened;
      continue;
    }
    const { number, record } = opened;
    const { monotonicUs } = record;
    const known = boots.get(number);
    const firstRecord_us = Math.min(known?.firstRecord_us ?? monotonicUs, monotonicUs);
    // The clock may be set again: the record that was made last knows best.
    if ((known?.lastRecord_us ?? -1) > monotonicUs) {
      if (known) boots.set(number, { ...known, firstRecord_us });
      continue;
    }
    boots.set(number, {
      boot: number,
      zero_us: record.wallUs === 0 ? null : record.wallUs - monotonicUs,
      build: record.build,
      startReason: record.startReason,
      firstRecord_us,
      lastRecord_us: monotonicUs,
      run: { first: number, last: number },
    });
  }
  return [...boots.values()].sort((a, b) => a.boot - b.boot);
}

async function bootRecord(view: CameraView, { name: object, size_bytes }: Listed) {
  const name = parseBootObjectName(object);
  if (isRefused(name)) throw refusal(object, name.refused);
  if (size_bytes > RECORD_BYTES) throw refusal(object, "length");
  return throughCache(
    view.cache && join(view.cache, "boots"),
    object,
    (bytes) => openBootRecord(view, object, name, bytes),
    async () => {
      const bytes = await view.store.get(object, 0, RECORD_BYTES - 1);
      if (bytes === null) throw refusal(object, "withheld");
      return bytes;
    },
  );
}

/** No footage of ours has such a name. */
function refusal(object: string, reason: Refusal["reason"]): Refusal {
  return new Refusal(object, reason, false);
}

function openBootRecord(view: CameraView, object: string, name: BootObjectName, bytes: Uint8Array) {
  const refuse = (reason: Refusal["reason"]) => refusal(object, reason);
  if (!same(crypto.sha256(bytes).subarray(0, 16), name.hash)) throw refuse("name");
  const parsed = parseRecord(bytes);
  if (isRefused(parsed)) throw refuse(parsed.refused);
  const { camera, signingKey } = view.trusted;
  const scope = { topic: name.topic, camera, boot: name.boot };
  const unverified = verifyRecord(crypto, parsed, scope, signingKey);
  if (unverified) throw refuse(unverified.refused);
  const { body } = parsed;
  if (!body.sealed) throw refuse("field-value");
  const plain = openBody(crypto, "record", body, body.sealed, view.keys);
  if (isRefused(plain)) throw refuse(plain.refused);
  const record = decodeMessage(ocellus.v1.BootRecord, plain);
  if (isRefused(record)) throw refuse(record.refused);
  return { number: name.boot, record };
}
