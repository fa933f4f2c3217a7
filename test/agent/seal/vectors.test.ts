import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ocellus } from "#proto";
import { keyId } from "../../../agent/identity/encoding.ts";
import { headerHash, parseObject, type SegmentHead } from "../../../agent/seal/container.ts";
import { decodeMessage } from "../../../agent/seal/decode.ts";
import {
  openLivePart,
  openSession,
  parseAnnouncement,
  parseLivePart,
} from "../../../agent/seal/live.ts";
import { parseBootObjectName, parseSegmentObjectName } from "../../../agent/seal/names.ts";
import { chunkNonce, nonce, type SubkeyLabel, subkey } from "../../../agent/seal/nonce.ts";
import { checkChain, openSegment } from "../../../agent/seal/open.ts";
import { parseAnyObject, prune } from "../../../agent/seal/pruned.ts";
import { openBody, parseRecord, verifyRecord } from "../../../agent/seal/record.ts";
import { isRefused, type Refused } from "../../../agent/seal/refusal.ts";
import { nodeCrypto } from "../double/crypto.ts";
import {
  BOOT,
  CAMERA_ID,
  camera,
  cameraBox,
  device,
  keysFile,
  recovery,
  TENANT,
  vault,
} from "./make/keys.ts";
import { liveFile, partOfSize } from "./make/live.ts";
import { prunedFile } from "./make/pruned.ts";
import { recordsFile } from "./make/records.ts";
import { segmentsFile } from "./make/segments.ts";
import { badSegmentsFile } from "./make/segments-bad.ts";
import { fileText, vectorFiles } from "./make-vectors.ts";
import { openWithNacl } from "./nacl-reader.ts";
import { fromHex, hex } from "./reference.ts";

const crypto = nodeCrypto();
const trusted = { camera: CAMERA_ID, tenant: TENANT, signingKey: camera.publicKey };

function taken<T>(value: T | Refused): T {
  if (isRefused(value)) throw new Error(`refused: ${value.refused}`);
  return value;
}

/** What a reader does with an object it fetched; a refusal at whichever step. */
function read(object: Uint8Array, name: string) {
  const parsed = parseAnyObject(object);
  if (isRefused(parsed)) return parsed;
  const parsedName = parseSegmentObjectName(name);
  if (isRefused(parsedName)) return parsedName;
  return openSegment(crypto, parsed, parsedName, trusted, [vault]);
}

test("the files on disk are the ones that the generator makes", () => {
  const folder = new URL("vectors/", import.meta.url);
  const files = vectorFiles();
  assert.deepEqual(readdirSync(folder).sort(), Object.keys(files).sort());
  for (const [name, content] of Object.entries(files))
    assert.ok(readFileSync(new URL(name, folder), "utf8") === fileText(content), `${name} differs`);
});

test("key ids, subkeys and nonces are those of the vectors", () => {
  const { box, subkeys, nonces } = keysFile();
  for (const pair of Object.values(box)) {
    const id = keyId((bytes) => crypto.sha256(bytes), fromHex(pair.publicKey));
    assert.equal(hex(id), pair.keyId);
  }
  const labels: SubkeyLabel[] = ["media", "metadata", "body", "live", "commitment"];
  const shown = new Map(Object.entries(subkeys));
  for (const label of labels)
    assert.equal(hex(subkey(crypto, label, fromHex(subkeys.K))), shown.get(label));
  for (const kind of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] as const)
    assert.equal(hex(nonce(kind, nonces.at)), nonces.byKind[kind]);
  assert.equal(hex(chunkNonce(nonces.at, 5, 7)), nonces.chunk5);
  assert.equal(hex(chunkNonce(nonces.at, 6, 7)), nonces.lastChunk6);
});

for (const { what, name, object, opens } of segmentsFile().segments) {
  test(`segment: ${what}`, () => {
    const bytes = fromHex(object);
    const parsed = taken(parseObject(bytes));
    const { header } = parsed;
    assert.equal(hex(headerHash(crypto, parsed.signed)), opens.headerHash);
    assert.equal(hex(header.previous), opens.previous);
    assert.equal(header.epoch, opens.epoch);
    assert.equal(header.skipped, opens.skipped);
    assert.equal(header.recipientsVersion, opens.recipientsVersion);
    assert.equal(header.wraps.length, opens.wraps);
    assert.deepEqual(header.fragmentChunk, opens.fragmentChunk);
    assert.deepEqual(header.fragmentKeyChunks, opens.fragmentKeyChunks);
    const opened = taken(read(bytes, name));
    assert.deepEqual(
      opened.chunks.map((chunk) => chunk && hex(chunk)),
      opens.chunks,
    );
    const metadata = taken(decodeMessage(ocellus.v1.SegmentMetadata, fromHex(opens.metadata)));
    assert.deepEqual(opened.metadata, metadata);
    assert.equal(opened.metadata.captureUs, 61_000_000);
    assert.equal(opened.metadata.wallUs, 1_795_176_061_000_000);

    const alone = openWithNacl(bytes, name, camera.publicKey, vault);
    assert.deepEqual(alone.chunks.map(hex), opens.chunks);
    assert.equal(hex(alone.metadata), opens.metadata);
    assert.equal(hex(alone.headerHash), opens.headerHash);
  });
}

