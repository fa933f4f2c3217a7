/** Judging a bundle as a camera would, and an image before anybody signs it. Pure but for the cryptography it is given. */
import { same } from "../../agent/identity/encoding.ts";
import type { HashCrypto } from "../../agent/seal/crypto.ts";
import { type BundleParts, splitBundle } from "../../agent/update/bundle.ts";
import { crc32 } from "../../agent/update/crc32.ts";
import { checkImageHeader, readImageHeader } from "../../agent/update/image.ts";
import {
  checkBlock,
  checkTarget,
  type UpdateManifest,
  type UpdatePart,
  type UpdateTarget,
  type VerifiedManifest,
  verifyManifest,
} from "../../agent/update/manifest.ts";
import { isUpdateRefused, refuseUpdate, type UpdateRefused } from "../../agent/update/refusal.ts";
import type { UpdateRoots } from "../../agent/update/roots.ts";
import type { UpdateCrypto } from "../../agent/update/signatures.ts";
import { HEADER_BYTES } from "../../agent/update/sizes.ts";
import { blocksOf } from "./make.ts";

/** A board, as far as images are judged by it. */
export interface BoardLimits extends UpdateTarget {
  /** Where U-Boot unpacks a kernel to. */
  readonly loadAddress: number;
}

/** A bundle that a camera of this board would take. */
export interface JudgedBundle {
  readonly parts: BundleParts;
  readonly verified: VerifiedManifest;
}

/** Everything a camera checks before it boots an image, in its order. Refuses with the camera's reason. */
export function judgeBundle(
  crypto: UpdateCrypto,
  bytes: Uint8Array,
  roots: UpdateRoots,
  board: BoardLimits,
): JudgedBundle | UpdateRefused {
  const parts = splitBundle(bytes);
  if (isUpdateRefused(parts)) return parts;
  const verified = verifyManifest(crypto, parts.manifest, roots);
  if (isUpdateRefused(verified)) return verified;
  const refused =
    checkTarget(verified.manifest, board) ??
    checkContents(crypto, parts, verified.manifest, board.loadAddress);
  return refused ?? { parts, verified };
}

/** Whether a bundle holds what its manifest describes, whoever signed it. Refuses `bundle-length` and all that is about bytes. */
export function checkContents(
  crypto: Pick<HashCrypto, "sha256">,
  { image, application }: BundleParts,
  manifest: UpdateManifest,
  loadAddress: number,
): UpdateRefused | null {
  const applicationBytes = manifest.application?.bytes ?? 0;
  if (image.length !== manifest.image.bytes || application.length !== applicationBytes) {
    return refuseUpdate("bundle-length");
  }
  return (
    checkPart(crypto, manifest.image, image) ??
    (manifest.application && checkPart(crypto, manifest.application, application)) ??
    checkImageHeader(image, manifest, loadAddress)
  );
}

function checkPart(
  crypto: Pick<HashCrypto, "sha256">,
  part: UpdatePart,
  bytes: Uint8Array,
): UpdateRefused | null {
  for (const [index, block] of blocksOf(bytes).entries()) {
    const refused = checkBlock(crypto, part, index, block);
    if (refused !== null) return refused;
  }
  return same(crypto.sha256(bytes), part.sha256) ? null : refuseUpdate("image-hash");
}

/** Whether a uImage is whole: its header says its length, and the checksum over its data, which U-Boot checks too, is right. */
export function checkImageData(image: Uint8Array): UpdateRefused | null {
  const header = readImageHeader(image);
  if ("refused" in header) return header;
  const data = image.subarray(HEADER_BYTES);
  if (data.length !== header.dataBytes) return refuseUpdate("image-length");
  return crc32(data) === header.dataCrc ? null : refuseUpdate("image-data");
}
