/**
 * What a camera says of itself: its retained, signed status, and the unsigned hint whether it is connected.
 */
import { ocellus } from "#proto";
import type { RecipientKey } from "../../agent/seal/crypto.ts";
import { decodeMessage } from "../../agent/seal/decode.ts";
import { topicName } from "../../agent/seal/names.ts";
import { openBody, parseRecord, verifyRecord } from "../../agent/seal/record.ts";
import { isRefused, type Refused } from "../../agent/seal/refusal.ts";
import { crypto } from "./crypto.ts";
import type { Trusted } from "./trust.ts";

/** A verified and opened status. */
export interface Status {
  readonly boot: number;
  /** Counts the camera's records in this boot: of two statuses the higher (boot, seq) is newer. */
  readonly seq: number;
  readonly open: ocellus.v1.StatusPublic;
  /** Null while the camera has no recipients yet. */
  readonly secret: ocellus.v1.StatusPrivate | null;
}

/** Verifies and opens a message of the camera's `status` topic. */
export function openStatus(
  trusted: Trusted,
  keys: readonly RecipientKey[],
  payload: Uint8Array,
): Status | Refused {
  const opened = openRecord(trusted, keys, "status", payload);
  if (isRefused(opened)) return opened;
  const { boot, seq, plain, sealed } = opened;
  const open = decodeMessage(ocellus.v1.StatusPublic, plain);
  if (isRefused(open)) return open;
  if (sealed === null) return { boot, seq, open, secret: null };
  const secret = decodeMessage(ocellus.v1.StatusPrivate, sealed);
  return isRefused(secret) ? secret : { boot, seq, open, secret };
}

/** A verified record's parts. */
export interface OpenedRecord {
  readonly boot: number;
  readonly seq: number;
  /** Public part, empty where there is none. */
  readonly plain: Uint8Array;
  /** The sealed part, opened; null where there is none. */
  readonly sealed: Uint8Array | null;
}

/** Verifies a camera's record from one of its topics and opens its sealed part. */
export function openRecord(
  trusted: Trusted,
  keys: readonly RecipientKey[],
  leaf: "status" | "seg" | "rsp",
  payload: Uint8Array,
): OpenedRecord | Refused {
  const parsed = parseRecord(payload);
  if (isRefused(parsed)) return parsed;
  const topic = topicName(trusted.tenant, trusted.camera, leaf);
  const scope = { topic, camera: trusted.camera, boot: null };
  const unverified = verifyRecord(crypto, parsed, scope, trusted.signingKey);
  if (unverified) return unverified;
  const { boot, seq, plain, sealed } = parsed.body;
  if (sealed === null) return { boot, seq, plain, sealed: null };
  const opened = openBody(crypto, "record", { boot, seq }, sealed, keys);
  return isRefused(opened) ? opened : { boot, seq, plain, sealed: opened };
}

/** The unsigned hint on topic `link`; null where it is malformed. */
export function openLink(payload: Uint8Array): ocellus.v1.Link | null {
  const link = decodeMessage(ocellus.v1.Link, payload);
  return isRefused(link) ? null : link;
}

/** The camera's monotonic time that belongs to the owner's `now_us`, as far as a status tells. */
export function cameraTime_us(status: Status, now_us: number): number {
  const { open, secret } = status;
  const wall_us = secret?.wallUs ?? 0;
  const age_us = wall_us === 0 ? 0 : Math.max(0, now_us - wall_us);
  return open.monotonicUs + age_us;
}
