/**
 * The segment object: prelude, header, signature, chunks (FORMAT.md, "Segment object"). Pure: bytes in, structure or a
 * refusal out. Signature, chain and opening are in open.ts.
 */
import { ocellus } from "#proto";
import { ascii, join } from "../identity/encoding.ts";
import { getU64, putU64, viewOf } from "./bytes.ts";
import type { HashCrypto } from "./crypto.ts";
import { decodeMessage } from "./decode.ts";
import { isRefused, type Refused, refuse } from "./refusal.ts";

export const PRELUDE_BYTES = 24;
export const SIGNATURE_BYTES = 64;
/** secretbox adds this much: the Poly1305 tag. */
export const TAG_BYTES = 16;
export const HEADER_BYTES_MAX = 65_536;
/** More would not leave room in the header for their hashes. */
export const CHUNKS_MAX = 1_536;
export const WRAPS_MAX = 16;
/** log2 of the largest chunk's plaintext in what cameras write. */
export const CHUNK_LOG2 = 15;
/** Names carry ten digits. */
export const SEQ_MAX = 9_999_999_999;

const MAGIC = 0x4f43_454c; // "OCEL"
const DOMAIN = ascii("ocellus/v1/segment\0");

export interface Prelude {
  /** Low byte critical, high byte not. */
  readonly flags: number;
  readonly headerBytes: number;
  readonly chunkLog2: number;
  /** The whole object's length as sealed. */
  readonly totalBytes: number;
}

export interface Wrap {
  /** Key id, 8 bytes. */
  readonly recipient: Uint8Array;
  /** 48 bytes. */
  readonly sealed: Uint8Array;
}

/** `SegmentHeader` of seal.proto with every rule of FORMAT.md, "Header", checked. */
export interface SegmentHeader {
  readonly camera: Uint8Array;
  readonly stream: number;
  readonly boot: number;
  readonly epoch: number;
  readonly seq: number;
  readonly previous: Uint8Array;
  readonly skipped: number;
  readonly ephemeral: Uint8Array;
  readonly wraps: readonly Wrap[];
  readonly commitment: Uint8Array;
  readonly recipientsVersion: number;
  readonly chunkBytes: readonly number[];
  readonly chunkSha256: Uint8Array;
  readonly fragmentChunk: readonly number[];
  readonly fragmentKeyChunks: readonly number[];
  readonly metadata: Uint8Array;
}

/** What stands before the chunks. All byte fields are views of the bytes that were parsed. */
export interface SegmentHead {
  readonly prelude: Prelude;
  readonly header: SegmentHeader;
  /** prelude ‖ header, raw: what is hashed and, behind the domain, signed. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  /** Where chunk 0 starts in the object. */
  readonly chunksAt: number;
}

export interface SegmentObject extends SegmentHead {
  /** Chunk i as sealed; `null` where a pruned object left it out. */
  readonly chunks: readonly (Uint8Array | null)[];
  /** True for an object that was pruned, even if no chunk was left out. */
  readonly pruned: boolean;
}

/** Parses a prelude out of at least 24 bytes. */
export function parsePrelude(bytes: Uint8Array): Prelude | Refused {
  if (bytes.length < PRELUDE_BYTES) return refuse("too-short");
  const view = viewOf(bytes);
  if (view.getUint32(0) !== MAGIC) return refuse("magic");
  if (view.getUint8(4) !== 1) return refuse("version");
  if (view.getUint8(5) !== 1) return refuse("suite");
  const flags = view.getUint16(6);
  if ((flags & 0x00ff) !== 0) return refuse("critical-flag");
  const headerBytes = view.getUint32(8);
  if (headerBytes < 1 || headerBytes > HEADER_BYTES_MAX) return refuse("header-length");
  const chunkLog2 = view.getUint8(12);
  if (chunkLog2 < 10 || chunkLog2 > 16) return refuse("chunk-size");
  if (view.getUint8(13) !== 0 || view.getUint16(14) !== 0) return refuse("reserved");
  const totalBytes = getU64(view, 16);
  if (totalBytes === null) return refuse("number-too-large");
  return { flags, headerBytes, chunkLog2, totalBytes };
}

/**
 * Parses what stands before the chunks. `bytes` is the object or any prefix of it that reaches past the signature, so a
 * reader may fetch the first 64 KiB or so by range.
 */
export function parseHead(bytes: Uint8Array): SegmentHead | Refused {
  const prelude = parsePrelude(bytes);
  if (isRefused(prelude)) return prelude;
  const headerEnd = PRELUDE_BYTES + prelude.headerBytes;
  const chunksAt = headerEnd + SIGNATURE_BYTES;
  if (bytes.length < chunksAt) return refuse("too-short");
  const header = parseHeader(bytes.subarray(PRELUDE_BYTES, headerEnd), prelude);
  if (isRefused(header)) return header;
  return {
    prelude,
    header,
    signed: bytes.subarray(0, headerEnd),
    signature: bytes.subarray(headerEnd, chunksAt),
    chunksAt,
  };
}

