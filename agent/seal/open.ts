/**
 * Verifying and opening segment objects, step by step in the order of FORMAT.md ("Order of checks when opening"). Pure. For
 * owners' tools, the viewer, and tests; a camera cannot open footage.
 *
 * A caller that has the whole object uses `openSegment`; one that fetches by range parses a head, verifies it, opens its key
 * once, and then opens chunks one by one with `openChunk`.
 */
import { ocellus } from "#proto";
import { same } from "../identity/encoding.ts";
import {
  headerHash,
  type SegmentHead,
  type SegmentHeader,
  type SegmentObject,
  signedMessage,
} from "./container.ts";
import type { HashCrypto, OpenCrypto, RecipientKey, VerifyCrypto } from "./crypto.ts";
import { decodeMessage } from "./decode.ts";
import type { SegmentName } from "./names.ts";
import { chunkNonce, NONCE_KIND, nonce, subkey } from "./nonce.ts";
import { isRefused, type Refused, refuse } from "./refusal.ts";
import { unwrapKey } from "./unwrap.ts";

/** Whose object it must be; from the root-signed camera record, never from the object. */
export interface TrustedCamera {
  readonly camera: Uint8Array;
  readonly signingKey: Uint8Array;
  readonly tenant: string;
}

/** What opens one segment. Secret: the holder calls `wipeKey`. */
export interface SegmentKey {
  readonly media: Uint8Array;
  readonly metadata: Uint8Array;
}

/** Checks the object against the name it was found under: camera, stream, boot, seq and hash. Refuses `name`. */
export function checkName(
  crypto: Pick<HashCrypto, "sha256">,
  head: SegmentHead,
  name: SegmentName,
): Refused | null {
  const { header } = head;
  const hash = headerHash(crypto, head.signed);
  const fits =
    same(header.camera, name.camera) &&
    header.stream === name.stream &&
    header.boot === name.boot &&
    header.seq === name.seq &&
    same(hash.subarray(0, 16), name.hash);
  return fits ? null : refuse("name");
}

/**
 * Name, camera and signature: after this the header is the camera's own. Refuses `name`, `camera`, `signature`.
 * The caller has checked the camera record by the root key.
 */
export function verifyHead(
  crypto: VerifyCrypto & Pick<HashCrypto, "sha256">,
  head: SegmentHead,
  name: SegmentName,
  trusted: TrustedCamera,
): Refused | null {
  const misnamed = checkName(crypto, head, name);
  if (misnamed !== null) return misnamed;
  if (name.tenant !== trusted.tenant) return refuse("name");
  if (!same(head.header.camera, trusted.camera)) return refuse("camera");
  const message = signedMessage(head.signed);
  return crypto.verify(head.signature, message, trusted.signingKey) ? null : refuse("signature");
}

/** Whether `next` follows `previous` in the chain of one stream and boot. Refuses `chain`. */
export function checkChain(
  crypto: Pick<HashCrypto, "sha256">,
  previous: SegmentHead,
  next: SegmentHead,
): Refused | null {
  const [a, b] = [previous.header, next.header];
  const adjacent = a.boot === b.boot && a.stream === b.stream && a.seq === b.seq - 1 - b.skipped;
  const linked = same(b.previous, headerHash(crypto, previous.signed));
  return adjacent && linked ? null : refuse("chain");
}

/** Unwraps the segment's key. Refuses `no-wrap`, `unwrap`, `commitment`. */
export function openKey(
  crypto: OpenCrypto,
  header: SegmentHeader,
  keys: readonly RecipientKey[],
): SegmentKey | Refused {
  const key = unwrapKey(crypto, header, nonce(NONCE_KIND.segmentWrap, header), keys);
  if (isRefused(key)) return key;
  const opened = {
    media: subkey(crypto, "media", key),
    metadata: subkey(crypto, "metadata", key),
  };
  key.fill(0);
  return opened;
}

/** Wipes an opened key. */
export function wipeKey(key: SegmentKey): void {
  key.media.fill(0);
  key.metadata.fill(0);
}

/**
 * Opens the metadata. Refuses `metadata` where the tag does not fit, its fragments are not as many as the header's, or it
 * names no track.
 */
export function openMetadata(
  crypto: OpenCrypto,
  header: SegmentHeader,
  key: SegmentKey,
): ocellus.v1.SegmentMetadata | Refused {
  const at = nonce(NONCE_KIND.segmentMetadata, header);
  const plain = crypto.secretboxOpen(header.metadata, at, key.metadata);
  if (plain === null) return refuse("metadata");
  const metadata = decodeMessage(ocellus.v1.SegmentMetadata, plain);
  if (isRefused(metadata)) return metadata;
  if (metadata.fragments.length !== header.fragmentChunk.length) return refuse("metadata");
  return metadata.tracks.length === 0 ? refuse("metadata") : metadata;
}

/**
 * Opens chunk `index`, whose hash stands in a header that `verifyHead` has passed. Refuses `chunk-hash` (also a wrong
 * length), `chunk-open`.
 */
export function openChunk(
  crypto: OpenCrypto,
  header: SegmentHeader,
  key: SegmentKey,
  index: number,
  sealed: Uint8Array,
): Uint8Array | Refused {
  const count = header.chunkBytes.length;
  if (index < 0 || index >= count) throw new RangeError("no such chunk");
  const expected = header.chunkSha256.subarray(32 * index, 32 * index + 32);
  if (sealed.length !== header.chunkBytes[index] || !same(crypto.sha256(sealed), expected))
    return refuse("chunk-hash");
  const plain = crypto.secretboxOpen(sealed, chunkNonce(header, index, count), key.media);
  return plain ?? refuse("chunk-open");
}

export interface OpenedSegment {
  readonly metadata: ocellus.v1.SegmentMetadata;
  /** Plaintext of chunk i; `null` where a pruned object left it out. Joined they are the MP4. */
  readonly chunks: readonly (Uint8Array | null)[];
}

/**
 * Everything after parsing: name, signature, key, metadata, every chunk that is there. All or nothing. The chain is for
 * the caller, who knows the neighbour (`checkChain`), and so is whether an object may be pruned.
 */
export function openSegment(
  crypto: OpenCrypto & VerifyCrypto,
  object: SegmentObject,
  name: SegmentName,
  trusted: TrustedCamera,
  keys: readonly RecipientKey[],
): OpenedSegment | Refused {
  const unverified = verifyHead(crypto, object, name, trusted);
  if (unverified !== null) return unverified;
  const key = openKey(crypto, object.header, keys);
  if (isRefused(key)) return key;
  try {
    const metadata = openMetadata(crypto, object.header, key);
    if (isRefused(metadata)) return metadata;
    const chunks: (Uint8Array | null)[] = [];
    for (const [i, sealed] of object.chunks.entries()) {
      const plain = sealed && openChunk(crypto, object.header, key, i, sealed);
      if (isRefused(plain)) return plain;
      chunks.push(plain);
    }
    return { metadata, chunks };
  } finally {
    wipeKey(key);
  }
}
