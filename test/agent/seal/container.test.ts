import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  encodeSigned,
  headerHash,
  parseHead,
  parseObject,
  parsePrelude,
  type SegmentHeader,
  signedMessage,
} from "../../../agent/seal/container.ts";
import { parseSegmentObjectName, segmentObjectName } from "../../../agent/seal/names.ts";
import { openSegment } from "../../../agent/seal/open.ts";
import { keyChunks, parseAnyObject, prune } from "../../../agent/seal/pruned.ts";
import { isRefused, type Refused } from "../../../agent/seal/refusal.ts";
import { nodeCrypto } from "../double/crypto.ts";
import { check } from "../properties.ts";
import { CAMERA_ID, camera, TENANT, vault } from "./make/keys.ts";
import { goodSegments } from "./make/segments.ts";

const crypto = nodeCrypto();
const trusted = { camera: CAMERA_ID, tenant: TENANT, signingKey: camera.publicKey };

function taken<T>(value: T | Refused): T {
  if (isRefused(value)) throw new Error(`refused: ${value.refused}`);
  return value;
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

/** Fragments as [chunks, key chunks], and the sealed length of every chunk. */
const layout = fc
  .array(
    fc
      .integer({ min: 1, max: 5 })
      .chain((chunks) =>
        fc.record({ chunks: fc.constant(chunks), key: fc.integer({ min: 0, max: chunks }) }),
      ),
    { minLength: 1, maxLength: 12 },
  )
  .chain((fragments) => {
    const chunks = fragments.reduce((sum, fragment) => sum + fragment.chunks, 0);
    return fc.record({
      fragments: fc.constant(fragments),
      sizes: fc.array(fc.integer({ min: 17, max: 80 }), { minLength: chunks, maxLength: chunks }),
    });
  });

const headers = fc
  .record({
    camera: bytes(16),
    stream: fc.integer({ min: 0, max: 1 }),
    boot: fc.integer({ min: 1, max: 0xffff_ffff }),
    epoch: fc.integer({ min: 1, max: 0xffff_ffff }),
    seq: fc.integer({ min: 0, max: 9_999_999_999 }),
    previous: bytes(32),
    ephemeral: bytes(32),
    commitment: bytes(32),
    recipientsVersion: fc.integer({ min: 0, max: 0xffff_ffff }),
    wraps: fc.array(
      fc.tuple(bytes(8), bytes(48)).map(([recipient, sealed]) => ({ recipient, sealed })),
      { minLength: 1, maxLength: 16 },
    ),
    metadata: fc.uint8Array({ minLength: 16, maxLength: 300 }),
    layout,
  })
  .map(({ layout: { fragments, sizes }, ...rest }) => {
    const chunks = sizes.map((size, i) => new Uint8Array(size).fill(i));
    let start = 0;
    const header: SegmentHeader = {
      ...rest,
      skipped: Math.min(rest.seq, 3),
      chunkBytes: sizes,
      chunkSha256: new Uint8Array(Buffer.concat(chunks.map((chunk) => crypto.sha256(chunk)))),
      fragmentChunk: fragments.map((fragment) => {
        start += fragment.chunks;
        return start - fragment.chunks;
      }),
      fragmentKeyChunks: fragments.map(({ key }) => key),
    };
    return { header, chunks };
  });

/** A whole object; what stands for the signature is not checked by parsing. */
function objectOf(header: SegmentHeader, chunks: readonly Uint8Array[]): Uint8Array {
  const signature = new Uint8Array(64).fill(9);
  return new Uint8Array(Buffer.concat([encodeSigned(header), signature, ...chunks]));
}

test("what is built parses to the same, whole, from its head alone, and pruned", () => {
  check(
    fc.property(headers, ({ header, chunks }) => {
      const object = objectOf(header, chunks);
      const whole = taken(parseObject(object));
      assert.deepEqual({ ...whole.header }, header);
      assert.deepEqual(whole.chunks, chunks);
      assert.equal(whole.prelude.totalBytes, object.length);
      const head = taken(parseHead(object.subarray(0, whole.chunksAt)));
      assert.deepEqual(head.header, whole.header);
      const pruned = taken(parseAnyObject(taken(prune(object))));
      assert.equal(pruned.pruned, true);
      const needed = keyChunks(header);
      assert.deepEqual(
        pruned.chunks,
        chunks.map((chunk, i) => (needed[i] ? chunk : null)),
      );
      assert.deepEqual(pruned.signed, whole.signed);
    }),
  );
});

test("names are made and read back, and nothing else is read", () => {
  check(
    fc.property(
      headers,
      fc.constantFrom("event" as const, "continuous" as const, "all" as const),
      fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,31}$/),
      ({ header }, footageClass, tenant) => {
        const { camera: id, stream, boot, seq } = header;
        const hash = header.previous.slice(0, 16);
        const name = { tenant, camera: id, stream, footageClass, boot, seq, hash };
        const text = segmentObjectName(name);
        assert.deepEqual(parseSegmentObjectName(text), name);
        for (const wrong of [
          `${text}x`,
          text.slice(0, -1),
          text.toUpperCase(),
          `/${text}`,
          text.replace("v1", "v2"),
        ])
          assert.deepEqual(parseSegmentObjectName(wrong), { refused: "name" });
      },
    ),
  );
});

