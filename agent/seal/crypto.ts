/**
 * The cryptography that the sealed formats need, narrow so that the native contract, tweetnacl with Node's hashes, or a
 * browser can each serve. `Native` satisfies HashCrypto, SignCrypto and VerifyCrypto as it stands. All results are fresh.
 */

export interface HashCrypto {
  /** FIPS 180-4. */
  sha256(bytes: Uint8Array): Uint8Array;
  sha512(bytes: Uint8Array): Uint8Array;
  /** Constant time for equal lengths; false for different ones. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

export interface VerifyCrypto {
  /** Ed25519 (RFC 8032). False for wrong lengths too. */
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

export interface SignCrypto {
  /** Ed25519, 64-byte secret key (seed ‖ public key). */
  sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array;
}

export interface OpenCrypto extends HashCrypto {
  /** NaCl crypto_box_beforenm; `null` where the public key gives the all-zero point. */
  boxBefore(publicKey: Uint8Array, secretKey: Uint8Array): Uint8Array | null;
  /** NaCl secretbox without the 16 zero bytes; `null` where the tag does not fit. */
  secretboxOpen(box: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | null;
}

export interface SealCrypto extends OpenCrypto {
  /** NaCl secretbox: 16-byte tag, then ciphertext. */
  secretbox(plain: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array;
  /** A fresh X25519 pair. */
  boxKeypair(): { publicKey: Uint8Array; secretKey: Uint8Array };
  /** Fresh random bytes. */
  random(bytes: number): Uint8Array;
}

/** An X25519 pair that may open what is sealed to it; the holder wipes `secretKey`. */
export interface RecipientKey {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}
