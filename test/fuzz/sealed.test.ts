/** Fuzzing of sealed things as their readers meet them: whatever is not as the camera made it is refused, without an exception. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { same } from "../../agent/identity/encoding.ts";
import { headerHash, SIGNATURE_BYTES } from "../../agent/seal/container.ts";
import { decodeMessage } from "../../agent/seal/decode.ts";
import { parseAnnouncement, parseLivePart } from "../../agent/seal/live.ts";
import { type SegmentName, segmentObjectName } from "../../agent/seal/names.ts";
import { openSegment } from "../../agent/seal/open.ts";
import { keyChunks, parseAnyObject } from "../../agent/seal/pruned.ts";
import { kindOfTopic, parseRecord, verifyRecord } from "../../agent/seal/record.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { avcConfiguration, mimeCodec, pictureFormat } from "../../agent/segment/avc.ts";
import { nodeCrypto } from "../agent/double/crypto.ts";
import { CAMERA_ID, camera, TENANT, vault } from "../agent/seal/make/keys.ts";
import { recordsFile } from "../agent/seal/make/records.ts";
import { corpusOf, fuzz } from "./fuzzing.ts";

const crypto = nodeCrypto();
const trusted = { camera: CAMERA_ID, tenant: TENANT, signingKey: camera.publicKey };

test("a segment is refused, or its head is one that the camera signed and its chunks are the camera's", async () => {
  const genuine = corpusOf("segment").map((bytes) => {
    const object = parseAnyObject(bytes);
    assert.ok(!isRefused(object));
    return object;
  });
  const counts = { refused: 0, parsed: 0, opened: 0 };
  await fuzz("segment", (input, isMutated) => {
    const object = parseAnyObject(input);
    if (isRefused(object)) {
      assert.ok(isMutated, object.refused);
      counts.refused += 1;
      return;
    }
    counts.parsed += 1;
    const { header, chunks, prelude } = object;
    const kept = chunks.reduce((sum, chunk) => sum + (chunk?.length ?? 0), 0);
    assert.ok(kept + object.chunksAt <= input.length && object.chunksAt <= prelude.totalBytes);
    for (const [i, needed] of keyChunks(header).entries())
      if (needed) assert.notEqual(chunks[i], null);
    // Whoever puts an object may name it as it likes: under the hash that it has now.
    const hash = headerHash(crypto, object.signed).slice(0, 16);
    const { stream, boot, seq } = header;
    const name: SegmentName = {
      tenant: TENANT,
      camera: header.camera,
      stream,
      footageClass: "all",
      boot,
      seq,
      hash,
    };
    segmentObjectName(name);
    const opened = openSegment(crypto, object, name, trusted, [vault]);
    if (isRefused(opened)) return;
    counts.opened += 1;
    const original = genuine.find(({ signed }) => same(signed, object.signed));
    assert.ok(original, "a head that the camera never signed");
    for (const [i, chunk] of chunks.entries()) {
      const sealed = genuine.flatMap((one) =>
        same(one.signed, object.signed) ? [one.chunks[i]] : [],
      );
      if (chunk !== null) assert.ok(sealed.some((one) => one && same(one, chunk)));
    }
  });
  console.log(counts);
  assert.ok(counts.refused > 0 && counts.opened > 0);
});

test("metadata is refused or has whole numbers only", async () => {
  await fuzz("metadata", (input, isMutated) => {
    const metadata = decodeMessage(ocellus.v1.SegmentMetadata, input);
    if (isRefused(metadata)) {
      assert.ok(isMutated);
      return;
    }
    for (const value of [metadata.captureUs, metadata.durationUs, metadata.wallUs])
      assert.ok(Number.isSafeInteger(value) && value >= 0);
    for (const { decodeTime } of metadata.fragments)
      assert.ok(Number.isSafeInteger(decodeTime ?? 0));
  });
});

test("a record is refused, or it is one that was signed for that topic", async () => {
  const topics = recordsFile().good.map(({ topic }) => topic);
  const genuine = corpusOf("record").map((bytes) => {
    const record = parseRecord(bytes);
    assert.ok(!isRefused(record));
    return record;
  });
  let verified = 0;
  await fuzz("record", (input, isMutated) => {
    const record = parseRecord(input);
    if (isRefused(record)) {
      assert.ok(isMutated);
      return;
    }
    if (!isRefused(parseAnnouncement(record))) assert.equal(record.body.plain.length > 0, true);
    const topic = topics.find((one) => kindOfTopic(one) === record.body.kind);
    if (topic === undefined) return;
    const scope = { topic, camera: CAMERA_ID, boot: null };
    if (verifyRecord(crypto, record, scope, camera.publicKey) !== null) return;
    verified += 1;
    assert.equal(record.signature.length, SIGNATURE_BYTES);
    assert.ok(genuine.some(({ raw }) => same(raw, record.raw)));
  });
  assert.ok(verified > 0);
});

test("a live part parses or is refused", async () => {
  await fuzz("live", (input, isMutated) => {
    const part = parseLivePart(input);
    if (isRefused(part)) assert.ok(isMutated, part.refused);
    else assert.equal(part.fixed.length + part.signature.length + part.box.length, input.length);
  });
});

test("any parameter sets give an avcC of the right shape", async () => {
  await fuzz("sps", (input) => {
    const { chromaFormat, lumaDepth, chromaDepth } = pictureFormat(input);
    assert.ok(chromaFormat <= 3 && lumaDepth >= 8 && lumaDepth <= 14 && chromaDepth <= 14);
    const avcC = avcConfiguration({ sps: input, pps: input });
    assert.equal(avcC[0], 1);
    assert.match(mimeCodec(input), /^avc1\.[0-9A-F]{6}$/);
  });
});