test("a header that breaks a rule is never built", () => {
  const [one] = fc.sample(headers, { numRuns: 1, seed: 1 });
  assert.ok(one);
  const { header } = one;
  for (const wrong of [
    { camera: new Uint8Array(15) },
    { stream: 2 },
    { boot: 0 },
    { wraps: [] },
    { chunkBytes: [16] },
    { fragmentChunk: [1] },
    { metadata: new Uint8Array(15) },
  ])
    assert.throws(() => encodeSigned({ ...header, ...wrong }), RangeError);
});

/** The same results, the slow ones kept: most flips leave signature and wraps as they were. */
function remembering() {
  const verified = new Map<string, boolean>();
  const shared = new Map<string, Uint8Array | null>();
  const keyOf = (...parts: Uint8Array[]) =>
    parts.map((part) => Buffer.from(part).toString("latin1")).join("|");
  return {
    ...crypto,
    verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
      const key = keyOf(signature, message, publicKey);
      const result = verified.get(key) ?? crypto.verify(signature, message, publicKey);
      verified.set(key, result);
      return result;
    },
    boxBefore(publicKey: Uint8Array, secretKey: Uint8Array): Uint8Array | null {
      const key = keyOf(publicKey, secretKey);
      const result = shared.get(key) ?? crypto.boxBefore(publicKey, secretKey);
      shared.set(key, result);
      // Whoever gets it wipes it.
      return result === null ? null : result.slice();
    },
  };
}

const quick = remembering();

/** Reads `object` as if found under the name of the good one, or under the name that its own hash makes. */
function read(object: Uint8Array, name: string, renamed: boolean) {
  const parsed = parseAnyObject(object);
  if (isRefused(parsed)) return parsed;
  const given = taken(parseSegmentObjectName(name));
  const { camera: id, stream, boot, seq } = parsed.header;
  const hash = headerHash(crypto, parsed.signed).slice(0, 16);
  const found = renamed ? { ...given, camera: id, stream, boot, seq, hash } : given;
  return openSegment(quick, parsed, found, trusted, [vault]);
}

function flip(object: Uint8Array, bit: number): Uint8Array {
  const copy = object.slice();
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
  return copy;
}

test("an object with any one bit flipped is refused", () => {
  const [{ object, name } = { object: new Uint8Array(0), name: "" }] = goodSegments();
  taken(read(object, name, false));
  const reasons = new Map<string, number>();
  for (let bit = 0; bit < 8 * object.length; bit++) {
    const result = read(flip(object, bit), name, false);
    assert.ok(isRefused(result), `bit ${bit}`);
    reasons.set(result.refused, (reasons.get(result.refused) ?? 0) + 1);
  }
  assert.equal(reasons.get("signature"), 512, "each bit of the signature");
  for (const reason of ["name", "chunk-hash", "magic", "critical-flag"])
    assert.ok(reasons.has(reason), `${reason} never`);
});

test("a flipped bit is refused also where the object is put under the name of its new hash", () => {
  const [{ object, name } = { object: new Uint8Array(0), name: "" }] = goodSegments();
  const { chunksAt } = taken(parseObject(object));
  check(
    fc.property(fc.integer({ min: 0, max: 8 * (chunksAt - 64) - 1 }), (bit) => {
      assert.ok(isRefused(read(flip(object, bit), name, true)), `bit ${bit}`);
    }),
    400,
  );
});

test("an object cut off anywhere, or with anything behind it, is refused", () => {
  const [{ object, name } = { object: new Uint8Array(0), name: "" }] = goodSegments();
  for (let length = 0; length < object.length; length++)
    assert.ok(isRefused(read(object.slice(0, length), name, false)), `${length} bytes`);
  assert.ok(isRefused(read(new Uint8Array([...object, 0]), name, false)));
});

test("a pruned object with any one bit flipped is refused", () => {
  const [{ object, name } = { object: new Uint8Array(0), name: "" }] = goodSegments();
  const pruned = taken(prune(object));
  taken(read(pruned, name, false));
  for (let bit = 0; bit < 8 * pruned.length; bit++)
    assert.ok(isRefused(read(flip(pruned, bit), name, false)), `bit ${bit}`);
});

test("a head may be parsed before the rest has arrived, but not before its signature has", () => {
  const [{ object } = { object: new Uint8Array(0) }] = goodSegments();
  const { chunksAt } = taken(parseObject(object));
  assert.ok(!isRefused(parseHead(object.slice(0, chunksAt))));
  assert.deepEqual(parseHead(object.slice(0, chunksAt - 1)), { refused: "too-short" });
  assert.deepEqual(parsePrelude(object.slice(0, 23)), { refused: "too-short" });
});

test("what is signed is the domain, then prelude and header, and nothing else", () => {
  const signed = new Uint8Array([1, 2, 3]);
  assert.equal(
    Buffer.from(signedMessage(signed)).toString("latin1"),
    "ocellus/v1/segment\0\x01\x02\x03",
  );
});
