/**
 * A camera's boots: each has a clock of its own, which a signed and sealed boot record maps to wall time.
 */
import { join } from "node:path";
import { ocellus } from "#proto";
import { same } from "../../agent/identity/encoding.ts";
import { decodeMessage } from "../../agent/seal/decode.ts";
import { type BootObjectName, cameraPrefix, parseBootObjectName } from "../../agent/seal/names.ts";
import { openBody, parseRecord, type RecordBody, verifyRecord } from "../../agent/seal/record.ts";
import { isRefused, type Refused, refuse as refusedFor } from "../../agent/seal/refusal.ts";
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
  /**
   * Where else its zero may be: what other records of it state, which differ by more than SAME_ZERO_US. Its clock was set
   * again, or whoever holds the camera's keys has added a record.
   */
  readonly otherZeros_us: readonly number[];
  /** How many more there are, which are not looked at. */
  readonly zerosLeftOut: number;
  /** From its boot record; null where there is none. */
  readonly build: string | null;
  readonly startReason: string | null;
  /**
   * When its oldest and its newest record were made, microseconds since its zero; the agent had started by the first and
   * still ran at the second. Null where there is none.
   */
  readonly firstRecord_us: number | null;
  readonly lastRecord_us: number | null;
  /** When the store had the first of its records, by the store's date; null where there is none or it is not said. */
  readonly put_us: number | null;
  /** The first and the last boot of the same machine run: their clocks are one. Only itself where that is not looked at. */
  readonly run: { readonly first: number; readonly last: number };
}

/** More than any record of a camera has; what is longer is not fetched. */
const RECORD_BYTES = 65_536;
const FETCH_AHEAD = 8;
/** A clock is set anew only for more than that. */
const SAME_ZERO_US = 3e6;
/** Of the zeros that one boot's records state, as many as first came into the store. A clock is not set often. */
export const ZEROS_MAX = 20;

type Record = { readonly object: string; readonly put_us: number | null } & Awaited<
  ReturnType<typeof bootRecord>
>;

/**
 * Reads boot records; yields what is refused of them, which is left out.
 * @param boot only this one's.
 * @returns the boots that have a record, rising.
 */
export async function* readBoots(
  view: CameraView,
  boot?: number,
): AsyncGenerator<Refusal, Boot[], undefined> {
  const boots = new Map<number, Record[]>();
  const wanted =
    boot === undefined ? recordPrefix(view) : `${recordPrefix(view)}${tenDigits(boot)}-`;
  // All of them, whatever interval is asked: in any boot the clock may have been set wrongly, so that no record proves
  // when the boots before it were.
  const records = ahead(listAll(view.store, wanted), FETCH_AHEAD, (listed) =>
    bootRecord(view, listed).then(
      (opened) => ({ ...opened, object: listed.name, put_us: listed.put_us }),
      asRefusal,
    ),
  );
  for await (const record of records) {
    if (record instanceof Refusal) yield record;
    else boots.set(record.number, [...(boots.get(record.number) ?? []), record]);
  }
  const read: Boot[] = [];
  for (const [number, all] of boots) {
    const counted = all.filter(({ put_us }) => isBefore(put_us, view.retired_us));
    // A boot that was known before the camera was retired is known as it was then.
    const records = counted.length > 0 ? counted : all;
    for (const one of all) {
      if (!records.includes(one)) yield refusal(one.object, "retired");
    }
    read.push(bootOf(number, records));
  }
  return read.sort((a, b) => a.boot - b.boot);
}

function isBefore(put_us: number | null, retired_us: number | undefined): boolean {
  return retired_us === undefined || (put_us !== null && put_us <= retired_us);
}

/** Whether a boot that came after has a good record. Throws Problem where the store fails. */
export async function hasLaterRecord(view: CameraView, boot: number): Promise<boolean> {
  // Behind every record of this boot: a name goes on with hexadecimal digits.
  const after = `${recordPrefix(view)}${tenDigits(boot)}-~`;
  for await (const listed of listAll(view.store, recordPrefix(view), after)) {
    const opened = await bootRecord(view, listed).catch(asRefusal);
    if (!(opened instanceof Refusal)) return true;
  }
  return false;
}

