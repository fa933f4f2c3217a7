/**
 * The primitives of agent/seal/FORMAT.md on the owner's machine.
 *
 * NaCl's boxes come from tweetnacl, the reference of the format. Hashes and Ed25519 come from Node's OpenSSL, because a
 * listing checks hundreds of signatures (measured: 0.1 ms against 3 ms each).
 */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign,
  timingSafeEqual,
  verify,
} from "node:crypto";
import nacl from "tweetnacl";
import { ascii, join, keyId as keyIdBy } from "../../agent/identity/encoding.ts";
import type { SealCrypto, SignCrypto, VerifyCrypto } from "../../agent/seal/crypto.ts";

/** An Ed25519 pair: 32-byte public key, 64-byte secret key (seed ‖ public key, as NaCl has it). */
export interface SigningPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** An X25519 pair, 32 bytes each. */
export interface BoxPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 section 4). */
const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex");

/** PKCS #8 of an Ed25519 seed up to the seed itself (RFC 8410 section 7). */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** What box.before makes of the all-zero point: the point 0 is of low order, so any secret key gives it. */
const OF_ZERO_POINT = nacl.box.before(new Uint8Array(32), new Uint8Array(32).fill(1));

/** What agent/seal asks of the machine it runs on. */
export const crypto: SealCrypto & SignCrypto & VerifyCrypto = {
  sha256: (bytes) => digest("sha256", bytes),
  sha512: (bytes) => digest("sha512", bytes),
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
  verify: (signature, message, publicKey) => {
    if (publicKey.length !== 32 || signature.length !== 64) return false;
    const spki = Buffer.concat([ED25519_SPKI, publicKey]);
    const key = createPublicKey({ key: spki, format: "der", type: "spki" });
    return verify(null, message, key, signature);
  },
  sign: (message, secretKey) => {
    const pkcs8 = Buffer.concat([ED25519_PKCS8, secretKey.subarray(0, 32)]);
    const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
    pkcs8.fill(0);
    return new Uint8Array(sign(null, message, key));
  },
  boxBefore: (publicKey, secretKey) => {
    const shared = nacl.box.before(publicKey, secretKey);
    return nacl.verify(shared, OF_ZERO_POINT) ? null : shared;
  },
  secretboxOpen: (box, nonce, key) => nacl.secretbox.open(box, nonce, key),
  secretbox: (plain, nonce, key) => nacl.secretbox(plain, nonce, key),
  boxKeypair: () => nacl.box.keyPair(),
  random,
};

function digest(name: "sha256" | "sha512", bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash(name).update(bytes).digest());
}

/** @returns `bytes` fresh random bytes of the system's generator. */
export function random(bytes: number): Uint8Array {
  return new Uint8Array(randomBytes(bytes));
}

/** HMAC-SHA-256, 32 bytes. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(message).digest());
}

/** Key id of an Ed25519 or X25519 public key (FORMAT.md, "Ids"): 8 bytes. */
export function keyId(publicKey: Uint8Array): Uint8Array {
  return keyIdBy(crypto.sha256, publicKey);
}

/** The Ed25519 pair of a 32-byte seed. */
export function signingPairOf(seed: Uint8Array): SigningPair {
  return nacl.sign.keyPair.fromSeed(seed);
}

/** The X25519 pair of a 32-byte secret key. */
export function boxPairOf(secretKey: Uint8Array): BoxPair {
  return nacl.box.keyPair.fromSecretKey(secretKey);
}

/** What is signed: a domain string (which ends with its own zero byte), then the message. */
export function inDomain(domain: string, message: Uint8Array): Uint8Array {
  return join(ascii(domain), message);
}

/** A message of `#proto` as plain bytes (protobufjs gives a Node Buffer, which compares unequal to those). */
export function encoded<T>(
  type: { encode(message: T): { finish(): Uint8Array } },
  message: T,
): Uint8Array {
  return new Uint8Array(type.encode(message).finish());
}

/** Overwrites secrets that are no longer needed. What JavaScript copied before is out of reach. */
export function wipe(...secrets: readonly (Uint8Array | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0);
}

/** Standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
