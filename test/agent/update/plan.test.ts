/** What an installation gets of a manifest that was verified. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  blockExtent,
  checkBlock,
  imagePlan,
  readManifest,
  verifyManifest,
} from "../../../agent/update/manifest.ts";
import { isUpdateRefused } from "../../../agent/update/refusal.ts";
import { ownerRoots } from "../../../agent/update/roots.ts";
import { makeManifest } from "../../../ota/bundle/make.ts";
import { nodeCrypto } from "../double/crypto.ts";
import { sha256 } from "../seal/reference.ts";
import {
  BOARD,
  BUILD,
  encode,
  image,
  manifestFields,
  owner,
  signed,
  TENANT,
} from "./make/world.ts";

const crypto = nodeCrypto();
const IMAGE = image(2 * 65_536 + 1);

test("the plan of an installation has the hash of every block, and its blocks add up to the image", () => {
  const raw = encode(manifestFields(IMAGE));
  const roots = ownerRoots(TENANT, owner.publicKey);
  const verified = verifyManifest(crypto, signed(raw, [owner]), roots);
  assert.ok(!isUpdateRefused(verified));
  const plan = imagePlan(verified);
  const blocks = [0, 65_536, 131_072].map((at) => IMAGE.slice(at, at + 65_536));
  assert.deepEqual(plan, {
    ...{ id: sha256(raw).slice(0, 16), bytes: IMAGE.length, block_bytes: 65_536 },
    ...{ block_hashes: blocks.map((block) => sha256(block)), sha256: sha256(IMAGE) },
  });
  const part = verified.manifest.image;
  for (const [i, block] of blocks.entries()) {
    const { start, end } = blockExtent(part, i);
    assert.deepEqual(IMAGE.slice(start, end), block);
    assert.equal(checkBlock(crypto, part, i, block), null);
  }
  assert.deepEqual(checkBlock(crypto, part, 2, new Uint8Array(0)), { refused: "block-hash" });
  for (const index of [-1, 3, 0.5]) assert.throws(() => blockExtent(part, index), RangeError);
});

test("a manifest that the tools make is the one that the format says, byte for byte", () => {
  const about = {
    ...{ board: BOARD, version: "0.2.0", securityCounter: 3, build: BUILD },
    ...{ signedUs: 1_795_176_061_000_000, variant: "release" as const, settingsSchema: 1 },
  };
  const raw = makeManifest(crypto, about, IMAGE);
  assert.ok(!isUpdateRefused(readManifest(raw)));
  assert.deepEqual(raw.toString(), encode(manifestFields(IMAGE)).toString());
});
