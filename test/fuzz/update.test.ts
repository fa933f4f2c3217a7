/**
 * Fuzzing of updates: as messages, as bytes, and signed anew after the change, so that what lies behind the signatures is
 * reached. Whatever is taken is what the keys signed, and within every bound.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { same } from "../../agent/identity/encoding.ts";
import { PRELUDE_BYTES, splitBundle } from "../../agent/update/bundle.ts";
import {
  blockCount,
  MANIFEST_DOMAIN,
  PART_BYTES_MAX,
  parseSignedManifest,
  readManifest,
  type UpdateManifest,
  verifyManifest,
} from "../../agent/update/manifest.ts";
import { isUpdateRefused, type UpdateRefused, updateSentence } from "../../agent/update/refusal.ts";
import {
  anchoredRoots,
  nextRoots,
  parseSignedRoots,
  ROOTS_DOMAIN,
  readRoots,
  type UpdateRoots,
} from "../../agent/update/roots.ts";
import { SIGNED_BYTES_MAX, type Signed } from "../../agent/update/signatures.ts";
import { judgeBundle } from "../../ota/bundle/judge.ts";
import { addSignature, signedManifest, signedRoots } from "../../ota/bundle/make.ts";
import { crypto } from "../../scripts/owner/crypto.ts";
import type { Pair } from "../agent/seal/reference.ts";
import { BOARD, k1, k2, k3, LOAD_ADDRESS, SLOT_BYTES, TENANT } from "../agent/update/make/world.ts";
import { mutateFields } from "./fields.ts";
import { corpusOf, fuzz, type Mutation, mutate } from "./fuzzing.ts";

const KEYS = [k1, k2, k3].map(({ publicKey }) => publicKey);
const BOARD_LIMITS = {
  board: BOARD,
  slotBytes: SLOT_BYTES,
  applicationBytes: 0,
  counterLeast: 3,
  loadAddress: LOAD_ADDRESS,
};

function fleet(version: number, securityCounterLeast: number): UpdateRoots {
  const given = { tenant: TENANT, version, threshold: 2, keys: KEYS, securityCounterLeast };
  const roots = anchoredRoots(given);
  assert.ok(!isUpdateRefused(roots));
  return roots;
}

function taken<T>(value: T | UpdateRefused): T {
  if (isUpdateRefused(value)) assert.fail(`a kept input is refused: ${value.refused}`);
  return value;
}

/** Signed by each key after the change. */
function signedBy(raw: Uint8Array, domain: Uint8Array, pairs: readonly Pair[]): Signed {
  return pairs.reduce<Signed>((signed, pair) => addSignature(crypto, domain, signed, pair), {
    raw,
    signatures: [],
  });
}

function withinBounds(manifest: UpdateManifest): void {
  for (const part of [manifest.image, manifest.application]) {
    if (part === null) continue;
    assert.ok(part.bytes >= 1 && part.bytes <= PART_BYTES_MAX);
    assert.equal(part.blockHashes.length, 32 * blockCount(part));
    assert.equal(part.sha256.length, 32);
  }
  assert.match(manifest.board, /^[a-z0-9-]+\/[a-z0-9-]+$/);
  assert.match(manifest.version, /^[0-9A-Za-z.+-]{1,32}$/);
  assert.match(manifest.build, /^[ -~]{1,32}$/);
  for (const number of [manifest.signedUs, manifest.securityCounter, manifest.settingsSchema])
    assert.ok(Number.isSafeInteger(number) && number >= 1);
}

test("a manifest is refused or within every bound, signed or not", async () => {
  const counts = { taken: 0, refused: 0 };
  await fuzz(
    "update-manifest",
    (input, isMutated) => {
      const manifest = readManifest(input);
      const signed = signedBy(input, MANIFEST_DOMAIN, [k1, k3]);
      const verified = verifyManifest(crypto, signedManifest(signed), fleet(4, 0));
      if (isUpdateRefused(manifest)) {
        assert.ok(isMutated, manifest.refused);
        assert.ok(updateSentence(manifest).length > 10);
        assert.ok(isUpdateRefused(verified));
        counts.refused += 1;
        return;
      }
      counts.taken += 1;
      withinBounds(manifest);
      // Signed it is longer, and may be too long.
      if (isUpdateRefused(verified)) assert.equal(verified.refused, "too-long");
      else assert.deepEqual(verified.manifest, manifest);
    },
    mutateFields,
  );
  console.log(counts);
  assert.ok(counts.taken > 4 && counts.refused > 0);
});

