/** Clip preparation: what passes untouched, what is transcoded and why, what is refused. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Prepared, prepareClip } from "../../scripts/footage/prepare.ts";
import {
  ffmpeg,
  makeClip,
  nalType,
  nalUnits,
  storedUnits,
  streetClip,
} from "../native/support/clips.ts";
import { scratch } from "../native/support/programs.ts";

async function prepare(t: TestContext, file: string): Promise<Prepared & { out: string }> {
  const out = join(scratch(t), "out");
  const result = await prepareClip(file, out);
  assert.ok(result.ok, result.ok ? "" : result.text);
  return { ...result, out };
}

/** What every prepared clip must be for the ring. */
function assertPlayable(clip: Prepared, keyEvery: number) {
  const units = nalUnits(clip.path);
  const keys = units.filter((unit) => nalType(unit) === 5).length;
  assert.ok(keys >= Math.floor(clip.frames / keyEvery), `${keys} key frames`);
  assert.ok(clip.cannedArgs[0] === "--clip" && clip.cannedArgs[1] === clip.path);
}

test("a byte stream that a camera could have produced is used as it stands", async (t) => {
  const directory = scratch(t);
  const street = streetClip(join(directory, "street.h264"));
  const before = readFileSync(street.path);
  const clip = await prepare(t, street.path);
  assert.deepEqual(
    [clip.path, clip.transcoded, clip.width, clip.height, clip.fps, clip.frames],
    [street.path, false, 640, 480, 25, 403],
  );
  assert.equal("reason" in clip, false);
  assert.deepEqual(clip.cannedArgs, ["--clip", street.path]);
  assert.ok(before.equals(readFileSync(street.path)));
  assert.throws(() => readdirSync(clip.out), "nothing was written");
});

test("full range, an odd size and a fractional rate are no reason to transcode", async (t) => {
  const directory = scratch(t);
  const file = makeClip(join(directory, "clip.h264"), {
    size: "322x182",
    rate: "30000/1001",
    more: ["-pix_fmt", "yuvj420p", "-color_range", "pc"],
  });
  const clip = await prepare(t, file);
  assert.deepEqual([clip.transcoded, clip.path, clip.width, clip.height], [false, file, 322, 182]);
  assert.ok(Math.abs(clip.fps - 29.97) < 0.001);
});

test("a container is taken off without touching a bit of the picture", async (t) => {
  const directory = scratch(t);
  const file = makeClip(join(directory, "clip.h264"), { rate: "30", frames: 45 });
  for (const name of ["clip.mp4", "clip.mkv", "clip.mov", "clip.ts"]) {
    const container = join(directory, name);
    ffmpeg("-r", "30", "-i", file, "-c", "copy", container);
    const clip = await prepare(t, container);
    assert.deepEqual([clip.transcoded, clip.frames, clip.fps], [false, 45, 30], name);
    assert.equal(clip.path, join(clip.out, "clip.h264"));
    assert.deepEqual(storedUnits(clip.path), storedUnits(file), name);
    assert.deepEqual(readdirSync(clip.out), ["clip.h264"], "and nothing else is left behind");
  }
});

test("sound and further streams are left out", async (t) => {
  const directory = scratch(t);
  const file = makeClip(join(directory, "clip.h264"), { frames: 25 });
  const container = join(directory, "clip.mp4");
  ffmpeg(
    ...["-i", file, "-f", "lavfi", "-i", "sine=duration=1", "-map", "1:a", "-map", "0:v"],
    ...["-c:v", "copy", "-c:a", "aac", container],
  );
  const clip = await prepare(t, container);
  assert.equal(clip.transcoded, false);
  assert.deepEqual(storedUnits(clip.path), storedUnits(file));
});

test("a container's frame rate counts where the stream states another", async (t) => {
  const directory = scratch(t);
  const file = makeClip(join(directory, "clip.h264"), { rate: "25", frames: 30 });
  const container = join(directory, "clip.mkv");
  ffmpeg("-r", "10", "-i", file, "-c", "copy", container);
  const clip = await prepare(t, container);
  assert.equal(clip.fps, 10);
  assert.deepEqual(clip.cannedArgs, ["--clip", clip.path, "--fps", "10000/1000"]);
});

test("a change of size and SPS by concatenation passes untouched", async (t) => {
  const directory = scratch(t);
  const parts = [
    makeClip(join(directory, "a.h264"), { frames: 20 }),
    makeClip(join(directory, "b.h264"), { frames: 20, size: "640x360" }),
  ];
  const file = join(directory, "both.h264");
  writeFileSync(file, Buffer.concat(parts.map((part) => readFileSync(part))));
  const clip = await prepare(t, file);
  assert.deepEqual([clip.transcoded, clip.path, clip.frames], [false, file, 40]);
});

