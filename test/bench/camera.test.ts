import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseObject } from "../../agent/seal/container.ts";
import { parseSegmentObjectName } from "../../agent/seal/names.ts";
import { openSegment } from "../../agent/seal/open.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { ensure } from "../../scripts/build/ensure.mjs";
import { type CameraBuild, type CameraRun, cameraBuild, runCamera } from "./camera.ts";
import { benchCamera } from "./paired.ts";

// Both runs keep their objects: the world's files share the C library's heap with the camera.
const objects = mkdtempSync(join(tmpdir(), "ocellus-bench-test-"));
const others = mkdtempSync(join(tmpdir(), "ocellus-bench-test-"));
let clip = "";
let build: CameraBuild;
let first: CameraRun;

before(async () => {
  clip = join(await ensure("bench-clip"), "clip.h264");
  build = await cameraBuild();
  first = await runCamera(build, clip, { warmS: 5, measureS: 12, objects });
});

after(() => {
  for (const directory of [objects, others]) rmSync(directory, { recursive: true, force: true });
});

test("a camera in its world repeats to the instruction", async () => {
  const second = await runCamera(build, clip, { warmS: 5, measureS: 12, objects: others });
  assert.ok(first.counts.total.camera > 100_000_000);
  assert.deepEqual(second.counts.functions.camera, first.counts.functions.camera);
  assert.deepEqual(second.counts.total, first.counts.total);
  assert.deepEqual(second.traffic, first.traffic);
});

test("footage flows in real measure: every frame in, a segment about every 4 s out", () => {
  const { traffic } = first;
  assert.equal(traffic.frames, 12 * 25);
  assert.equal(traffic.objects, 3);
  assert.ok(traffic.object_bytes > 0.9 * traffic.frame_bytes);
  assert.ok(traffic.http_out > traffic.object_bytes);
  assert.ok(traffic.store_wire_out > traffic.http_out);
});

test("what the world's store was given opens with the owner's key, and is the clip", () => {
  const { owner, signing } = benchCamera();
  const trusted = {
    camera: owner.camera,
    signingKey: signing.publicKey,
    tenant: owner.tenant,
  };
  const video = readFileSync(clip);
  let opened = 0;
  for (const file of readdirSync(objects)) {
    const name = parseSegmentObjectName(file.replace("+footage+", "").replaceAll("+", "/"));
    const object = parseObject(new Uint8Array(readFileSync(join(objects, file))));
    if (isRefused(name)) assert.fail(name.refused);
    if (isRefused(object)) assert.fail(object.refused);
    const segment = openSegment(owner.crypto, object, name, trusted, [owner.vault]);
    if (isRefused(segment)) assert.fail(segment.refused);
    const chunk = segment.chunks[1];
    assert.ok(chunk);
    // Somewhere inside a frame: no box and no length in between.
    assert.ok(video.includes(Buffer.from(chunk.subarray(2000, 2400))));
    opened += 1;
  }
  assert.equal(opened, first.traffic.objects);
});