function recordPrefix({ trusted }: CameraView): string {
  return `${cameraPrefix(trusted.tenant, trusted.camera)}boot/`;
}

/** @param records of it, at least one. */
function bootOf(number: number, records: readonly Record[]): Boot {
  const made = records.toSorted((a, b) => a.record.monotonicUs - b.record.monotonicUs);
  const newest = made.at(-1)?.record;
  const put = records.flatMap(({ put_us }) => put_us ?? []);
  const timed = made
    .filter(({ record }) => record.wallUs > 0)
    .toSorted((a, b) => (a.put_us ?? Number.MAX_VALUE) - (b.put_us ?? Number.MAX_VALUE));
  const stated = timed.map(({ record: { wallUs, monotonicUs } }) => ({
    zero_us: wallUs - monotonicUs,
    at_us: monotonicUs,
  }));
  return {
    boot: number,
    ...zerosOf(stated),
    build: newest?.build ?? null,
    startReason: newest?.startReason ?? null,
    firstRecord_us: made[0]?.record.monotonicUs ?? null,
    lastRecord_us: newest?.monotonicUs ?? null,
    put_us: put.length > 0 ? put.reduce((a, b) => Math.min(a, b)) : null,
    run: { first: number, last: number },
  };
}

/**
 * Where a boot's zero may be, by what was stated of it.
 * @param stated in the order in which it was first to be seen; `at_us` is when it was stated, by the boot's clock.
 */
export function zerosOf(
  stated: readonly { readonly zero_us: number; readonly at_us: number }[],
): Pick<Boot, "zero_us" | "otherZeros_us" | "zerosLeftOut"> {
  const apart: { zero_us: number; at_us: number }[] = [];
  let zerosLeftOut = 0;
  for (const one of stated) {
    const known = apart.find(({ zero_us }) => Math.abs(zero_us - one.zero_us) <= SAME_ZERO_US);
    if (known && one.at_us > known.at_us) Object.assign(known, one);
    if (known) continue;
    if (apart.length < ZEROS_MAX) apart.push({ ...one });
    else zerosLeftOut += 1;
  }
  // The clock may be set again: what was stated last knows best, if all of it is the camera's.
  apart.sort((a, b) => b.at_us - a.at_us);
  const [best, ...others] = apart;
  const otherZeros_us = others.map(({ zero_us }) => zero_us);
  return { zero_us: best?.zero_us ?? null, otherZeros_us, zerosLeftOut };
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

/** What `verifyRecord` checks besides the signer. */
function misplaced(body: RecordBody, camera: Uint8Array, boot: number): Refused | null {
  if (body.kind !== ocellus.v1.Kind.KIND_BOOT) return refusedFor("kind");
  if (!same(body.camera, camera)) return refusedFor("camera");
  return body.boot === boot ? null : refusedFor("boot");
}

function openBootRecord(view: CameraView, object: string, name: BootObjectName, bytes: Uint8Array) {
  const refuse = (reason: Refusal["reason"]) => refusal(object, reason);
  if (!same(crypto.sha256(bytes).subarray(0, 16), name.hash)) throw refuse("name");
  const parsed = parseRecord(bytes);
  if (isRefused(parsed)) throw refuse(parsed.refused);
  const { camera, signingKey } = view.trusted;
  const scope = { topic: name.topic, camera, boot: name.boot };
  const { body } = parsed;
  const mismatch = view.unverified
    ? misplaced(body, camera, name.boot)
    : verifyRecord(crypto, parsed, scope, signingKey);
  if (mismatch) throw refuse(mismatch.refused);
  if (!body.sealed) throw refuse("field-value");
  const plain = openBody(crypto, "record", body, body.sealed, view.keys);
  if (isRefused(plain)) throw refuse(plain.refused);
  const record = decodeMessage(ocellus.v1.BootRecord, plain);
  if (isRefused(record)) throw refuse(record.refused);
  return { number: name.boot, record };
}
