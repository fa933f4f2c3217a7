import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { joinTo } from "../../scripts/owner/join.ts";
import { type Parsed, parseMp4 } from "../../scripts/owner/mp4.ts";
import { playInChromium } from "../e2e/support/chromium.ts";
import { decodedFrames, makeClip, packets, picture } from "./support/ffmpeg.ts";

/** Any instant: parts are placed relative to each other. */
const ZERO_US = 1_770_000_000_000_000;

let directory: string;
/** 3 s of 320x240 and 2 s of 640x360. */
let small: Uint8Array;
let wide: Uint8Array;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocellus-join-"));
  small = await makeClip(path("small.mp4"), "320x240", 3);
  wide = await makeClip(path("wide.mp4"), "640x360", 2);
});
after(() => rm(directory, { recursive: true }));

const path = (name: string) => join(directory, name);
const whole = ({ video }: Parsed, bootZero_us: number) => ({
  ...{ video, first: 0, end: video.samples.length, bootZero_us, boot: bootZero_us },
});

async function joined(name: string, parts: readonly [Uint8Array, number][], stretchGaps = true) {
  const joiner = await joinTo(path(name), stretchGaps);
  for (const [plain, zero_us] of parts) await joiner.add(whole(parseMp4(plain), zero_us), plain);
  return joiner.finish();
}

test("joined segments decode to the very frames of each, and ffprobe finds no fault", async () => {
  const result = await joined("twice.mp4", [
    [small, ZERO_US],
    [small, ZERO_US + 3e6],
  ]);
  const frames = await decodedFrames(path("small.mp4"));
  assert.deepEqual(await decodedFrames(path("twice.mp4")), [...frames, ...frames]);
  assert.equal(result.frames, 150);
  assert.equal(result.duration_us, 6e6);
  assert.deepEqual(result.gaps, []);
  assert.equal(result.entry, "avc1");
  assert.equal((await readFile(path("twice.mp4"))).length, result.file_bytes);
});

test("the head stands before the frames, so that a player can start at once", async () => {
  await joined("head.mp4", [[small, ZERO_US]]);
  const file = await readFile(path("head.mp4"));
  const first = (type: string) => file.indexOf(type);
  assert.ok(first("ftyp") === 4 && first("moov") < first("mdat"));
  assert.ok(!file.includes("moof") && !file.includes("mvex"));
});

test("every frame keeps its time, and key frames are marked", async () => {
  await joined("times.mp4", [
    [small, ZERO_US],
    [small, ZERO_US + 3e6],
  ]);
  const found = await packets(path("times.mp4"));
  found.forEach(({ time_s, key }, index) => {
    assert.ok(Math.abs(time_s - index * 0.04) < 1e-5, `frame ${index} at ${time_s}`);
    assert.equal(key, index % 25 === 0);
  });
});

test("before a gap the last frame stays, frames after it keep their time, and the gap is told", async () => {
  const result = await joined("gap.mp4", [
    [small, ZERO_US],
    [small, ZERO_US + 7.5e6],
    [small, ZERO_US + 10.5e6],
  ]);
  assert.deepEqual(result.gaps, [{ at_us: ZERO_US + 3e6, length_us: 4.5e6 }]);
  const found = await packets(path("gap.mp4"));
  assert.equal(found[74]?.duration_s, 4.54);
  assert.equal(found[75]?.time_s, 7.5);
  assert.equal(found[150]?.time_s, 10.5);
  assert.equal(result.duration_us, 13.5e6);
});

test("a gap can be left out instead, and is told all the same", async () => {
  const parts: [Uint8Array, number][] = [
    [small, ZERO_US],
    [small, ZERO_US + 7.5e6],
  ];
  const result = await joined("skipped.mp4", parts, false);
  assert.equal(result.gaps.length, 1);
  assert.equal(result.duration_us, 6e6);
  assert.equal((await packets(path("skipped.mp4")))[75]?.time_s, 3);
});

test("a boot whose clock overlaps the boot before it starts where that one ended", async () => {
  const result = await joined("overlap.mp4", [
    [small, ZERO_US],
    [small, ZERO_US + 2.9e6],
  ]);
  assert.equal(result.duration_us, 6e6);
});

test("a segment that goes back in time within its boot is refused", async () => {
  const joiner = await joinTo(path("back.mp4"), true);
  await joiner.add(whole(parseMp4(small), ZERO_US), small);
  await assert.rejects(joiner.add(whole(parseMp4(small), ZERO_US), small), /starts before/);
  await joiner.abandon();
  assert.deepEqual(
    await readdir(directory).then((names) => names.filter((name) => /back|^\./.test(name))),
    [],
  );
});

