import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { checkChain } from "../../../agent/seal/open.ts";
import { parameterSets } from "../../../scripts/owner/avcc.ts";
import { CONFIG, OTHER_CONFIG } from "../double/clip.ts";
import { boxAt } from "../segment/mp4.ts";
import { chainHolds, framesIn, mp4Of, type Opened, Rig, SETTINGS, STORE_S } from "./rig.ts";

const { SegmentEnd, StageState, TimeQuality } = ocellus.v1;

const ends = (opened: Opened[]) => opened.map(({ metadata }) => metadata.end);

test("footage goes from the encoder to the store, and its owner opens all of it", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(13.2);
  await rig.stop();
  const opened = rig.opened();
  assert.deepEqual(
    opened.map(({ metadata }) => metadata.durationUs / 1e6),
    [1, 4, 4, 4, 0.2],
  );
  assert.equal(framesIn(opened), rig.fed);
  assert.equal(chainHolds(rig, opened), true);
  assert.deepEqual(ends(opened), [0, 0, 0, 0, SegmentEnd.END_SHUTDOWN]);
  const payloads = opened.map((one) => Buffer.from(mp4Of(one)));
  assert.equal(
    Buffer.concat(payloads).includes(Buffer.from(rig.lastPayload)),
    true,
    "the last frame's bytes are in what was opened",
  );
});

test("neither another owner's key nor the store's own view opens it", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(2);
  await rig.stop();
  const stranger = rig.double.crypto.boxKeypair();
  const [one] = rig.opened();
  assert.ok(one);
  const found = rig.openAs(stranger, one.name, rig.bytesOf(one));
  assert.deepEqual(found, { refused: "no-wrap" });
  for (const bytes of rig.store.objects.values())
    assert.equal(Buffer.from(bytes).includes("moof"), false);
});

test("each segment in the store is told with its name, hash, size and times", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(6);
  await rig.stop();
  const opened = rig.opened();
  assert.equal(rig.uploaded.length, opened.length);
  for (const [i, told] of rig.uploaded.entries()) {
    const { metadata, name } = opened[i] ?? { metadata: null, name: null };
    assert.equal(told.seq, name?.seq);
    assert.equal(told.captureUs, metadata?.captureUs);
    assert.equal(told.durationUs, metadata?.durationUs);
    assert.equal(told.wallUs, metadata?.wallUs);
    assert.equal(told.timeQuality, TimeQuality.TIME_STORE);
    assert.deepEqual(told.headerHash?.slice(0, 16), name?.hash);
    assert.equal(rig.store.objects.get(told.object ?? "")?.length, told.objectBytes);
  }
  const sum = rig.uploaded.reduce((total, { objectBytes }) => total + (objectBytes ?? 0), 0);
  assert.equal(rig.pipeline.snapshot().uploadedBytes, sum);
});

test("every put asks that nothing be overwritten and leaves the payload unsigned", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(3);
  await rig.stop();
  const puts = rig.store.requests.filter(({ method }) => method === "PUT");
  assert.ok(puts.length >= 3);
  for (const { headers } of puts) {
    assert.equal(headers.get("if-none-match"), "*");
    assert.equal(headers.get("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
    assert.match(headers.get("authorization") ?? "", /if-none-match/);
  }
  assert.equal(rig.store.connections, 2, "one until the time was known, one from then on");
});

test("status tells stages, streams and queue", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  assert.deepEqual(
    rig.pipeline.snapshot().stages.map(({ state }) => state),
    Array(4).fill(StageState.STAGE_STARTING),
  );
  await rig.feed(6);
  await rig.double.clock.advance(100);
  const { stages, queueBytes, queueLimitBytes, timeQuality, wallUs } = rig.pipeline.snapshot();
  for (const stage of stages) {
    assert.equal(stage.state, StageState.STAGE_OK);
    assert.equal(stage.reason, "");
    assert.equal(stage.cause, "");
  }
  assert.equal(timeQuality, TimeQuality.TIME_STORE);
  assert.ok(Math.abs(wallUs - (STORE_S * 1e6 + rig.double.clock.nowUs())) < 1e6);
  assert.equal(queueLimitBytes, rig.double.native.options.queueBytes);
  assert.equal(queueBytes, rig.double.arena.usedBytes);
  const { headSeq, sealedAny, uploaded, pending, dropped, frames, framesLost } = rig.stream;
  assert.deepEqual(
    { headSeq, sealedAny, uploaded, pending, dropped, frames, framesLost },
    {
      headSeq: 1,
      sealedAny: true,
      uploaded: 2,
      pending: [],
      dropped: [],
      // The last second still waits in the ring for its fragment to end.
      frames: 125,
      framesLost: 0,
    },
  );
  const { width, height } = rig.stream;
  assert.deepEqual({ width, height }, { width: 640, height: 480 });
  await rig.stop();
});

