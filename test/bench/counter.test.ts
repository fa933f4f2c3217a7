import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { ensure } from "../../scripts/build/ensure.mjs";
import { count, parseCounts } from "./counter.ts";

const CHUNK_BYTES = 32_768;
let floor = "";

before(async () => {
  floor = join(await ensure("bench-floor"), "floor");
});

test("two runs of the same program count the same, function by function", async () => {
  const first = await count(floor, [`${20 * CHUNK_BYTES}`]);
  const second = await count(floor, [`${20 * CHUNK_BYTES}`]);
  assert.ok(first.total.camera > 1_000_000);
  assert.deepEqual(second.functions.camera, first.functions.camera);
  assert.deepEqual(second.total, first.total);
});

test("ten more chunks cost the same wherever they come", async () => {
  const [ten, twenty, thirty] = await Promise.all(
    [10, 20, 30].map((chunks) => count(floor, [`${chunks * CHUNK_BYTES}`])),
  );
  assert.ok(ten && twenty && thirty);
  const early = twenty.total.camera - ten.total.camera;
  const late = thirty.total.camera - twenty.total.camera;
  assert.ok(Math.abs(late - early) < early / 10_000, `${early} and ${late}`);
});

test("the peer's work is not the camera's", async () => {
  const counts = await count(floor, [`${20 * CHUNK_BYTES}`]);
  const names = [...counts.functions.camera.keys()];
  assert.ok(counts.total.world > counts.total.camera / 4);
  assert.deepEqual(
    names.filter((name) => name.startsWith("tls_peer_")),
    [],
  );
});

test("a program that fails is an error and no count", async () => {
  await assert.rejects(count(floor, ["1"]), /usage: floor/);
});

test("a line that count.c cannot have written is refused", () => {
  assert.throws(() => parseCounts("0\t12\tmain\n7\t1\tother\n", ""), /a line that is none/);
  assert.throws(() => parseCounts("0\t1x\tmain\n", ""), /a line that is none/);
  assert.throws(() => parseCounts("", ""), /a line that is none/);
});
