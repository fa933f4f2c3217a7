import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Frame } from "../../../agent/runtime/native.d.ts";
import { avcConfiguration, mimeCodec } from "../../../agent/segment/avc.ts";
import { fragmentBoxes, initBoxes } from "../../../agent/segment/boxes.ts";
import { Segmenter } from "../../../agent/segment/segmenter.ts";
import { ticksAt } from "../../../agent/segment/ticks.ts";
import { ensure } from "../../../scripts/build/ensure.mjs";
import { CONFIG, readClip } from "../double/clip.ts";
import { boxAt, boxesIn, probe } from "./mp4.ts";

const config = { generation: 1, ...CONFIG };

const SAMPLES = {
  sizes: [100, 20, 30],
  durations: [3600, 3600, 3600],
  decodeTime: 450_000,
  key: true,
};

/** version and flags of a full box. */
function flagsOf(content: Buffer): number {
  return content.readUInt32BE(0);
}

test("the file type names iso6, which default-base-is-moof needs, and avc1", () => {
  const ftyp = boxAt(initBoxes(config), "ftyp").content;
  assert.equal(ftyp.toString("latin1", 0, 4), "iso6");
  assert.equal(ftyp.readUInt32BE(4), 0);
  assert.deepEqual(ftyp.toString("latin1", 8).match(/.{4}/g), ["iso6", "mp41", "avc1"]);
});

test("moov holds one video track with empty sample tables, mvex, and no edit list", () => {
  const init = initBoxes(config);
  assert.deepEqual(
    boxesIn(init).map(({ type }) => type),
    ["ftyp", "moov"],
  );
  const moov = boxAt(init, "moov").content;
  assert.deepEqual(
    boxesIn(moov).map(({ type }) => type),
    ["mvhd", "trak", "mvex"],
  );
  const trak = boxAt(moov, "trak").content;
  assert.deepEqual(
    boxesIn(trak).map(({ type }) => type),
    ["tkhd", "mdia"],
  );
  for (const table of ["stts", "stsc", "stco"]) {
    const { content } = boxAt(trak, `mdia/minf/stbl/${table}`);
    assert.deepEqual([...content], Array(8).fill(0), table);
  }
  const stsz = boxAt(trak, "mdia/minf/stbl/stsz").content;
  assert.deepEqual([...stsz], Array(12).fill(0));
  const trex = boxAt(moov, "mvex/trex").content;
  assert.equal(trex.readUInt32BE(4), 1, "track");
  assert.ok(trex.readUInt32BE(8) > 0, "default sample description index");
});

test("track header and sample entry carry the picture's size, the media header 90 kHz", () => {
  const moov = boxAt(initBoxes(config), "moov").content;
  const tkhd = boxAt(moov, "trak/tkhd").content;
  assert.equal(flagsOf(tkhd), 3);
  assert.equal(tkhd.length, 84);
  assert.equal(tkhd.readUInt32BE(76), 640 * 65_536);
  assert.equal(tkhd.readUInt32BE(80), 480 * 65_536);
  assert.equal(boxAt(moov, "mvhd").content.length, 100);
  const mdhd = boxAt(moov, "trak/mdia/mdhd").content;
  assert.equal(mdhd.readUInt32BE(12), 90_000);
  const avc1 = boxAt(moov, "trak/mdia/minf/stbl/stsd/avc1").content;
  assert.equal(avc1.readUInt16BE(24), 640);
  assert.equal(avc1.readUInt16BE(26), 480);
  const avcC = boxAt(moov, "trak/mdia/minf/stbl/stsd/avc1/avcC").content;
  assert.deepEqual(new Uint8Array(avcC), avcConfiguration(config));
  assert.equal(mimeCodec(config.sps), "avc1.64001E");
});

test("a fragment has a 64-bit decode time, default-base-is-moof, and a data offset behind the mdat header", () => {
  const bytes = fragmentBoxes(7, { ...SAMPLES, decodeTime: 2 ** 40 + 5 });
  const moof = boxAt(bytes.subarray(0, bytes.length - 8), "moof");
  assert.deepEqual(
    boxesIn(moof.content).map(({ type }) => type),
    ["mfhd", "traf"],
  );
  assert.equal(boxAt(moof.content, "mfhd").content.readUInt32BE(4), 7);
  const tfhd = boxAt(moof.content, "traf/tfhd").content;
  assert.equal(flagsOf(tfhd), 0x02_0028);
  assert.deepEqual(
    [4, 8, 12].map((at) => tfhd.readUInt32BE(at)),
    [1, 3600, 0x0101_0000],
  );
  const tfdt = boxAt(moof.content, "traf/tfdt").content;
  assert.equal(flagsOf(tfdt), 0x0100_0000);
  assert.equal(tfdt.readBigUInt64BE(4), 2n ** 40n + 5n);
  const trun = boxAt(moof.content, "traf/trun").content;
  assert.equal(trun.readUInt32BE(8), bytes.length, "data offset: from the moof's start");
  const mdat = Buffer.from(bytes.subarray(bytes.length - 8));
  assert.equal(mdat.readUInt32BE(0), 8 + 150);
  assert.equal(mdat.toString("latin1", 4), "mdat");
});

