/** Nonces and subkeys of FORMAT.md, "Nonces: one rule" and "Keys". */
import { ascii, join } from "../identity/encoding.ts";
import { putU64, viewOf } from "./bytes.ts";
import type { HashCrypto } from "./crypto.ts";

/** The first byte of every nonce: what is sealed, and so under which kind of key. */
export const NONCE_KIND = {
  segmentWrap: 1,
  segmentChunk: 2,
  segmentMetadata: 3,
  recordWrap: 4,
  recordBody: 5,
  liveWrap: 6,
  livePart: 7,
  commandWrap: 8,
  commandBody: 9,
  backupWrap: 10,
  backupBody: 11,
} as const;

export type NonceKind = (typeof NONCE_KIND)[keyof typeof NONCE_KIND];

export interface NonceParts {
  /** 0 or 1. */
  readonly stream: number;
  readonly boot: number;
  /** Epoch; for live parts the session. */
  readonly epoch: number;
  /** Segment number, record number or part counter, below 2^53. */
  readonly seq: number;
}

/** Set in the index of a segment's last chunk. */
export const LAST_CHUNK = 0x8000_0000;

/** The 24-byte nonce. `index` is 0 but for chunks: see `chunkNonce`. */
export function nonce(kind: NonceKind, at: NonceParts, index = 0): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = viewOf(bytes);
  bytes[0] = kind;
  bytes[1] = at.stream;
  view.setUint32(4, at.boot);
  view.setUint32(8, at.epoch);
  putU64(view, 12, at.seq);
  view.setUint32(20, index);
  return bytes;
}

/** The nonce of chunk `index` out of `count`. */
export function chunkNonce(at: NonceParts, index: number, count: number): Uint8Array {
  const last = index === count - 1 ? LAST_CHUNK : 0;
  return nonce(NONCE_KIND.segmentChunk, at, (index | last) >>> 0);
}

export type SubkeyLabel = "media" | "metadata" | "body" | "live" | "commitment";

/** subkey(label) of the 32-byte key K: 32 bytes. The caller wipes it (all but the commitment are secret). */
export function subkey(crypto: HashCrypto, label: SubkeyLabel, key: Uint8Array): Uint8Array {
  return crypto.sha512(join(ascii(`ocellus/v1/${label}\0`), key)).slice(0, 32);
}