test("new parameter sets begin a new segment that describes them", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(2);
  rig.ring.setConfig(OTHER_CONFIG);
  await rig.feed(2);
  await rig.stop();
  const opened = rig.opened();
  assert.deepEqual(ends(opened), [
    SegmentEnd.END_DURATION,
    SegmentEnd.END_CONFIG_CHANGED,
    SegmentEnd.END_SHUTDOWN,
  ]);
  const avcCs = opened.map((one) =>
    Buffer.from(boxAt(mp4Of(one).subarray(0, moovEnd(mp4Of(one))), AVCC).content),
  );
  assert.ok(holds(avcCs[1], CONFIG));
  assert.ok(holds(avcCs[2], OTHER_CONFIG));
  assert.deepEqual(
    opened.map(({ metadata }) => [metadata.tracks[0]?.width, metadata.tracks[0]?.mimeCodec]),
    [
      [640, "avc1.64001E"],
      [640, "avc1.64001E"],
      [320, "avc1.42C00D"],
    ],
  );
  assert.equal(rig.stream.width, 320);
  assert.equal(framesIn(opened), rig.fed);
});

test("a stream with several picture parameter sets is described with all of them", async () => {
  const rig = new Rig();
  const second = OTHER_CONFIG.pps;
  rig.ring.setConfig({ ...CONFIG, morePps: [second] });
  rig.pipeline.start();
  await rig.feed(2);
  rig.ring.setConfig(CONFIG);
  await rig.feed(2);
  await rig.stop();
  const counts = rig.opened().map((one) => {
    const mp4 = mp4Of(one);
    const avcC = boxAt(mp4.subarray(0, moovEnd(mp4)), AVCC).content;
    return parameterSets(new Uint8Array(avcC)).pps.length;
  });
  assert.deepEqual(counts, [2, 2, 1]);
});

function holds(avcC: Buffer | undefined, { sps, pps }: { sps: Uint8Array; pps: Uint8Array }) {
  return avcC?.includes(Buffer.from(sps)) && avcC.includes(Buffer.from(pps));
}

const AVCC = "moov/trak/mdia/minf/stbl/stsd/avc1/avcC";

/** Where ftyp and moov end. */
function moovEnd(mp4: Uint8Array): number {
  const view = Buffer.from(mp4);
  const ftyp = view.readUInt32BE(0);
  return ftyp + view.readUInt32BE(ftyp);
}

test("a segment of rare key frames is continued, and nothing of it is lost", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(30, { gop: 250 });
  await rig.stop();
  const opened = rig.opened();
  assert.equal(framesIn(opened), rig.fed);
  assert.equal(rig.stream.framesLost, 0);
  assert.equal(chainHolds(rig, opened), true);
  const keyed = opened.map(({ object }) => (object.header.fragmentKeyChunks[0] ?? 0) > 0);
  assert.deepEqual(keyed, [true, false, false, true, false, true, false]);
  assert.ok(rig.double.door.requests.some(({ what }) => what === "keyFrame"));
});

test("with classes off names say so", async () => {
  const rig = new Rig({ deps: { settings: { ...SETTINGS, nameClasses: false } } });
  rig.pipeline.start();
  await rig.feed(1.5);
  await rig.stop();
  assert.deepEqual(new Set(rig.opened().map(({ name }) => name.footageClass)), new Set(["all"]));
});

test("settings reach the encoder now and after it came back, and segments from the next one on", async () => {
  const rig = new Rig({ deps: { settings: { ...SETTINGS, bitrateKbps: 800 } } });
  rig.pipeline.start();
  await rig.feed(2);
  rig.pipeline.setSettings({
    ...SETTINGS,
    segmentS: 6,
    bitrateKbps: 700,
    frameRate: 10,
    flip: true,
  });
  await rig.feed(14);
  await rig.stop();
  assert.deepEqual(
    rig.double.door.requests.map(({ what, value }) => `${what} ${value}`),
    ["bitrate 800", "bitrate 700", "frameRate 10", "flip 1"],
  );
  assert.deepEqual(
    rig.opened().map(({ metadata }) => metadata.durationUs / 1e6),
    [1, 4, 6, 5],
  );
});

