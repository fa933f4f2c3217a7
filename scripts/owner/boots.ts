/**
 * A camera's boots: each has a clock of its own, which a signed and sealed boot record maps to wall time.
 */
import { ocellus } from "#proto";
import { same } from "../../agent/identity/encoding.ts";
import { decodeMessage } from "../../agent/seal/decode.ts";
import { cameraPrefix, parseBootObjectName } from "../../agent/seal/names.ts";
import { openBody, parseRecord, verifyRecord } from "../../agent/seal/record.ts";
import { isRefused, type RefusalReason } from "../../agent/seal/refusal.ts";
import { crypto } from "./crypto.ts";
import type { CameraView } from "./heads.ts";
import { listAll } from "./names.ts";
import { Refusal } from "./open.ts";

/** One boot of a camera. */
export interface Boot {
  readonly boot: number;
  /** Wall time of the boot's monotonic zero, microseconds since 1970 UTC; null where the camera never knew the time. */
  readonly zero_us: number | null;
  /** From its boot record; null where there is none. */
  readonly build: string | null;
  readonly startReason: string | null;
}

/**
 * All boots that have a boot record or footage of `stream`, rising.
 * Throws Refusal where a boot record is not the camera's: no time of this camera could then be believed.
 */
export async function listBoots(view: CameraView, stream: number): Promise<Boot[]> {
  const boots = new Map<number, Boot>();
  for (const boot of await bootsWithFootage(view, stream)) {
    boots.set(boot, { boot, zero_us: null, build: null, startReason: null });
  }
  /** The clock may be set again: the record that was made last knows best. */
  const newest = new Map<number, number>();
  const prefix = `${cameraPrefix(view.trusted.tenant, view.trusted.camera)}boot/`;
  for await (const { name } of listAll(view.store, prefix)) {
    const { boot, record } = await openBootRecord(view, name);
    if ((newest.get(boot) ?? -1) > record.monotonicUs) continue;
    newest.set(boot, record.monotonicUs);
    boots.set(boot, {
      boot,
      zero_us: record.wallUs === 0 ? null : record.wallUs - record.monotonicUs,
      build: record.build,
      startReason: record.startReason,
    });
  }
  return [...boots.values()].sort((a, b) => a.boot - b.boot);
}

async function openBootRecord(view: CameraView, object: string) {
  const refuse = (reason: RefusalReason) => new Refusal(object, reason);
  const name = parseBootObjectName(object);
  if (isRefused(name)) throw refuse(name.refused);
  const bytes = await view.store.get(object);
  if (bytes === null) throw refuse("too-short");
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
  return { boot: name.boot, record };
}

async function bootsWithFootage(view: CameraView, stream: number): Promise<number[]> {
  const { tenant, camera } = view.trusted;
  const boots = new Set<number>();
  for (const folder of await view.store.folders(`${cameraPrefix(tenant, camera)}${stream}/`)) {
    for (const inside of await view.store.folders(folder)) {
      const boot = /\/([0-9]{10})\/$/.exec(inside)?.[1];
      if (boot !== undefined) boots.add(Number(boot));
    }
  }
  return [...boots];
}
