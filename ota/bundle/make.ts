/** Making updates: a manifest for an image, signatures, and the bundle of all. Pure but for the cryptography it is given. */
import { ocellus } from "#proto";
import { join, keyId, same } from "../../agent/identity/encoding.ts";
import type { HashCrypto, SignCrypto } from "../../agent/seal/crypto.ts";
import { makePrelude } from "../../agent/update/bundle.ts";
import type { Signature, Signed } from "../../agent/update/signatures.ts";
import { BLOCK_BYTES } from "../../agent/update/sizes.ts";

type Sha256 = Pick<HashCrypto, "sha256">;

/** What a manifest says beside what the image tells by itself. */
export interface About {
  /** <vendor>/<model>. */
  readonly board: string;
  readonly version: string;
  readonly securityCounter: number;
  /** The name in the image's header. */
  readonly build: string;
  /** Microseconds since 1970 UTC. */
  readonly signedUs: number;
  readonly variant: "" | "release" | "dev";
  readonly settingsSchema: number;
}

/** An Ed25519 pair as NaCl has it. */
export interface SigningPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** A raw Manifest of a slot image. Judges nothing: `readManifest` and `checkImageHeader` do. */
export function makeManifest(crypto: Sha256, about: About, image: Uint8Array): Uint8Array {
  return plain(
    ocellus.v1.Manifest.encode({
      ...about,
      imageBytes: image.length,
      blockBytes: BLOCK_BYTES,
      blockHashes: join(...blocksOf(image).map((block) => crypto.sha256(block))),
      imageSha256: crypto.sha256(image),
    }).finish(),
  );
}

/** Raw UpdateRoots. Judges nothing: `readRoots` does. */
export function makeRoots(roots: ocellus.v1.UpdateRoots.$Properties): Uint8Array {
  return plain(ocellus.v1.UpdateRoots.encode(roots).finish());
}

/** An image in blocks, as views of it. */
export function blocksOf(image: Uint8Array): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < image.length; at += BLOCK_BYTES) {
    blocks.push(image.subarray(at, at + BLOCK_BYTES));
  }
  return blocks;
}

/** The same with a key's signature, in place of one that it made before. Ed25519 makes the same one each time. */
export function addSignature(
  crypto: Sha256 & SignCrypto,
  domain: Uint8Array,
  signed: Signed,
  pair: SigningPair,
): Signed {
  const id = keyId(crypto.sha256, pair.publicKey);
  const signature = crypto.sign(join(domain, signed.raw), pair.secretKey);
  const others = signed.signatures.filter((one) => !same(one.keyId, id));
  return { raw: signed.raw, signatures: [...others, { keyId: id, signature }] };
}

/** SignedManifest bytes. */
export function signedManifest({ raw, signatures }: Signed): Uint8Array {
  const message = { manifest: raw, signatures: signatures.map(fields) };
  return plain(ocellus.v1.SignedManifest.encode(message).finish());
}

/** SignedRoots bytes. */
export function signedRoots({ raw, signatures }: Signed): Uint8Array {
  const message = { roots: raw, signatures: signatures.map(fields) };
  return plain(ocellus.v1.SignedRoots.encode(message).finish());
}

function fields({ keyId: id, signature }: Signature) {
  return { keyId: id, signature };
}

/** A whole bundle. Parts longer than a bundle can have throw RangeError. */
export function makeBundle(manifest: Uint8Array, image: Uint8Array): Uint8Array {
  const lengths = {
    ...{ manifestBytes: manifest.length, imageBytes: image.length, applicationBytes: 0 },
  };
  return join(makePrelude(lengths), manifest, image);
}

/** protobufjs gives a Node Buffer where there is one, which compares unequal to plain bytes. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
