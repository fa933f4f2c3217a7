/** Getting at a key that was wrapped to recipients, and making such wraps off the camera (FORMAT.md, "Keys"). */
import { keyId, same } from "../identity/encoding.ts";
import type { Wrap } from "./container.ts";
import type { HashCrypto, OpenCrypto, RecipientKey, SealCrypto } from "./crypto.ts";
import { subkey } from "./nonce.ts";
import { type Refused, refuse } from "./refusal.ts";

/** A wrapped key as it stands in a header, a record or an announcement. */
export interface Wrapped {
  readonly ephemeral: Uint8Array;
  readonly wraps: readonly Wrap[];
  readonly commitment: Uint8Array;
}

/**
 * K (32 bytes, the caller wipes it), unwrapped with the first of `keys` that a wrap is for and checked against the
 * commitment. Refuses `no-wrap` (none is for these keys), `unwrap` (tag), `commitment`.
 */
export function unwrapKey(
  crypto: OpenCrypto,
  wrapped: Wrapped,
  wrapNonce: Uint8Array,
  keys: readonly RecipientKey[],
): Uint8Array | Refused {
  let refusal = refuse("no-wrap");
  for (const pair of keys) {
    const id = keyId((bytes) => crypto.sha256(bytes), pair.publicKey);
    for (const wrap of wrapped.wraps) {
      if (!same(wrap.recipient, id)) continue;
      const shared = crypto.boxBefore(wrapped.ephemeral, pair.secretKey);
      const key = shared && crypto.secretboxOpen(wrap.sealed, wrapNonce, shared);
      shared?.fill(0);
      if (key === null) refusal = refuse("unwrap");
      else if (key.length === 32 && commits(crypto, wrapped.commitment, key)) return key;
      else {
        key.fill(0);
        return refuse("commitment");
      }
    }
  }
  return refusal;
}

function commits(crypto: HashCrypto, commitment: Uint8Array, key: Uint8Array): boolean {
  return crypto.equal(subkey(crypto, "commitment", key), commitment);
}

/**
 * Wraps `key` to recipients (X25519 public keys) under a fresh ephemeral pair, whose secret is wiped. Refuses `unwrap`
 * where a recipient's key is a low-order point. For owners' tools: the camera wraps through `native.openEpoch`.
 */
export function wrapKey(
  crypto: SealCrypto,
  key: Uint8Array,
  wrapNonce: Uint8Array,
  recipients: readonly Uint8Array[],
): Wrapped | Refused {
  const pair = crypto.boxKeypair();
  const wraps: Wrap[] = [];
  for (const publicKey of recipients) {
    const shared = crypto.boxBefore(publicKey, pair.secretKey);
    if (shared === null) return refuse("unwrap");
    const recipient = keyId((bytes) => crypto.sha256(bytes), publicKey);
    wraps.push({ recipient, sealed: crypto.secretbox(key, wrapNonce, shared) });
    shared.fill(0);
  }
  pair.secretKey.fill(0);
  return { ephemeral: pair.publicKey, wraps, commitment: subkey(crypto, "commitment", key) };
}