test("a new recipients' list ends the segment at the next key frame, and what follows is sealed to it alone", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(2.2);
  const next = rig.double.crypto.boxKeypair();
  assert.equal(rig.pipeline.setRecipients({ version: 4, boxKeys: [next.publicKey] }), undefined);
  await rig.feed(2);
  await rig.stop();
  const versions = rig.objects().map(({ object }) => object.header.recipientsVersion);
  assert.deepEqual(versions, [3, 3, 4]);
  const [, second, third] = rig.objects();
  assert.ok(second && third);
  assert.equal(rig.open(second.name, second.bytes).metadata.end, SegmentEnd.END_EPOCH);
  assert.deepEqual(rig.openAs(rig.owner, third.name, third.bytes), { refused: "no-wrap" });
  assert.ok("chunks" in rig.openAs(next, third.name, third.bytes));
  assert.ok(third.object.header.epoch > second.object.header.epoch);
  assert.ok(rig.double.door.requests.some(({ what }) => what === "keyFrame"));
});

test("a list that cannot be used changes nothing", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(2);
  const refused = rig.pipeline.setRecipients({ version: 4, boxKeys: [new Uint8Array(32)] });
  assert.equal(refused?.error, "low-order-key");
  await rig.feed(4);
  await rig.stop();
  assert.deepEqual(
    new Set(rig.opened().map(({ object }) => object.header.recipientsVersion)),
    new Set([3]),
  );
});

test("an epoch lasts fifteen minutes, and no two share an ephemeral key", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(1_000, { stepMs: 500, gop: 2, bytes: 100 });
  await rig.stop();
  const epochs = new Map<number, Set<string>>();
  let first = Number.POSITIVE_INFINITY;
  for (const { object, metadata } of rig.opened()) {
    const { epoch, ephemeral } = object.header;
    const known = epochs.get(epoch) ?? new Set();
    epochs.set(epoch, known.add(Buffer.from(ephemeral).toString("hex")));
    if (epoch === 2) first = Math.min(first, metadata.captureUs);
  }
  assert.deepEqual([...epochs.keys()], [1, 2]);
  for (const keys of epochs.values()) assert.equal(keys.size, 1);
  assert.equal(new Set([...epochs.values()].flatMap((keys) => [...keys])).size, 2);
  const startedUs = 3_700_000;
  assert.ok(first - startedUs >= 900e6 && first - startedUs <= 906e6);
});

test("two streams are kept apart: names, chains, keys and status", async () => {
  const rig = new Rig({ deps: { streams: [0, 1] } });
  rig.double.door.start(rig.ring, 1);
  rig.pipeline.start();
  await rig.feed(6);
  await rig.stop();
  for (const stream of [0, 1]) {
    const mine = rig.opened().filter(({ name }) => name.stream === stream);
    assert.equal(framesIn(mine), rig.fed);
    assert.equal(chainHolds(rig, mine), true);
  }
  const commitments = rig
    .opened()
    .map(({ object }) => Buffer.from(object.header.commitment).toString("hex"));
  assert.equal(new Set(commitments).size, commitments.length);
  const [main, sub] = rig.pipeline.snapshot().streams;
  assert.deepEqual([main?.stream, sub?.stream], [0, 1]);
  assert.equal(main?.uploaded, sub?.uploaded);
});

test("the chain goes on over a boot", async () => {
  const first = new Rig();
  first.pipeline.start();
  await first.feed(6);
  await first.stop();
  const [head] = first.heads.at(-1) ?? [];
  assert.ok(head);
  const identity = { ...first.deps.identity, boot: first.deps.identity.boot + 1 };
  const second = new Rig({ deps: { identity, chainHeads: [head] } });
  second.pipeline.start();
  await second.feed(2);
  await second.stop();
  const last = first.opened().at(-1);
  const next = second.opened()[0];
  assert.ok(last && next);
  assert.deepEqual(next.object.header.previous, first.double.crypto.sha256(last.object.signed));
  assert.equal(next.name.boot, last.name.boot + 1);
  assert.deepEqual(
    checkChain(second.double.crypto, last.object, next.object),
    { refused: "chain" },
    "the chain check itself stays within a boot",
  );
});

test("without a head of an earlier boot the chain begins with zeros", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(2);
  await rig.stop();
  assert.deepEqual(rig.opened()[0]?.object.header.previous, new Uint8Array(32));
});

test("chain heads are kept with the first segment, every ten minutes, and at the end", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(1_000, { stepMs: 500, gop: 2, bytes: 100 });
  assert.deepEqual(rig.heads.map(([head]) => head?.seq).slice(0, 1), [0]);
  assert.equal(rig.heads.length, 2);
  await rig.stop();
  assert.equal(rig.heads.length, 3);
  assert.equal(rig.heads.at(-1)?.[0]?.seq, rig.stream.headSeq);
});