test("a part may start and end at a frame inside a segment", async () => {
  const parsed = parseMp4(small);
  const joiner = await joinTo(path("cut.mp4"), true);
  await joiner.add(
    { video: parsed.video, first: 25, end: 60, bootZero_us: ZERO_US, boot: 1 },
    small,
  );
  const result = await joiner.finish();
  assert.equal(result.start_us, ZERO_US + 1e6);
  const frames = await decodedFrames(path("small.mp4"));
  assert.deepEqual(await decodedFrames(path("cut.mp4")), frames.slice(25, 60));
});

test("a segment without a key frame at its start goes on from the one before, or is left out up to its next key frame", async () => {
  const { video } = parseMp4(small);
  const part = (first: number, end: number, bootZero_us = ZERO_US) => ({
    video,
    first,
    end,
    bootZero_us,
    boot: bootZero_us,
  });
  const frames = await decodedFrames(path("small.mp4"));

  const whole = await joinTo(path("goes-on.mp4"), true);
  await whole.add(part(0, 30), small);
  await whole.add(part(30, 75), small);
  assert.equal((await whole.finish()).undecodable, 0);
  assert.deepEqual(await decodedFrames(path("goes-on.mp4")), frames);

  const broken = await joinTo(path("broken.mp4"), true);
  await broken.add(part(10, 20), small);
  await broken.add(part(0, 20), small);
  await broken.add(part(30, 75), small);
  const result = await broken.finish();
  assert.equal(result.undecodable, 10 + 20);
  assert.deepEqual(await decodedFrames(path("broken.mp4")), [
    ...frames.slice(0, 20),
    ...frames.slice(50),
  ]);
  assert.deepEqual(result.gaps, [{ at_us: ZERO_US + 0.8e6, length_us: 1.2e6 }]);
});

test("across a change of SPS both decode, in ffmpeg and in Chromium, by playing and by seeking", async () => {
  const result = await joined("change.mp4", [
    [small, ZERO_US],
    [wide, ZERO_US + 3e6],
    [small, ZERO_US + 5e6],
  ]);
  assert.equal(result.entry, "avc3");
  const frames = await decodedFrames(path("small.mp4"));
  const wideFrames = await decodedFrames(path("wide.mp4"));
  assert.deepEqual(await decodedFrames(path("change.mp4")), [...frames, ...wideFrames, ...frames]);

  // In the middle of frames, where both agree on which one is shown.
  const seek_s = [1.5, 3.46, 4.9, 6.22, 0.1];
  const playback = await playInChromium(path("change.mp4"), seek_s);
  assert.equal(playback.error, "");
  assert.equal(playback.ended, true);
  assert.equal(playback.frames, 200);
  assert.deepEqual(playback.sizes, ["320x240", "640x360", "320x240"]);
  assert.ok(Math.abs(playback.duration_s - 8) < 0.01);
  for (const [index, time] of seek_s.entries()) {
    const isWide = time >= 3 && time < 5;
    const start = isWide ? 3 : time < 3 ? 0 : 5;
    // ffmpeg gives the next frame from a time on, the browser the one that is shown then.
    const at = time - start - 0.039;
    const expected = isWide
      ? await picture(path("wide.mp4"), at, [640, 360])
      : await picture(path("small.mp4"), at, [320, 240]);
    const shown = playback.pictures[index] ?? [];
    const difference =
      expected.reduce((sum, value, i) => sum + Math.abs(value - (shown[i] ?? 0)), 0) /
      expected.length;
    // Measured: 0.73 by rounding and colour conversion.
    assert.ok(difference < 2, `picture at ${time} s differs by ${difference}`);
  }
});

test("one file plays in Chromium across a gap", async () => {
  await joined("play.mp4", [
    [small, ZERO_US],
    [small, ZERO_US + 4e6],
  ]);
  const playback = await playInChromium(path("play.mp4"), []);
  assert.deepEqual([playback.ended, playback.error, playback.frames], [true, "", 150]);
});

test("cut, torn or lying MP4 is refused and never read past its end", () => {
  for (let length = 0; length < small.length; length += 97) {
    assert.throws(() => parseMp4(small.subarray(0, length)), /malformed/);
  }
  const trun = Buffer.from(small).indexOf("trun");
  const lying = small.slice();
  new DataView(lying.buffer).setUint32(trun + 8, 0xffff_ffff);
  assert.throws(() => parseMp4(lying), /malformed/);
});

test("nothing to join is a sentence, and a directory that is not there too", async () => {
  const joiner = await joinTo(path("empty.mp4"), true);
  await assert.rejects(joiner.finish(), /no footage/);
  await assert.rejects(joinTo(path("missing/out.mp4"), true), /cannot write/);
  await writeFile(path("kept.txt"), "");
});