test("durations that are alike stand once in tfhd, others with each sample", () => {
  const trunOf = (bytes: Uint8Array) =>
    boxAt(bytes.subarray(0, bytes.length - 8), "moof/traf/trun").content;
  const alike = trunOf(fragmentBoxes(1, SAMPLES));
  assert.equal(flagsOf(alike), 0x0205);
  assert.equal(alike.readUInt32BE(12), 0x0200_0000, "the first sample is a sync sample");
  assert.deepEqual([...words(alike, 16)], [100, 20, 30]);
  const varying = trunOf(fragmentBoxes(1, { ...SAMPLES, durations: [3600, 3601, 3599] }));
  assert.equal(flagsOf(varying), 0x0305);
  assert.deepEqual([...words(varying, 16)], [3600, 100, 3601, 20, 3599, 30]);
  const noKey = trunOf(fragmentBoxes(1, { ...SAMPLES, key: false }));
  assert.equal(flagsOf(noKey), 0x0201, "without a key frame all samples have the default flags");
  assert.deepEqual([...words(noKey, 12)], [100, 20, 30]);
});

function* words(content: Buffer, from: number): Generator<number> {
  for (let at = from; at < content.length; at += 4) yield content.readUInt32BE(at);
}

/** Frames of the default clip through segmenter and boxes: each segment's MP4, and what went in. */
async function segmentsOfClip(jitter: (i: number) => number) {
  const clip = readClip(readFileSync(join(await ensure("clip-default"), "clip.h264")));
  const clipConfig = { ...config, sps: clip.sps, pps: clip.pps };
  const segmenter = new Segmenter({
    segmentS: 4,
    fragmentBytes: 512 << 10,
    segmentBytes: 16 << 20,
  });
  const frames = clip.frames.slice(0, 300).map(
    ({ payload, key }, i): Frame => ({
      seq: i,
      bytes: payload.length,
      key,
      discontinuity: false,
      config: 1,
      captureUs: 777_000_000_000 + i * 40_000 + jitter(i),
    }),
  );
  const payloadOf = (frame: Frame) => clip.frames[frame.seq]?.payload ?? new Uint8Array(0);
  const decisions = [
    ...frames.flatMap((frame) => segmenter.push(frame)),
    ...segmenter.flush("encoder"),
  ];
  const segments: { mp4: Buffer[]; frames: Frame[] }[] = [];
  for (const decision of decisions) {
    if (decision.do === "open")
      segments.push({ mp4: [Buffer.from(initBoxes(clipConfig))], frames: [] });
    if (decision.do !== "fragment") continue;
    const segment = segments.at(-1);
    if (segment === undefined) throw new Error("a fragment outside a segment");
    const { durations, decodeTime } = decision;
    const sizes = decision.frames.map(({ bytes }) => bytes);
    const key = decision.frames[0]?.key === true;
    const boxes = fragmentBoxes(segment.mp4.length, { sizes, durations, decodeTime, key });
    segment.mp4.push(Buffer.concat([boxes, ...decision.frames.map(payloadOf)]));
    segment.frames.push(...decision.frames);
  }
  return { segments, payloadOf };
}

for (const [what, jitter] of [
  ["at an even 25 frames a second", () => 0],
  ["with jitter in every capture time", (i: number) => (i * 7919) % 13_331],
] as const) {
  test(`ffprobe finds real footage faultless ${what}: every byte, decode time and key frame`, async () => {
    const { segments, payloadOf } = await segmentsOfClip(jitter);
    assert.ok(segments.length >= 3);
    for (const { mp4, frames } of segments) {
      const probed = probe(Buffer.concat(mp4));
      assert.equal(probed.complaints, "");
      const { codec, profile, width, height, timeBase } = probed;
      assert.deepEqual(
        { codec, profile, width, height, timeBase },
        { codec: "h264", profile: "Main", width: 640, height: 480, timeBase: "1/90000" },
      );
      const expected = frames.map(({ captureUs, key }) => ({ dts: ticksAt(captureUs), key }));
      assert.deepEqual(probed.packets, expected);
      assert.ok(probed.payload.equals(Buffer.concat(frames.map(payloadOf))), "payload bytes");
    }
  });
}
