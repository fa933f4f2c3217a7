/**
 * The manifest of an update: what is signed of an image (ota/FORMAT.md, "Manifest"). Pure but for the cryptography it is given.
 *
 * Whoever installs calls `verifyManifest`, then `checkTarget`, then `checkBlock` for each block before it is written, and
 * `checkImageHeader` (image.ts) with the first.
 */
import { ocellus } from "#proto";
import { ascii, same } from "../identity/encoding.ts";
import type { HashCrypto } from "../seal/crypto.ts";
import type { ImagePlan } from "./install.ts";
import { isUpdateRefused, refuseUpdate, type UpdateRefused } from "./refusal.ts";
import type { UpdateRoots } from "./roots.ts";
import {
  decodeBounded,
  readSigned,
  type Signed,
  signersOf,
  type UpdateCrypto,
} from "./signatures.ts";
import { BLOCK_BYTES, HEADER_BYTES } from "./sizes.ts";

/** Whatever a board's flash is: two of them fill 16 MB, and their hashes leave room in a signed manifest. */
export const PART_BYTES_MAX = 8_388_608;
export const MANIFEST_DOMAIN = ascii("ocellus/v1/update-manifest\0");

const HASH_BYTES = 32;
const BOARD = /^[a-z0-9-]+\/[a-z0-9-]+$/;
const BOARD_LENGTH = 64;
const VERSION = /^[0-9A-Za-z.+-]{1,32}$/;
const BUILD = /^[ -~]{1,32}$/;
const VARIANTS = ["", "release", "dev"];

/** What one partition gets. */
export interface UpdatePart {
  /** 1 to PART_BYTES_MAX. */
  readonly bytes: number;
  /** SHA-256 of each block, joined: 32 × blockCount(part) bytes. */
  readonly blockHashes: Uint8Array;
  /** SHA-256 of the whole. */
  readonly sha256: Uint8Array;
}

/** A manifest whose every field was checked against the others; by whom it is signed is another question. */
export interface UpdateManifest {
  /** <vendor>/<model>. */
  readonly board: string;
  readonly version: string;
  /** From 1. */
  readonly securityCounter: number;
  /** The name in the uImage's header. */
  readonly build: string;
  /** The uImage, with its header. */
  readonly image: UpdatePart;
  /** Microseconds since 1970 UTC. */
  readonly signedUs: number;
  readonly variant: string;
  readonly application: UpdatePart | null;
  /** From 1. */
  readonly settingsSchema: number;
}

/** A manifest that the roots' threshold has signed. */
export interface VerifiedManifest {
  readonly manifest: UpdateManifest;
  /** 16 bytes: names it in journal, store and messages. */
  readonly id: Uint8Array;
  /** The raw Manifest. */
  readonly raw: Uint8Array;
  /** Public keys of the roots that signed it, each once. */
  readonly signers: readonly Uint8Array[];
}

/** The camera that is to take an update. */
export interface UpdateTarget {
  /** <vendor>/<model>. */
  readonly board: string;
  /** What U-Boot reads of a slot, bytes. */
  readonly slotBytes: number;
  /** Room for an application, bytes; 0 where the board has no partition for one. */
  readonly applicationBytes: number;
  /** The camera's own floor: nothing with a lower security counter. */
  readonly counterLeast: number;
}

/** Takes a SignedManifest apart; verifies nothing. Refuses `too-long`, `malformed`, `critical-field`, `too-many-signatures`, `field-value`. */
export function parseSignedManifest(bytes: Uint8Array): Signed | UpdateRefused {
  const message = decodeBounded(ocellus.v1.SignedManifest, bytes);
  return isUpdateRefused(message) ? message : readSigned(message.manifest, message.signatures);
}

/**
 * Decodes a raw Manifest, signed or not. Its byte fields are views of `raw`. Refuses `malformed`, `critical-field`,
 * `field-value`, `block-size`, `image-size`, `block-count`, `application`.
 */
export function readManifest(raw: Uint8Array): UpdateManifest | UpdateRefused {
  const message = decodeBounded(ocellus.v1.Manifest, raw);
  if (isUpdateRefused(message)) return message;
  const { board, version, securityCounter, build, signedUs, variant, settingsSchema } = message;
  const isPlain =
    board.length <= BOARD_LENGTH &&
    BOARD.test(board) &&
    VERSION.test(version) &&
    BUILD.test(build) &&
    VARIANTS.includes(variant) &&
    securityCounter >= 1 &&
    signedUs >= 1 &&
    settingsSchema >= 1;
  if (!isPlain) return refuseUpdate("field-value");
  if (message.blockBytes !== BLOCK_BYTES) return refuseUpdate("block-size");
  const { imageBytes, blockHashes, imageSha256 } = message;
  if (imageBytes <= HEADER_BYTES) return refuseUpdate("image-size");
  const image = readPart(imageBytes, blockHashes, imageSha256, "image-size");
  if (isUpdateRefused(image)) return image;
  const application = readApplication(message.application);
  if (isUpdateRefused(application)) return application;
  return {
    ...{ board, version, securityCounter, build, image, signedUs, variant },
    ...{ application, settingsSchema },
  };
}