test("whatever no camera could have produced is transcoded, and it is said why", async (t) => {
  const directory = scratch(t);
  const make = (name: string, ...args: string[]) => {
    const path = join(directory, name);
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=4", ...args, path);
    return path;
  };
  const x264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
  const plain = makeClip(join(directory, "plain.h264"), { frames: 30 });
  const turned = join(directory, "turned.mp4");
  const upright = join(directory, "upright.mp4");
  ffmpeg("-i", plain, "-c", "copy", upright);
  ffmpeg("-i", upright, "-c", "copy", "-metadata:s:v", "rotate=90", turned);
  const bytes = readFileSync(makeClip(join(directory, "whole.h264"), { frames: 30 }));
  const tail = join(directory, "tail.h264");
  writeFileSync(tail, bytes.subarray(bytes.indexOf("0000000109", 5, "hex")));
  const cases: [string, RegExp][] = [
    [make("b.h264", ...x264, "-bf", "2", "-x264-params", "b-adapt=0"), /frame \d+ is a B-frame/],
    [make("b.mp4", ...x264, "-bf", "2", "-x264-params", "b-adapt=0"), /frame \d+ is a B-frame/],
    [make("mpeg4.avi", "-c:v", "mpeg4"), /^is mpeg4, not H\.264$/],
    [make("vp9.webm", "-c:v", "libvpx-vp9", "-cpu-used", "8"), /^is vp9, not H\.264$/],
    [
      make("ten-bit.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p10le"),
      /^has yuv420p10le pictures/,
    ],
    [make("444.mp4", "-c:v", "libx264", "-pix_fmt", "yuv444p"), /^has yuv444p pictures/],
    [make("odd.mp4", "-vf", "crop=319:239", "-c:v", "mpeg4"), /^is mpeg4/],
    [
      make(
        "vfr.mp4",
        "-vf",
        "select='not(eq(mod(n,5),3))'",
        "-fps_mode",
        "vfr",
        ...x264,
        "-bf",
        "0",
      ),
      /^has a variable frame rate$/,
    ],
    [
      make("fields.mp4", ...x264, "-bf", "0", "-flags", "+ildct+ilme", "-x264-params", "tff=1"),
      /^is interlaced$/,
    ],
    [turned, /^is to be turned by the player$/],
    [tail, /^does not start with a key frame$/],
  ];
  for (const [file, reason] of cases) {
    const clip = await prepare(t, file);
    assert.equal(clip.transcoded, true, file);
    assert.match(clip.reason ?? "", reason, file);
    assert.equal(clip.path, join(clip.out, "clip.h264"));
    assert.deepEqual(readdirSync(clip.out), ["clip.h264"], file);
    assertPlayable(clip, 50);
    assert.ok(clip.width % 2 === 0 && clip.height % 2 === 0);
    // Once prepared it needs no more preparation.
    const again = await prepare(t, clip.path);
    assert.deepEqual([again.transcoded, again.path, again.frames], [false, clip.path, clip.frames]);
    if (file === turned) assert.deepEqual([clip.width, clip.height], [240, 320]);
    if (/vfr|b\.|mpeg4|vp9|bit/.test(file)) assert.ok(Math.abs(clip.frames - 100) <= 26, file);
  }
});

test("progress is told while something long runs", async (t) => {
  const directory = scratch(t);
  const file = join(directory, "clip.avi");
  ffmpeg("-f", "lavfi", "-i", "testsrc2=size=640x480:rate=25:duration=8", "-c:v", "mpeg4", file);
  const told: { seconds: number; of: number | undefined }[] = [];
  const out = join(directory, "out");
  const clip = await prepareClip(file, out, { onProgress: (at) => told.push(at) });
  assert.ok(clip.ok && clip.transcoded);
  assert.ok(told.length > 0);
  const last = told.at(-1);
  assert.ok(last && Math.abs(last.seconds - 8) < 0.5, JSON.stringify(last));
  assert.ok(last.of && Math.abs(last.of - 8) < 0.5);
});

test("a file that is not there, no video, or damaged is refused in one sentence", async (t) => {
  const directory = scratch(t);
  const file = (name: string, content: string) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const mp4 = join(directory, "damaged.mp4");
  ffmpeg("-i", makeClip(join(directory, "clip.h264")), "-c", "copy", mp4);
  truncateSync(mp4, statSync(mp4).size / 2); // the index of an MP4 stands at its end
  const sound = join(directory, "sound.wav");
  ffmpeg("-f", "lavfi", "-i", "sine=duration=1", sound);
  const cases: [string, string][] = [
    [join(directory, "absent.mp4"), "missing"],
    [file("text.mp4", "no video\n"), "not-video"],
    [file("empty.h264", ""), "not-video"],
    [directory, "not-video"],
    [mp4, "not-video"],
    [sound, "not-video"],
  ];
  for (const [path, code] of cases) {
    const result = await prepareClip(path, join(directory, "out"));
    assert.ok(!result.ok, path);
    assert.equal(result.code, code, path);
    assert.ok(result.text.includes(path) && /^[^\n]+\.$/.test(result.text), result.text);
  }
});

test("an output directory that cannot be written is one sentence", async (t) => {
  const directory = scratch(t);
  const file = join(directory, "clip.avi");
  ffmpeg("-f", "lavfi", "-i", "testsrc2=duration=1", "-c:v", "mpeg4", file);
  const result = await prepareClip(file, file);
  assert.ok(!result.ok);
  assert.equal(result.code, "failed");
  assert.match(result.text, /^[^\n]+\.$/);
});

test("without ffmpeg it says what to install", async (t) => {
  const directory = scratch(t);
  const file = makeClip(join(directory, "clip.h264"));
  const path = process.env.PATH;
  process.env.PATH = directory;
  t.after(() => {
    process.env.PATH = path;
  });
  const result = await prepareClip(file, directory);
  assert.ok(!result.ok);
  assert.equal(result.code, "no-tool");
  assert.match(result.text, /ffprobe .*missing/);
});