test("a signed manifest is refused, or it is one that enough keys signed", async () => {
  const genuine = corpusOf("update-signed").map((bytes) => taken(parseSignedManifest(bytes)).raw);
  const counts = { taken: 0, refused: 0 };
  await fuzz(
    "update-signed",
    (input, isMutated) => {
      const verified = verifyManifest(crypto, input, fleet(4, 2));
      if (isUpdateRefused(verified)) {
        assert.ok(isMutated, verified.refused);
        counts.refused += 1;
        return;
      }
      counts.taken += 1;
      assert.ok(input.length <= SIGNED_BYTES_MAX);
      assert.ok(
        genuine.some((raw) => same(raw, verified.raw)),
        "a manifest that nobody signed",
      );
      const signers = verified.signers.map((key) => Buffer.from(key).toString("hex"));
      assert.ok(new Set(signers).size >= 2);
    },
    mutateFields,
  );
  console.log(counts);
  assert.ok(counts.taken > genuine.length && counts.refused > 0);
});

test("roots signed anew are refused or the next, with a threshold that they can reach", async () => {
  const old = fleet(1, 5);
  let next = 0;
  await fuzz(
    "update-roots",
    (input, isMutated) => {
      const read = readRoots(input);
      const signed = signedBy(input, ROOTS_DOMAIN, [k1, k2, k3]);
      const roots = nextRoots(crypto, signedRoots(signed), old);
      if (isUpdateRefused(roots)) {
        assert.ok(isMutated, roots.refused);
        return;
      }
      next += 1;
      assert.deepEqual(roots, read);
      assert.deepEqual([roots.tenant, roots.version], [TENANT, 2]);
      assert.ok(roots.securityCounterLeast >= 5);
      const different = new Set(roots.keys.map((key) => Buffer.from(key).toString("hex")));
      assert.equal(different.size, roots.keys.length);
      assert.ok(
        roots.threshold >= 1 && roots.threshold <= roots.keys.length && different.size <= 16,
      );
      for (const key of roots.keys) assert.equal(key.length, 32);
    },
    mutateFields,
  );
  assert.ok(next > 1);
});

test("signed roots are refused, or the ones that were signed", async () => {
  const genuine = corpusOf("update-signed-roots").map(
    (bytes) => taken(parseSignedRoots(bytes)).raw,
  );
  let next = 0;
  await fuzz(
    "update-signed-roots",
    (input, isMutated) => {
      const roots = nextRoots(crypto, input, fleet(1, 5));
      if (isUpdateRefused(roots)) assert.ok(isMutated, roots.refused);
      else {
        next += 1;
        assert.ok(genuine.some((raw) => same(raw, taken(parseSignedRoots(input)).raw)));
      }
    },
    mutateFields,
  );
  assert.ok(next > genuine.length);
});

/** The bundle's parts changed by themselves, its lengths put right or not. */
const mutateBundle: Mutation = (input, others, random) => {
  const parts = splitBundle(input);
  if (isUpdateRefused(parts) || random(3) === 0) return mutate(input, others, random);
  const manifest =
    random(2) === 0 ? mutateFields(parts.manifest, [parts.manifest], random) : parts.manifest;
  const image = random(3) === 0 ? mutate(parts.image, [parts.image], random) : parts.image;
  const bytes = new Uint8Array(Buffer.concat([input.subarray(0, PRELUDE_BYTES), manifest, image]));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, manifest.length + (random(4) === 0 ? random(3) - 1 : 0));
  view.setUint32(12, image.length + (random(8) === 0 ? random(3) - 1 : 0));
  return bytes;
};

test("a bundle is refused, or holds the image that was signed", async () => {
  const images = corpusOf("update-bundle").map((bytes) => taken(splitBundle(bytes)).image);
  const counts = { split: 0, taken: 0 };
  await fuzz(
    "update-bundle",
    (input, isMutated) => {
      const parts = splitBundle(input);
      const judged = judgeBundle(crypto, input, fleet(4, 2), BOARD_LIMITS);
      if (isUpdateRefused(parts)) {
        assert.deepEqual(judged, parts);
        return;
      }
      counts.split += 1;
      const { manifest, image, application } = parts;
      const total = manifest.length + image.length + application.length;
      assert.equal(PRELUDE_BYTES + total, input.length);
      if (isUpdateRefused(judged)) assert.ok(isMutated, judged.refused);
      else {
        counts.taken += 1;
        assert.ok(images.some((one) => same(one, judged.parts.image)));
      }
    },
    mutateBundle,
  );
  console.log(counts);
  assert.ok(counts.split > counts.taken && counts.taken > 1);
});
