/** Whose camera this is, read from the state files at start. */
import nacl from "tweetnacl";
import { ocellus } from "#proto";
import type { Native } from "../runtime/native.d.ts";
import { decodeMessage } from "../seal/decode.ts";
import { isRefused } from "../seal/refusal.ts";
import { mistakeInAdoption } from "./adoption.ts";
import { files } from "./files.ts";
import { type Identity, identityFromFile } from "./identity.ts";

export type Ownership =
  /** No identity: waits for a provisioning file and sends nothing. */
  | { readonly is: "unpaired" }
  /** Provisioned; the owner has not answered the claim yet. */
  | { readonly is: "claiming"; readonly identity: Identity }
  | { readonly is: "paired"; readonly identity: Identity }
  /** A file without which the camera cannot know whose it is is damaged: only a reset helps. One sentence. */
  | { readonly is: "broken"; readonly why: string };

type Machine = Pick<Native, "readState" | "writeState" | "sha256" | "verify">;

const RESET_HELPS = "Reset the camera and pair it again.";

/** Reads `identity` and `adoption`. Everything is verified before it is believed. */
export function loadOwnership(native: Machine): Ownership {
  const file = files.identity.load(native);
  if (file.is === "absent") return { is: "unpaired" };
  if (file.is === "bad") return { is: "broken", why: `${file.why} ${RESET_HELPS}` };

  const adoption = files.adoption.load(native);
  const adopted = adoption.is === "ok";
  // A paired camera takes its own public key from the root-signed record: computing it takes a scalar multiplication in
  // JavaScript, about 0.3 s on the camera.
  const recorded = adopted ? boxKeyOf(adoption.value) : null;
  const identity = identityFromFile(file.value, (secret) => recorded ?? boxPublicKey(secret));
  if (identity === null) {
    return { is: "broken", why: `The state file "identity" cannot be used. ${RESET_HELPS}` };
  }
  if (!adopted) {
    if (identity.token !== null) return { is: "claiming", identity };
    // The token is wiped only after the adoption was written, so the adoption was there and is lost.
    const why = adoption.is === "bad" ? adoption.why : `The state file "adoption" is missing.`;
    return { is: "broken", why: `${why} ${RESET_HELPS}` };
  }
  const mistake = mistakeInAdoption(adoption.value, identity, native);
  return mistake === null
    ? { is: "paired", identity }
    : { is: "broken", why: `${mistake} ${RESET_HELPS}` };
}

/** X25519 public key of a secret one. */
export function boxPublicKey(secretKey: Uint8Array): Uint8Array {
  return nacl.box.keyPair.fromSecretKey(secretKey).publicKey;
}

function boxKeyOf(adoption: ocellus.v1.Adoption): Uint8Array | null {
  const record = decodeMessage(ocellus.v1.CameraRecord, adoption.cameraRecord);
  return isRefused(record) || record.boxKey.length !== 32 ? null : new Uint8Array(record.boxKey);
}
