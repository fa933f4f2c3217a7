/** The contract's cryptography from tweetnacl and Node's hashes: no product code, nothing native of ours. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import nacl from "tweetnacl";

/** An all-zero X25519 result: a low-order public key. */
function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Plain Uint8Array, because a Buffer prints and compares differently. */
export function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/**
 * Everything of `SealCrypto`, `SignCrypto` and `VerifyCrypto` (agent/seal/crypto.ts), and what the contract has beside it.
 * `random` may be replaced, so that a run repeats exactly.
 */
export function nodeCrypto(random: (bytes: number) => Uint8Array = (n) => plain(randomBytes(n))) {
  return {
    random,
    sha256: (bytes: Uint8Array) => plain(createHash("sha256").update(bytes).digest()),
    sha512: (bytes: Uint8Array) => plain(createHash("sha512").update(bytes).digest()),
    hmacSha256: (key: Uint8Array, bytes: Uint8Array) =>
      plain(createHmac("sha256", key).update(bytes).digest()),
    equal: (a: Uint8Array, b: Uint8Array) => a.length === b.length && timingSafeEqual(a, b),
    signKeypair() {
      const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(random(32));
      return { publicKey, secretKey };
    },
    sign: (message: Uint8Array, secretKey: Uint8Array) => nacl.sign.detached(message, secretKey),
    verify: (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) =>
      signature.length === 64 &&
      publicKey.length === 32 &&
      nacl.sign.detached.verify(message, signature, publicKey),
    boxKeypair() {
      const { publicKey, secretKey } = nacl.box.keyPair.fromSecretKey(random(32));
      return { publicKey, secretKey };
    },
    boxPublicKey: (secretKey: Uint8Array) => nacl.box.keyPair.fromSecretKey(secretKey).publicKey,
    boxBefore: (publicKey: Uint8Array, secretKey: Uint8Array) =>
      isZero(nacl.scalarMult(secretKey, publicKey)) ? null : nacl.box.before(publicKey, secretKey),
    secretbox: (message: Uint8Array, nonce: Uint8Array, key: Uint8Array) =>
      nacl.secretbox(message, nonce, key),
    secretboxOpen: (box: Uint8Array, nonce: Uint8Array, key: Uint8Array) =>
      nacl.secretbox.open(box, nonce, key),
  };
}

export type NodeCrypto = ReturnType<typeof nodeCrypto>;

/** A generator that repeats for the same seed: SHA-256 over a counter. For tests only. */
export function seededRandom(seed: string): (bytes: number) => Uint8Array {
  let counter = 0;
  return (bytes) => {
    const blocks: Buffer[] = [];
    for (let have = 0; have < bytes; have += 32)
      blocks.push(createHash("sha256").update(`${seed}/${counter++}`).digest());
    return plain(Buffer.concat(blocks).subarray(0, bytes));
  };
}
