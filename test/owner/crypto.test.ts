import assert from "node:assert/strict";
import { test } from "node:test";
import nacl from "tweetnacl";
import { crypto, random, signingPairOf } from "../../scripts/owner/crypto.ts";

test("signatures are tweetnacl's, bit for bit, and each verifies the other's", () => {
  const { publicKey, secretKey } = signingPairOf(random(32));
  for (let length = 0; length < 200; length += 23) {
    const message = random(length);
    const signature = crypto.sign(message, secretKey);
    assert.deepEqual(signature, nacl.sign.detached(message, secretKey));
    assert.ok(crypto.verify(signature, message, publicKey));
    const other = signature.with(3, (signature[3] ?? 0) ^ 1);
    assert.ok(!crypto.verify(other, message, publicKey));
    assert.ok(!crypto.verify(signature, random(length + 1), publicKey));
  }
});

test("keys and signatures of wrong length do not verify", () => {
  const { publicKey, secretKey } = signingPairOf(random(32));
  const signature = crypto.sign(random(5), secretKey);
  assert.ok(!crypto.verify(signature.subarray(1), random(5), publicKey));
  assert.ok(!crypto.verify(signature, random(5), publicKey.subarray(1)));
});

test("every low-order point is refused, whatever the secret key", () => {
  // RFC 7748 section 7 asks for the check; the points are those of libsodium's blacklist.
  const points = [
    "00".repeat(32),
    `01${"00".repeat(31)}`,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    `ec${"ff".repeat(30)}7f`,
    `ed${"ff".repeat(30)}7f`,
    `ee${"ff".repeat(30)}7f`,
  ];
  for (const point of points) {
    assert.equal(crypto.boxBefore(new Uint8Array(Buffer.from(point, "hex")), random(32)), null);
  }
  const { publicKey } = nacl.box.keyPair();
  const secret = random(32);
  assert.deepEqual(crypto.boxBefore(publicKey, secret), nacl.box.before(publicKey, secret));
});
