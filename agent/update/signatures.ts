/**
 * Threshold signatures: how many different keys of a list have signed something (ota/FORMAT.md, "Signatures"). Pure but for
 * the cryptography it is given.
 */
import type { ocellus } from "#proto";
import { join, keyId, same } from "../identity/encoding.ts";
import type { HashCrypto, VerifyCrypto } from "../seal/crypto.ts";
import { decodeMessage, type MessageType } from "../seal/decode.ts";
import { isRefused } from "../seal/refusal.ts";
import { refuseUpdate, type UpdateRefused } from "./refusal.ts";

/** Most bytes of a SignedManifest or SignedRoots. */
export const SIGNED_BYTES_MAX = 8192;
/** Each may cost a verification, which takes a camera a hundredth of a second. */
export const SIGNATURES_MAX = 32;

/** What verifying an update takes; `Native` has it. */
export type UpdateCrypto = VerifyCrypto & Pick<HashCrypto, "sha256">;

/** A signature of the right shape, not verified. */
export interface Signature {
  /** 8 bytes: whose it says it is. */
  readonly keyId: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** What was signed, raw, with its signatures; nothing of it is verified. */
export interface Signed {
  readonly raw: Uint8Array;
  readonly signatures: readonly Signature[];
}

/** Decodes a message no longer than a signed one may be. Refuses `too-long`, `malformed`, `critical-field`. */
export function decodeBounded<T extends object>(
  type: MessageType<T>,
  bytes: Uint8Array,
): T | UpdateRefused {
  if (bytes.length > SIGNED_BYTES_MAX) return refuseUpdate("too-long");
  const message = decodeMessage(type, bytes);
  if (!isRefused(message)) return message;
  return refuseUpdate(message.refused === "critical-field" ? "critical-field" : "malformed");
}

/** Checks the shape. Refuses `malformed` (nothing signed), `too-many-signatures`, `field-value` (lengths). */
export function readSigned(
  raw: Uint8Array,
  signatures: readonly ocellus.v1.UpdateSignature.$Properties[],
): Signed | UpdateRefused {
  if (raw.length === 0) return refuseUpdate("malformed");
  if (signatures.length > SIGNATURES_MAX) return refuseUpdate("too-many-signatures");
  const read: Signature[] = [];
  for (const { keyId: id, signature } of signatures) {
    if (id?.length !== 8 || signature?.length !== 64) return refuseUpdate("field-value");
    read.push({ keyId: id, signature });
  }
  return { raw, signatures: read };
}

/**
 * The keys of `keys` that have signed, each once however often it did. Signatures of other keys are passed over. Refuses
 * `signature`: one under the id of a key of `keys` is of none of that id.
 */
export function signersOf(
  crypto: UpdateCrypto,
  domain: Uint8Array,
  { raw, signatures }: Signed,
  keys: readonly Uint8Array[],
): Uint8Array[] | UpdateRefused {
  const message = join(domain, raw);
  const named = keys.map((key) => ({ key, id: keyId(crypto.sha256, key) }));
  const signers: Uint8Array[] = [];
  for (const { keyId: id, signature } of signatures) {
    const meant = named.filter((one) => same(one.id, id));
    if (meant.length === 0) continue;
    const signer = meant.find(({ key }) => crypto.verify(signature, message, key));
    if (signer === undefined) return refuseUpdate("signature");
    if (!signers.some((key) => same(key, signer.key))) signers.push(signer.key);
  }
  return signers;
}
