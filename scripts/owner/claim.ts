/**
 * A camera's claim, checked as agent/identity/FORMAT.md ("From provisioning to paired", 4) says, and the answer to it.
 */
import { ocellus } from "#proto";
import { same } from "../../agent/identity/encoding.ts";
import { decodeMessage } from "../../agent/seal/decode.ts";
import { topicName } from "../../agent/seal/names.ts";
import { parseRecord, verifyRecord } from "../../agent/seal/record.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { makeCommand, type Sent } from "./command.ts";
import { crypto, hmacSha256, inDomain } from "./crypto.ts";
import { signCameraRecord } from "./lists.ts";
import type { ExpectedCamera, Owner, PairedCamera } from "./owner.ts";

const CLAIM_DOMAIN = "ocellus/v1/claim\0";

/** A claim that has passed every check. */
export interface Claimed {
  readonly signingKey: Uint8Array;
  readonly boxKey: Uint8Array;
  readonly boot: number;
  readonly monotonic_us: number;
}

/** Why a status is no good claim: one clause. */
export interface NoClaim {
  readonly why: string;
}

/**
 * Checks a message of the expected camera's `status` topic: the HMAC by the token that was given to it, its id, the owner's
 * root key, and the status's signature by the key that is claimed.
 */
export function checkClaim(
  owner: Owner,
  camera: ExpectedCamera,
  payload: Uint8Array,
): Claimed | NoClaim {
  const record = parseRecord(payload);
  if (isRefused(record)) return { why: `its status is malformed (${record.refused})` };
  const open = decodeMessage(ocellus.v1.StatusPublic, record.body.plain);
  if (isRefused(open)) return { why: `its status is malformed (${open.refused})` };
  if (open.pairing !== ocellus.v1.Pairing.PAIRING_CLAIMING) return { why: "it is not claiming" };
  if (!crypto.equal(open.claimMac, hmacSha256(camera.token, inDomain(CLAIM_DOMAIN, open.claim)))) {
    return { why: "its claim was not made with the token of the provisioning file" };
  }
  const claim = decodeMessage(ocellus.v1.Claim, open.claim);
  if (isRefused(claim)) return { why: `its claim is malformed (${claim.refused})` };
  if (!same(claim.camera, camera.id)) return { why: "its claim is for another camera" };
  if (!same(claim.rootKey, owner.root.publicKey)) return { why: "its claim names another owner" };
  if (claim.signingKey.length !== 32 || claim.boxKey.length !== 32) {
    return { why: "its claim holds malformed keys" };
  }
  const topic = topicName(owner.tenant, camera.id, "status");
  const scope = { topic, camera: camera.id, boot: null };
  const unverified = verifyRecord(crypto, record, scope, claim.signingKey);
  if (unverified)
    return { why: `its status is not signed by the claimed key (${unverified.refused})` };
  const { signingKey, boxKey } = claim;
  return { signingKey, boxKey, boot: record.body.boot, monotonic_us: open.monotonicUs };
}

/** Signs the camera record that answers a claim, and the command that carries it. */
export function adopt(
  owner: Owner,
  camera: ExpectedCamera,
  claimed: Claimed,
  now_us: number,
): { readonly paired: PairedCamera; readonly sent: Sent } {
  const paired = signCameraRecord(owner, camera, claimed, now_us);
  const to = { ...claimed, tenant: owner.tenant, camera: camera.id };
  const { list, signature } = owner.list;
  const answer = { cameraRecord: paired.record, signature: paired.signature };
  const sent = makeCommand(to, owner.root, now_us, {
    action: "adopt",
    adopt: { ...answer, recipients: { list, signature } },
  });
  return { paired, sent };
}
