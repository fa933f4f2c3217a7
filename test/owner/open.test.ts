import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSegmentObjectName } from "../../agent/seal/names.ts";
import { prune } from "../../agent/seal/pruned.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { boxPairOf, random } from "../../scripts/owner/crypto.ts";
import { type Named, openObject, Refusal } from "../../scripts/owner/open.ts";
import {
  MemoryStore,
  makeSealer,
  type Sealed,
  type Sealer,
  sealSegment,
  viewOf,
} from "./support/sealed.ts";

const sealer = makeSealer();
const CHUNKS = [random(3000), random(1024), random(700)];
const spec = { boot: 3, seq: 7, capture_us: 1e6, duration_us: 3e6, chunks: CHUNKS };
const sealed = sealSegment(sealer, spec);

function nameOf(object: string): Named {
  const name = parseSegmentObjectName(object);
  if (isRefused(name)) throw new Error("not a name");
  return { ...name, object };
}

function open(by: Sealer, { name, bytes }: Sealed) {
  const { trusted, keys } = viewOf(by, new MemoryStore());
  return openObject(trusted, keys, nameOf(name), bytes);
}

/** Why the object is refused. */
function refusal(bytes: Uint8Array, name = sealed.name, by = sealer): string {
  try {
    open(by, { ...sealed, name, bytes });
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error));
    assert.match(error.message, new RegExp(`^${name} is refused: [a-z].*\\.$`));
    return error.reason;
  }
  return "opened";
}

const flipped = (at: number) => {
  const bytes = sealed.bytes.slice();
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
};

test("an untouched object opens to the very bytes that were sealed", () => {
  assert.deepEqual(Buffer.from(open(sealer, sealed).plain), Buffer.concat(CHUNKS));
});

test("an object with any single bit changed is refused", () => {
  const seen = new Set<string>();
  for (let at = 0; at < sealed.bytes.length; at += at < 700 ? 1 : 61) {
    const why = refusal(flipped(at));
    assert.notEqual(why, "opened", `byte ${at}`);
    seen.add(why);
  }
  // Every layer was met: form, name (the header's hash), signature, chunks.
  for (const why of ["magic", "name", "signature", "chunk-hash"]) assert.ok(seen.has(why), why);
});

test("an object cut at any place, or with anything behind it, is refused", () => {
  for (let length = 0; length < sealed.bytes.length; length += 37) {
    assert.notEqual(refusal(sealed.bytes.subarray(0, length)), "opened");
  }
  const longer = new Uint8Array([...sealed.bytes, 0]);
  assert.equal(refusal(longer), "length");
});

test("two chunks in each other's place are refused", () => {
  const same = [random(900), random(900), random(700)];
  const other = sealSegment(sealer, { ...spec, chunks: same });
  const [size, last] = [916, 716];
  const start = other.bytes.length - 2 * size - last;
  const swapped = other.bytes.slice();
  swapped.copyWithin(start, start + size, start + 2 * size);
  swapped.set(other.bytes.subarray(start, start + size), start + size);
  assert.equal(refusal(swapped, other.name), "chunk-hash");
});

test("an object under the name of another is refused: other number, boot, stream or camera", () => {
  const renamed = (from: string | RegExp, to: string) => sealed.name.replace(from, to);
  assert.equal(refusal(sealed.bytes, renamed("0000000007-", "0000000008-")), "name");
  assert.equal(refusal(sealed.bytes, renamed("/0000000003/", "/0000000004/")), "name");
  assert.equal(refusal(sealed.bytes, renamed("/0/continuous", "/1/continuous")), "name");
  assert.equal(refusal(sealed.bytes, renamed(/[0-9a-f]{32}\/0/, `${"0".repeat(32)}/0`)), "name");
  assert.equal(refusal(sealed.bytes, renamed("/home/", "/away/")), "name");
});

test("an object of the owner's other camera is refused", () => {
  const other = makeSealer(sealer.recipient);
  const theirs = sealSegment(other, spec);
  assert.equal(refusal(theirs.bytes, theirs.name), "camera");
});

test("an object sealed by somebody else in the camera's name is refused", () => {
  const forger = { ...makeSealer(sealer.recipient), camera: sealer.camera };
  const forged = sealSegment(forger, spec);
  assert.equal(refusal(forged.bytes, forged.name), "signature");
});

test("who is no recipient opens nothing", () => {
  const stranger = { ...sealer, recipient: boxPairOf(random(32)) };
  assert.equal(refusal(sealed.bytes, sealed.name, stranger), "no-wrap");
});

test("an object reduced to key frames without a signed statement is reported as damaged", () => {
  const pruned = prune(sealed.bytes);
  assert.ok(!isRefused(pruned));
  assert.equal(refusal(pruned), "damaged");
});
