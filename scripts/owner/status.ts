/**
 * What a camera says of itself: its retained, signed status, and the unsigned hint whether it is connected.
 */
import { ocellus } from "#proto";
import type { RecipientKey } from "../../agent/seal/crypto.ts";
import { decodeMessage } from "../../agent/seal/decode.ts";
import { topicName } from "../../agent/seal/names.ts";
import { openBody, parseRecord, type RecordBody, verifyRecord } from "../../agent/seal/record.ts";
import { isRefused, type Refused } from "../../agent/seal/refusal.ts";
import { crypto } from "./crypto.ts";
import type { Trusted } from "./trust.ts";

/** A verified and opened status. */
export interface Status {
  readonly boot: number;
  /** Counts the camera's records in this boot: of two statuses the higher (boot, seq) is newer. */
  readonly seq: number;
  readonly open: ocellus.v1.StatusPublic;
  /** Null while the camera has no recipients yet, or where its recipients are others than `keys`. */
  readonly secret: ocellus.v1.StatusPrivate | null;
  /** It has a private part, sealed to keys that are none of ours: another recipients' list is in force. */
  readonly foreign: boolean;
}

/**
 * Verifies and opens a message of the camera's `status` topic. One that is sealed to other keys is still the camera's word:
 * its open part says which list is in force.
 */
export function openStatus(
  trusted: Trusted,
  keys: readonly RecipientKey[],
  payload: Uint8Array,
): Status | Refused {
  const body = verifiedBody(trusted, "status", payload);
  if (isRefused(body)) return body;
  const { boot, seq, plain } = body;
  const open = decodeMessage(ocellus.v1.StatusPublic, plain);
  if (isRefused(open)) return open;
  const sealed = openSealed(body, keys);
  if (isRefused(sealed)) {
    if (sealed.refused !== "no-wrap") return sealed;
    return { boot, seq, open, secret: null, foreign: true };
  }
  if (sealed === null) return { boot, seq, open, secret: null, foreign: false };
  const secret = decodeMessage(ocellus.v1.StatusPrivate, sealed);
  return isRefused(secret) ? secret : { boot, seq, open, secret, foreign: false };
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
  const body = verifiedBody(trusted, leaf, payload);
  if (isRefused(body)) return body;
  const sealed = openSealed(body, keys);
  if (isRefused(sealed)) return sealed;
  const { boot, seq, plain } = body;
  return { boot, seq, plain, sealed };
}

function verifiedBody(trusted: Trusted, leaf: "status" | "seg" | "rsp", payload: Uint8Array) {
  const parsed = parseRecord(payload);
  if (isRefused(parsed)) return parsed;
  const topic = topicName(trusted.tenant, trusted.camera, leaf);
  const scope = { topic, camera: trusted.camera, boot: null };
  return verifyRecord(crypto, parsed, scope, trusted.signingKey) ?? parsed.body;
}

function openSealed({ boot, seq, sealed }: RecordBody, keys: readonly RecipientKey[]) {
  return sealed && openBody(crypto, "record", { boot, seq }, sealed, keys);
}

/** The unsigned hint on topic `link`; null where it is malformed. */
export function openLink(payload: Uint8Array): ocellus.v1.Link | null {
  const link = decodeMessage(ocellus.v1.Link, payload);
  return isRefused(link) ? null : link;
}
