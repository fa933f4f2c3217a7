/**
 * An update as one file, `*.ocellus-update` (ota/FORMAT.md, "Bundle"): a signed manifest and what it describes, in an order in
 * which it can be read once from the front. Pure; verifies nothing.
 */
import { viewOf } from "../seal/bytes.ts";
import { PART_BYTES_MAX } from "./manifest.ts";
import { refuseUpdate, type UpdateRefused } from "./refusal.ts";
import { SIGNED_BYTES_MAX } from "./signatures.ts";

/** "OCLU" */
const MAGIC = 0x4f43_4c55;
const VERSION = 1;
export const PRELUDE_BYTES = 20;

/** What the first bytes tell: how long each part is. The parts follow each other without anything between. */
export interface BundlePrelude {
  /** 1 to 8,192. */
  readonly manifestBytes: number;
  /** 1 to PART_BYTES_MAX. */
  readonly imageBytes: number;
  /** 0 to PART_BYTES_MAX; 0: there is none. */
  readonly applicationBytes: number;
}

/** Makes the first bytes. Lengths out of bounds are a defect and throw RangeError. */
export function makePrelude(prelude: BundlePrelude): Uint8Array {
  if (!isPlausible(prelude)) throw new RangeError("no bundle has such parts");
  const bytes = new Uint8Array(PRELUDE_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC);
  view.setUint8(4, VERSION);
  view.setUint32(8, prelude.manifestBytes);
  view.setUint32(12, prelude.imageBytes);
  view.setUint32(16, prelude.applicationBytes);
  return bytes;
}

/**
 * Reads the first PRELUDE_BYTES of a bundle, of which there may be more. Refuses `bundle-magic` (also: too short),
 * `bundle-version` (also: a reserved byte is not 0), `too-long` (manifest), `bundle-length` (lengths that cannot be).
 */
export function readPrelude(head: Uint8Array): BundlePrelude | UpdateRefused {
  if (head.length < PRELUDE_BYTES) return refuseUpdate("bundle-magic");
  const view = viewOf(head);
  if (view.getUint32(0) !== MAGIC) return refuseUpdate("bundle-magic");
  if (view.getUint32(4) !== VERSION << 24) return refuseUpdate("bundle-version");
  const prelude = {
    manifestBytes: view.getUint32(8),
    imageBytes: view.getUint32(12),
    applicationBytes: view.getUint32(16),
  };
  if (prelude.manifestBytes > SIGNED_BYTES_MAX) return refuseUpdate("too-long");
  return isPlausible(prelude) ? prelude : refuseUpdate("bundle-length");
}

function isPlausible({ manifestBytes, imageBytes, applicationBytes }: BundlePrelude): boolean {
  return (
    manifestBytes >= 1 &&
    manifestBytes <= SIGNED_BYTES_MAX &&
    imageBytes >= 1 &&
    imageBytes <= PART_BYTES_MAX &&
    applicationBytes <= PART_BYTES_MAX
  );
}

/** The parts of a whole bundle, as views of it. */
export interface BundleParts {
  /** A SignedManifest. */
  readonly manifest: Uint8Array;
  readonly image: Uint8Array;
  /** Empty where there is none. */
  readonly application: Uint8Array;
}

/** Takes a whole bundle apart. Refuses what `readPrelude` does, and `bundle-length`: it is not as long as it says. */
export function splitBundle(bytes: Uint8Array): BundleParts | UpdateRefused {
  const prelude = readPrelude(bytes);
  if ("refused" in prelude) return prelude;
  const imageAt = PRELUDE_BYTES + prelude.manifestBytes;
  const applicationAt = imageAt + prelude.imageBytes;
  const end = applicationAt + prelude.applicationBytes;
  if (bytes.length !== end) return refuseUpdate("bundle-length");
  return {
    manifest: bytes.subarray(PRELUDE_BYTES, imageAt),
    image: bytes.subarray(imageAt, applicationAt),
    application: bytes.subarray(applicationAt, end),
  };
}
