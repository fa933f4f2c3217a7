/** What tests look at in the header of a sealed segment. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ocellus } from "#proto";
import { plain } from "../double/crypto.ts";

/** `previous`, and the header hash as FORMAT.md says: SHA-256 of prelude and header. Both 32 bytes. */
export function openHeader(object: Uint8Array | undefined): {
  readonly previous: Uint8Array;
  readonly hash: Uint8Array;
} {
  assert.ok(object, "no such object");
  const headerBytes = Buffer.from(object).readUInt32BE(8);
  const head = object.subarray(0, 24 + headerBytes);
  const header = ocellus.v1.SegmentHeader.decode(head.subarray(24));
  const hash = createHash("sha256").update(head).digest();
  return { previous: plain(header.previous), hash: plain(hash) };
}