test("an audio track is told beside the video", () => {
  const audio = segmentsFile().segments.find(({ what }) => what.includes("audio"));
  const opened = taken(read(fromHex(audio?.object ?? ""), audio?.name ?? ""));
  const [, track] = opened.metadata.tracks;
  assert.equal(track?.codec, ocellus.v1.Codec.CODEC_AAC);
  assert.equal(track?.mimeCodec, "mp4a.40.2");
  assert.equal(track?.sampleRate, 48_000);
  assert.equal(track?.channels, 1);
  assert.equal(opened.metadata.event, true);
});

test("the chain holds over skipped numbers, and nowhere else", () => {
  const [a, b, c] = segmentsFile().segments.map(({ object }) =>
    taken(parseObject(fromHex(object))),
  );
  if (!a || !b || !c) throw new Error("vectors are missing");
  assert.equal(checkChain(crypto, a, b), null);
  assert.equal(checkChain(crypto, b, c), null);
  for (const [previous, next] of [
    [a, c],
    [b, a],
    [c, b],
    [a, a],
  ] as const)
    assert.deepEqual(checkChain(crypto, previous, next), { refused: "chain" });
  // A camera that hides a number: the hash fits, the count does not.
  for (const skipped of [0, 1, 3]) {
    const lying: SegmentHead = { ...c, header: { ...c.header, skipped } };
    assert.deepEqual(checkChain(crypto, b, lying), { refused: "chain" });
  }
});

/** What any reader finds out, however little it checks of the rest. */
const CRYPTOGRAPHIC = new Set([
  ...["signature", "no-wrap", "unwrap", "commitment"],
  ...["chunk-hash", "chunk-open"],
]);

for (const { what, refused, name, object } of badSegmentsFile().segments) {
  test(`segment refused (${refused}): ${what}`, () => {
    assert.deepEqual(read(fromHex(object), name), { refused });
    if (CRYPTOGRAPHIC.has(refused))
      assert.throws(() => openWithNacl(fromHex(object), name, camera.publicKey, vault));
  });
}

test("pruned objects open, and pruning makes exactly the first of them", () => {
  const { name, whole, good } = prunedFile();
  const full = taken(read(fromHex(whole), name));
  for (const { object, present, what } of good) {
    const opened = taken(read(fromHex(object), name));
    const kept = opened.chunks.flatMap((chunk, i) => (chunk === null ? [] : [i]));
    assert.deepEqual(kept, present, what);
    for (const i of kept) assert.deepEqual(opened.chunks[i], full.chunks[i]);
  }
  assert.equal(hex(taken(prune(fromHex(whole)))), good[0]?.object);
  const keep = [false, false, true];
  assert.equal(hex(taken(prune(fromHex(whole), keep))), good[1]?.object);
});

for (const { what, refused, object } of prunedFile().bad) {
  test(`pruned object refused (${refused}): ${what}`, () => {
    const bytes = fromHex(object);
    const { name } = prunedFile();
    // Told to be pruned by where it was found, so that another magic is not read as a whole object.
    assert.deepEqual(read(bytes, name), { refused });
  });
}

const verifiers = { camera, device };

/** What a receiver does with a record. */
function receive(record: { topic: string; signer: string; use: string; envelope: string }) {
  const parsed = parseRecord(fromHex(record.envelope));
  if (isRefused(parsed)) return parsed;
  const scope = { topic: record.topic, camera: CAMERA_ID, boot: BOOT };
  const signer = record.signer === "device" ? verifiers.device : verifiers.camera;
  const wrong = verifyRecord(crypto, parsed, scope, signer.publicKey);
  if (wrong !== null) return wrong;
  const { sealed, seq } = parsed.body;
  const use = record.use === "command" ? "command" : "record";
  const opened = sealed && openBody(crypto, use, { boot: BOOT, seq }, sealed, [vault, cameraBox]);
  return isRefused(opened) ? opened : { body: parsed.body, opened };
}

for (const record of recordsFile().good) {
  test(`record: ${record.what}`, () => {
    const { body, opened } = taken(receive(record));
    assert.equal(body.kind, record.kind);
    assert.equal(body.seq, record.seq);
    assert.equal(hex(body.plain), record.plain);
    assert.equal(opened && hex(opened), record.opens);
  });
}

for (const record of recordsFile().bad) {
  test(`record refused (${record.refused}): ${record.what}`, () => {
    assert.deepEqual(receive(record), { refused: record.refused });
  });
}

