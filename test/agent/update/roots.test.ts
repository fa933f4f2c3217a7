/** Roots beyond their vectors: what is kept, what a camera starts from, and keys for which anybody can sign. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { rootsObject } from "../../../agent/update/names.ts";
import { isUpdateRefused } from "../../../agent/update/refusal.ts";
import { anchoredRoots, keptRoots, nextRoots, ownerRoots } from "../../../agent/update/roots.ts";
import { nodeCrypto } from "../double/crypto.ts";
import { fromHex, hex } from "../seal/reference.ts";
import {
  encode,
  k1,
  k2,
  k3,
  k4,
  over,
  owner,
  rootsFields,
  signedRoots,
  TENANT,
} from "./make/world.ts";

const crypto = nodeCrypto();
const FIRST = rootsFields(1, 2, [k1, k2, k3]);

test("an owner who set nothing up has his root key alone, and no object in the store", () => {
  const roots = ownerRoots(TENANT, owner.publicKey);
  assert.deepEqual(roots, {
    ...{ tenant: TENANT, version: 0, threshold: 1, keys: [owner.publicKey] },
    securityCounterLeast: 0,
  });
  assert.equal(rootsObject(TENANT, 1), "v1/home/update/roots/0000000001");
});

test("a camera that was off takes every version, one by one, and none of them out of turn", () => {
  const versions = [
    signedRoots(encode(FIRST), [owner, k1, k2]),
    signedRoots(encode(rootsFields(2, 2, [k2, k3, k4])), [k1, k2, k3]),
    signedRoots(encode(rootsFields(3, 3, [k2, k3, k4], 5)), [k2, k3, k4]),
  ];
  let roots = ownerRoots(TENANT, owner.publicKey);
  for (const [i, bytes] of versions.entries()) {
    for (const [other, wrong] of versions.entries())
      if (other !== i)
        assert.deepEqual(nextRoots(crypto, wrong, roots), { refused: "roots-version" });
    const next = nextRoots(crypto, bytes, roots);
    assert.ok(!isUpdateRefused(next));
    roots = next;
  }
  assert.deepEqual([roots.version, roots.threshold, roots.securityCounterLeast], [3, 3, 5]);
});

test("roots that were kept are read again by their own threshold, whoever signed them before", () => {
  const kept = signedRoots(encode(FIRST), [k1, k2]);
  const read = keptRoots(crypto, kept, TENANT);
  assert.ok(!isUpdateRefused(read));
  assert.deepEqual(
    read.keys.map(hex),
    [k1, k2, k3].map(({ publicKey }) => hex(publicKey)),
  );
  const flipped = kept.map((byte, i) => (i === kept.length - 1 ? byte ^ 1 : byte));
  const other = signedRoots(encode(over(FIRST, [1, "work"])), [k1, k2]);
  for (const [bytes, refused] of [
    [flipped, "signature"],
    [signedRoots(encode(FIRST), [k1, k1]), "roots-new"],
    [kept.slice(0, -1), "malformed"],
    [other, "roots-tenant"],
  ] as const)
    assert.deepEqual(keptRoots(crypto, bytes, TENANT), { refused });
});

/** As libsodium lists them (crypto_core/ed25519, ge25519_has_small_order). */
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map(fromHex);

test("a key for which anybody can sign is none of roots", () => {
  // R is the identity, S is 0: right wherever the hash, of 3 bits at most, is 0.
  const forged = new Uint8Array(64).fill(1, 0, 1);
  for (const key of SMALL_ORDER) {
    const isTaken = Array.from({ length: 256 }, (_, i) => Uint8Array.of(i)).some((message) =>
      crypto.verify(forged, message, key),
    );
    assert.ok(isTaken, `tweetnacl takes a forged signature of ${hex(key)}`);
    for (const sign of [0, 0x80]) {
      const weak = key.map((byte, i) => (i === 31 ? byte | sign : byte));
      const roots = { ...ownerRoots(TENANT, weak), keys: [k1.publicKey, weak] };
      assert.deepEqual(anchoredRoots(roots), { refused: "roots-keys" });
    }
  }
});