/** Parses a whole object; refuses (`length`) one that is longer or shorter than it says. */
export function parseObject(bytes: Uint8Array): SegmentObject | Refused {
  const head = parseHead(bytes);
  if (isRefused(head)) return head;
  if (bytes.length !== head.prelude.totalBytes) return refuse("length");
  let at = head.chunksAt;
  const chunks = head.header.chunkBytes.map((length) => {
    at += length;
    return bytes.subarray(at - length, at);
  });
  return { ...head, chunks, pruned: false };
}

function parseHeader(raw: Uint8Array, prelude: Prelude): SegmentHeader | Refused {
  const message = decodeMessage(ocellus.v1.SegmentHeader, raw);
  if (isRefused(message)) return message;
  const { camera, ephemeral, commitment, previous, metadata, stream, boot, epoch, seq } = message;
  const { chunkBytes, chunkSha256, fragmentChunk, fragmentKeyChunks } = message;
  if (camera.length !== 16) return refuse("field-length");
  for (const field of [ephemeral, commitment, previous])
    if (field.length !== 32) return refuse("field-length");
  if (metadata.length < TAG_BYTES) return refuse("field-length");
  if (stream > 1 || boot < 1 || epoch < 1 || seq > SEQ_MAX || message.skipped > seq)
    return refuse("field-value");
  const wraps = parseWraps(message.wraps);
  if (isRefused(wraps)) return wraps;
  const largest = 2 ** prelude.chunkLog2 + TAG_BYTES;
  if (chunkBytes.length < 1 || chunkBytes.length > CHUNKS_MAX) return refuse("chunks");
  if (chunkSha256.length !== 32 * chunkBytes.length) return refuse("chunks");
  if (chunkBytes.some((length) => length <= TAG_BYTES || length > largest)) return refuse("chunks");
  const sealedBytes = chunkBytes.reduce((sum, length) => sum + length, 0);
  const headBytes = PRELUDE_BYTES + prelude.headerBytes + SIGNATURE_BYTES;
  if (headBytes + sealedBytes !== prelude.totalBytes) return refuse("length");
  if (!fragmentsFit(fragmentChunk, fragmentKeyChunks, chunkBytes.length))
    return refuse("fragments");
  return {
    camera,
    stream,
    boot,
    epoch,
    seq,
    previous,
    skipped: message.skipped,
    ephemeral,
    wraps,
    commitment,
    recipientsVersion: message.recipientsVersion,
    chunkBytes,
    chunkSha256,
    fragmentChunk,
    fragmentKeyChunks,
    metadata,
  };
}

/** Checks a list of wraps as every sealed thing carries it: 1 to 16 of 8 + 48 bytes. Refuses `wraps`. */
export function parseWraps(list: readonly ocellus.v1.Wrap.$Properties[]): Wrap[] | Refused {
  if (list.length < 1 || list.length > WRAPS_MAX) return refuse("wraps");
  const wraps: Wrap[] = [];
  for (const { recipient, sealed } of list) {
    if (recipient?.length !== 8 || sealed?.length !== 32 + TAG_BYTES) return refuse("wraps");
    wraps.push({ recipient, sealed });
  }
  return wraps;
}

function fragmentsFit(starts: number[], keyChunks: number[], chunks: number): boolean {
  if (starts[0] !== 0 || starts.length !== keyChunks.length) return false;
  return starts.every((start, i) => {
    const end = starts[i + 1] ?? chunks;
    return start < end && end <= chunks && (keyChunks[i] ?? 0) <= end - start;
  });
}

/**
 * prelude ‖ header for an object whose chunks are sealed: what is signed and hashed. Throws RangeError where the header
 * breaks FORMAT.md, so a camera never signs what its owner would refuse.
 */
export function encodeSigned(header: SegmentHeader): Uint8Array {
  const { wraps, chunkBytes, fragmentChunk, fragmentKeyChunks } = header;
  const message = {
    ...header,
    wraps: [...wraps],
    chunkBytes: [...chunkBytes],
    fragmentChunk: [...fragmentChunk],
    fragmentKeyChunks: [...fragmentKeyChunks],
  };
  const raw = ocellus.v1.SegmentHeader.encode(message).finish();
  const prelude = new Uint8Array(PRELUDE_BYTES);
  const view = viewOf(prelude);
  view.setUint32(0, MAGIC);
  view.setUint8(4, 1);
  view.setUint8(5, 1);
  view.setUint32(8, raw.length);
  view.setUint8(12, CHUNK_LOG2);
  const sealedBytes = chunkBytes.reduce((sum, length) => sum + length, 0);
  putU64(view, 16, PRELUDE_BYTES + raw.length + SIGNATURE_BYTES + sealedBytes);
  const parsed = parsePrelude(prelude);
  const checked = isRefused(parsed) ? parsed : parseHeader(raw, parsed);
  if (isRefused(checked)) throw new RangeError(`header: ${checked.refused}`);
  return join(prelude, raw);
}

/** What a segment's signature is over. */
export function signedMessage(signed: Uint8Array): Uint8Array {
  return join(DOMAIN, signed);
}

/** Header hash, 32 bytes: the link of the chain and, cut to 16, part of the name. */
export function headerHash(crypto: Pick<HashCrypto, "sha256">, signed: Uint8Array): Uint8Array {
  return crypto.sha256(signed);
}
