/** The owner's answer to the claim: the root-signed camera record (identity/FORMAT.md, "From provisioning to paired" 5). Pure. */
import { ocellus } from "#proto";
import type { Native } from "../runtime/native.d.ts";
import { decodeMessage } from "../seal/decode.ts";
import { isRefused } from "../seal/refusal.ts";
import { ascii, join, same } from "./encoding.ts";
import type { Identity } from "./identity.ts";

const DOMAIN = ascii("ocellus/v1/camera-record\0");

/**
 * What is wrong with a camera record as this camera's own, as one sentence; `null` where it is good: signed by the
 * pinned root key, naming this camera, its tenant, both of its keys and that root key.
 */
export function mistakeInAdoption(
  adoption: ocellus.v1.Adoption.$Properties,
  identity: Identity,
  native: Pick<Native, "verify">,
): string | null {
  const { cameraRecord: raw, signature } = adoption;
  if (!raw || !signature || !native.verify(signature, join(DOMAIN, raw), identity.rootKey)) {
    return "The camera record is not signed by the owner's root key.";
  }
  const record = decodeMessage(ocellus.v1.CameraRecord, raw);
  if (isRefused(record)) return `The camera record cannot be read (${record.refused}).`;
  if (!same(record.camera, identity.camera)) return "The camera record is for another camera.";
  if (record.tenant !== identity.tenant) return "The camera record is for another tenant.";
  if (!same(record.signingKey, identity.signing.publicKey)) {
    return "The camera record holds another signing key.";
  }
  if (!same(record.boxKey, identity.box.publicKey)) {
    return "The camera record holds another box key.";
  }
  if (!same(record.rootKey, identity.rootKey)) return "The camera record holds another root key.";
  return null;
}
