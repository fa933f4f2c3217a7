/**
 * Whom the owner believes: the keys of a camera, from its root-signed record and nowhere else.
 */
import { ocellus } from "#proto";
import { same } from "../../agent/identity/encoding.ts";
import { decodeMessage } from "../../agent/seal/decode.ts";
import type { TrustedCamera } from "../../agent/seal/open.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { Problem } from "../build/problem.mjs";
import { crypto, inDomain } from "./crypto.ts";
import { CAMERA_RECORD_DOMAIN } from "./lists.ts";
import type { KnownCamera, Owner } from "./owner.ts";

/** A camera's pinned keys. */
export interface Trusted extends TrustedCamera {
  /** X25519: commands are sealed to it. */
  readonly boxKey: Uint8Array;
  /** The owner's name for it. */
  readonly name: string;
}

/**
 * Checks a camera's record by the root key and against the owner's own notes.
 * Throws Problem where it is not what the root key signed for this camera.
 */
export function trustCamera(owner: Owner, camera: KnownCamera): Trusted {
  const record = crypto.verify(
    camera.signature,
    inDomain(CAMERA_RECORD_DOMAIN, camera.record),
    owner.root.publicKey,
  )
    ? decodeMessage(ocellus.v1.CameraRecord, camera.record)
    : null;
  if (
    record === null ||
    isRefused(record) ||
    !same(record.camera, camera.id) ||
    !same(record.rootKey, owner.root.publicKey) ||
    record.tenant !== owner.tenant
  ) {
    throw new Problem(
      `the record of camera "${camera.name}" is not what your root key signed for it; restore your keys from a backup.`,
    );
  }
  const { signingKey, boxKey, tenant } = record;
  return { name: camera.name, camera: camera.id, signingKey, boxKey, tenant };
}

/** The keys that open what was sealed to this owner, newest first. */
export function openingKeys(owner: Owner) {
  return [...owner.vaults].reverse();
}
