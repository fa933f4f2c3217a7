/**
 * What sealing adds to footage, from the objects themselves: a segment is taken apart by its signed header
 * (agent/seal/FORMAT.md).
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  PRELUDE_BYTES,
  parseObject,
  SIGNATURE_BYTES,
  TAG_BYTES,
} from "../../agent/seal/container.ts";
import { isRefused } from "../../agent/seal/refusal.ts";

/** Sums over segments, bytes. */
export interface SealedBytes {
  readonly segments: number;
  readonly objects: number;
  /** The MP4 that was sealed. */
  readonly plain: number;
  /** Prelude, header and signature. */
  readonly heads: number;
  readonly tags: number;
  readonly chunks: number;
  readonly wraps: number;
}

/** Takes apart every segment in a directory that the benchmark's store kept. Throws on one that is malformed. */
export function sealedBytes(directory: string): SealedBytes {
  const sum = { segments: 0, objects: 0, plain: 0, heads: 0, tags: 0, chunks: 0, wraps: 0 };
  for (const name of readdirSync(directory)) {
    const bytes = new Uint8Array(readFileSync(join(directory, name)));
    if (name.includes("+boot+")) continue;
    const object = parseObject(bytes);
    if (isRefused(object)) throw new Error(`${name}: ${object.refused}`);
    const chunks = object.header.chunkBytes.length;
    const head = PRELUDE_BYTES + object.prelude.headerBytes + SIGNATURE_BYTES;
    sum.segments += 1;
    sum.objects += bytes.length;
    sum.heads += head;
    sum.chunks += chunks;
    sum.tags += chunks * TAG_BYTES;
    sum.plain += bytes.length - head - chunks * TAG_BYTES;
    sum.wraps = object.header.wraps.length;
  }
  if (sum.segments === 0) throw new Error(`no segments in ${directory}`);
  return sum;
}