function readApplication(
  given: ocellus.v1.UpdateApplication.$Properties | null | undefined,
): UpdatePart | null | UpdateRefused {
  if (!given) return null;
  const { applicationBytes = 0, blockHashes, applicationSha256 } = given;
  const none = new Uint8Array(0);
  return readPart(
    applicationBytes ?? 0,
    blockHashes ?? none,
    applicationSha256 ?? none,
    "application",
  );
}

function readPart(
  bytes: number,
  blockHashes: Uint8Array,
  sha256: Uint8Array,
  size: "image-size" | "application",
): UpdatePart | UpdateRefused {
  if (bytes < 1 || bytes > PART_BYTES_MAX) return refuseUpdate(size);
  const part = { bytes, blockHashes, sha256 };
  if (blockHashes.length !== HASH_BYTES * blockCount(part)) return refuseUpdate("block-count");
  return sha256.length === HASH_BYTES ? part : refuseUpdate("field-value");
}

/**
 * Verifies a SignedManifest by the roots in force, before anything of it is decoded, then checks every field. Refuses what
 * `parseSignedManifest` and `readManifest` do, `signature`, `below-threshold`, and `security-counter` where the roots revoke it.
 */
export function verifyManifest(
  crypto: UpdateCrypto,
  bytes: Uint8Array,
  roots: UpdateRoots,
): VerifiedManifest | UpdateRefused {
  const signed = parseSignedManifest(bytes);
  if (isUpdateRefused(signed)) return signed;
  const signers = signersOf(crypto, MANIFEST_DOMAIN, signed, roots.keys);
  if (isUpdateRefused(signers)) return signers;
  if (signers.length < roots.threshold) return refuseUpdate("below-threshold");
  const manifest = readManifest(signed.raw);
  if (isUpdateRefused(manifest)) return manifest;
  if (manifest.securityCounter < roots.securityCounterLeast)
    return refuseUpdate("security-counter");
  return { manifest, id: imageId(crypto, signed.raw), raw: signed.raw, signers };
}

/** Whether a camera may take it. Refuses `board`, `security-counter`, `image-size`, `application`. */
export function checkTarget(manifest: UpdateManifest, target: UpdateTarget): UpdateRefused | null {
  if (manifest.board !== target.board) return refuseUpdate("board");
  if (manifest.securityCounter < target.counterLeast) return refuseUpdate("security-counter");
  if (manifest.image.bytes > target.slotBytes) return refuseUpdate("image-size");
  const applicationBytes = manifest.application?.bytes ?? 0;
  return applicationBytes > target.applicationBytes ? refuseUpdate("application") : null;
}

/** The first 16 bytes of SHA-256 of a raw Manifest. */
export function imageId(crypto: Pick<HashCrypto, "sha256">, raw: Uint8Array): Uint8Array {
  return crypto.sha256(raw).slice(0, 16);
}

/** What the installation of a slot's image goes by; its hashes are views of the manifest. */
export function imagePlan({ manifest: { image }, id }: VerifiedManifest): ImagePlan {
  const block_hashes = Array.from({ length: blockCount(image) }, (_, i) => hashOf(image, i));
  return { id, bytes: image.bytes, block_bytes: BLOCK_BYTES, block_hashes, sha256: image.sha256 };
}

function hashOf({ blockHashes }: UpdatePart, index: number): Uint8Array {
  return blockHashes.subarray(HASH_BYTES * index, HASH_BYTES * (index + 1));
}

/** How many blocks a part has. */
export function blockCount({ bytes }: Pick<UpdatePart, "bytes">): number {
  return Math.ceil(bytes / BLOCK_BYTES);
}

/** Where a block of a part begins and ends, bytes from the part's beginning. A block that it does not have throws RangeError. */
export function blockExtent(part: UpdatePart, index: number): { start: number; end: number } {
  if (!Number.isInteger(index) || index < 0 || index >= blockCount(part)) {
    throw new RangeError("no such block");
  }
  const start = index * BLOCK_BYTES;
  return { start, end: Math.min(start + BLOCK_BYTES, part.bytes) };
}

/** Whether these are the bytes of a block. Refuses `block-hash`. */
export function checkBlock(
  crypto: Pick<HashCrypto, "sha256">,
  part: UpdatePart,
  index: number,
  bytes: Uint8Array,
): UpdateRefused | null {
  return same(crypto.sha256(bytes), hashOf(part, index)) ? null : refuseUpdate("block-hash");
}
