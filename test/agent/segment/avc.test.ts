import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  avcConfiguration,
  mimeCodec,
  pictureFormat,
  sameSets,
} from "../../../agent/segment/avc.ts";
import { parameterSets } from "../../../scripts/owner/avcc.ts";
import { CONFIG, OTHER_CONFIG, readClip } from "../double/clip.ts";
import { boxAt } from "./mp4.ts";

/** What x264 and ffmpeg's muxer make of two frames: parameter sets, and the avcC that ffmpeg wrote for them. */
function ffmpegSays(profile: string, pixels: string) {
  const folder = mkdtempSync(join(tmpdir(), "ocellus-avc-"));
  try {
    const [clip, mp4] = [join(folder, "clip.h264"), join(folder, "clip.mp4")];
    const quiet = ["-nostdin", "-v", "error"];
    const source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25"];
    const coded = ["-pix_fmt", pixels, "-c:v", "libx264", "-profile:v", profile, "-bf", "0"];
    const options = ["-frames:v", "2", "-x264-params", "aud=1:repeat-headers=1", clip];
    execFileSync("ffmpeg", [...quiet, ...source, ...coded, ...options]);
    execFileSync("ffmpeg", [...quiet, "-i", clip, "-c", "copy", mp4]);
    const avcC = boxAt(readFileSync(mp4), "moov/trak/mdia/minf/stbl/stsd/avc1/avcC").content;
    return { ...readClip(readFileSync(clip)), avcC: new Uint8Array(avcC) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const [profile, pixels, format] of [
  ["baseline", "yuv420p", { chromaFormat: 1, lumaDepth: 8, chromaDepth: 8 }],
  ["main", "yuv420p", { chromaFormat: 1, lumaDepth: 8, chromaDepth: 8 }],
  ["high", "yuv420p", { chromaFormat: 1, lumaDepth: 8, chromaDepth: 8 }],
  ["high", "gray", { chromaFormat: 0, lumaDepth: 8, chromaDepth: 8 }],
  ["high10", "yuv420p10le", { chromaFormat: 1, lumaDepth: 10, chromaDepth: 10 }],
  ["high422", "yuv422p", { chromaFormat: 2, lumaDepth: 8, chromaDepth: 8 }],
] as const) {
  test(`avcC for ${profile} ${pixels} is what ffmpeg writes`, () => {
    const { sps, pps, avcC } = ffmpegSays(profile, pixels);
    assert.deepEqual(pictureFormat(sps), format);
    assert.deepEqual(avcConfiguration({ sps, pps }), avcC);
  });
}

test("4:4:4 is told from the sequence parameter set", () => {
  const { sps } = ffmpegSays("high444", "yuv444p");
  assert.deepEqual(pictureFormat(sps), { chromaFormat: 3, lumaDepth: 8, chromaDepth: 8 });
});

test("the codec string is made of profile, constraints and level", () => {
  assert.equal(mimeCodec(CONFIG.sps), "avc1.64001E");
  assert.equal(mimeCodec(OTHER_CONFIG.sps), "avc1.42C00D");
});

test("a sequence parameter set that makes no sense is taken for 4:2:0 with 8 bits", () => {
  const plain = { chromaFormat: 1, lumaDepth: 8, chromaDepth: 8 };
  for (const tail of [[], [0], Array(40).fill(0), [0, 0, 0, 1, 0, 0, 0, 1]])
    assert.deepEqual(pictureFormat(new Uint8Array([0x67, 100, 0, 30, ...tail])), plain);
  assert.equal(avcConfiguration({ sps: new Uint8Array(0), pps: new Uint8Array(0) }).length, 11);
});

test("all parameter sets of a stream stand in its avcC, in order", () => {
  const [a, b, c] = [
    new Uint8Array([0x68, 1]),
    new Uint8Array([0x68, 2, 3]),
    new Uint8Array([0x68]),
  ];
  const other = OTHER_CONFIG.sps;
  const avcC = avcConfiguration({ sps: CONFIG.sps, moreSps: [other], pps: a, morePps: [b, c] });
  assert.deepEqual(parameterSets(avcC), { sps: [CONFIG.sps, other], pps: [a, b, c] });
  assert.equal(mimeCodec(CONFIG.sps), "avc1.64001E");
});

test("more sets than avcC can count are a defect", () => {
  const pps = new Uint8Array([0x68]);
  const many = (count: number) => Array.from({ length: count }, () => pps);
  const { sps } = CONFIG;
  assert.throws(() => avcConfiguration({ sps, pps, morePps: many(255) }), RangeError);
  assert.throws(() => avcConfiguration({ sps, pps, moreSps: many(31) }), RangeError);
  assert.equal(parameterSets(avcConfiguration({ sps, pps, morePps: many(254) })).pps.length, 255);
});

test("configurations are alike where all sets are, in the same order", () => {
  const one = { sps: CONFIG.sps, pps: CONFIG.pps };
  const pps = OTHER_CONFIG.pps;
  assert.ok(sameSets(one, { ...one, moreSps: [], morePps: [] }));
  assert.ok(sameSets({ ...one, morePps: [pps] }, { ...one, morePps: [pps.slice()] }));
  for (const other of [
    { ...one, pps },
    { ...one, sps: OTHER_CONFIG.sps },
    { ...one, morePps: [pps] },
    { ...one, moreSps: [CONFIG.sps] },
  ])
    assert.ok(!sameSets(one, other));
});