test("a reason and a list of a later version are passed over, and what is known is read", () => {
  const account = recordsFile().good.find(({ what }) => what.includes("dropped numbers"));
  const told = taken(decodeMessage(ocellus.v1.StatusPrivate, fromHex(account?.opens ?? "")));
  const { DropReason } = ocellus.v1;
  assert.deepEqual(
    told.streams[0]?.dropped?.map(({ first, last, reason }) => [first, last, reason]),
    [
      [2, 3, DropReason.DROP_QUEUE_FULL],
      [4, 5, DropReason.DROP_LAPPED],
      [6, 7, DropReason.DROP_CONFLICT],
      [8, 9, DropReason.DROP_SHUTDOWN],
      [14, 15, DropReason.DROP_REFUSED],
      [16, 17, DropReason.DROP_TOO_LONG],
      [18, 19, DropReason.DROP_SEVERAL],
      [154, 155, 77],
    ],
  );
});

test("a status says that access was rejected, and why", () => {
  const found = recordsFile().good.find(({ what }) => what.includes("rejects new access"));
  const { access } = taken(decodeMessage(ocellus.v1.StatusPrivate, fromHex(found?.opens ?? "")));
  assert.equal(access?.state, ocellus.v1.AccessTrialState.ACCESS_REJECTED);
  assert.equal(access?.reason, "The store does not know the camera's access key.");
});

test("a boot record's name tells what it is signed over", () => {
  const { bootRecordName, good } = recordsFile();
  const boot = good.find(({ what }) => what === "boot record");
  const name = taken(parseBootObjectName(bootRecordName));
  assert.equal(name.topic, boot?.topic);
  assert.equal(name.boot, BOOT);
  const hash = crypto.sha256(fromHex(boot?.envelope ?? ""));
  assert.deepEqual(name.hash, hash.slice(0, 16));
});

test("a backup opens by the recovery key alone", () => {
  const { sealed, seq, boot, opens } = recordsFile().backup;
  const message = taken(decodeMessage(ocellus.v1.Sealed, fromHex(sealed)));
  const wraps = message.wraps.map(({ recipient, sealed: wrap }) => {
    if (!recipient || !wrap) throw new Error("no wrap");
    return { recipient, sealed: wrap };
  });
  const part = { ...message, wraps };
  const opened = taken(openBody(crypto, "backup", { boot, seq }, part, [recovery]));
  assert.equal(hex(opened), opens);
  const at = { boot, seq };
  assert.deepEqual(openBody(crypto, "backup", at, part, [vault]), { refused: "no-wrap" });
  assert.deepEqual(openBody(crypto, "record", at, part, [recovery]), { refused: "unwrap" });
});

function announcedSession(announcement: string) {
  const record = taken(parseRecord(fromHex(announcement)));
  const scope = { topic: liveFile().topic, camera: CAMERA_ID, boot: null };
  assert.equal(verifyRecord(crypto, record, scope, camera.publicKey), null);
  return parseAnnouncement(record);
}

test("live parts of an announced session open in order", () => {
  const { announcement, parts, session: number } = liveFile();
  const session = taken(announcedSession(announcement));
  assert.equal(session.session, number);
  const key = taken(openSession(crypto, session, [vault]));
  let last = session.nextCounter - 1;
  for (const { part, counter, about, mediaSha256 } of parts) {
    const parsed = taken(parseLivePart(fromHex(part)));
    const opened = taken(openLivePart(crypto, trusted, session, key, last, parsed));
    assert.equal(parsed.counter, counter);
    assert.equal(hex(crypto.sha256(opened.media)), mediaSha256);
    assert.deepEqual(opened.about, taken(decodeMessage(ocellus.v1.LivePart, fromHex(about))));
    last = counter;
  }
});

for (const { what, refused, announcement } of liveFile().badAnnouncements) {
  test(`live announcement refused (${refused}): ${what}`, () => {
    const session = announcedSession(announcement);
    const result = isRefused(session) ? session : openSession(crypto, session, [vault]);
    assert.deepEqual(result, { refused });
  });
}

test("a live part has at most 65,536 bytes", () => {
  const session = taken(announcedSession(liveFile().announcement));
  const key = taken(openSession(crypto, session, [vault]));
  const largest = taken(parseLivePart(partOfSize(65_536)));
  assert.ok(taken(openLivePart(crypto, trusted, session, key, 9, largest)).media.length > 65_000);
  assert.deepEqual(parseLivePart(partOfSize(65_537)), { refused: "length" });
});

for (const { what, refused, part } of liveFile().bad) {
  test(`live part refused (${refused}): ${what}`, () => {
    const session = taken(announcedSession(liveFile().announcement));
    const key = taken(openSession(crypto, session, [vault]));
    const parsed = parseLivePart(fromHex(part));
    const result = isRefused(parsed)
      ? parsed
      : openLivePart(crypto, trusted, session, key, 9, parsed);
    assert.deepEqual(result, { refused });
  });
}
