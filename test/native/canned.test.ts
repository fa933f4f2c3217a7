/** The canned encoder, seen by a consumer in another process. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { attach, Canned, record, runCanned } from "./support/canned.ts";
import { ffmpeg, makeClip, nalType, nalUnits, storedUnits, streetClip } from "./support/clips.ts";
import { type Program, scratch, type Variant } from "./support/programs.ts";
import { nextFrame, startReader } from "./support/ring.ts";

const VARIANTS: Variant[] = ["asan", "mipsel"];

function concatenate(path: string, ...clips: string[]): string {
  writeFileSync(path, Buffer.concat(clips.map((clip) => readFileSync(clip))));
  return path;
}

/** Differences between neighbours. */
function steps(values: number[]): number[] {
  return values.slice(1).map((value, i) => value - (values[i] ?? 0));
}

for (const variant of VARIANTS) {
  test(`every frame of every loop arrives, byte for byte, in step (${variant})`, async (t) => {
    const directory = scratch(t);
    const socket = join(directory, "door");
    const clip = streetClip(join(directory, "street.h264"));
    const args = [
      "--clip",
      clip.path,
      "--socket",
      socket,
      "--loops",
      "3",
      "--rate",
      "30",
      "--wait",
    ];
    const canned = await Canned.start(t, variant, args);
    const reader = await attach(t, socket, variant);
    const recording = await record(t, reader);
    assert.equal(recording.end, `recorded ${3 * clip.frames}: the footage has ended`);

    const once = storedUnits(clip.path);
    const recorded = storedUnits(recording.stream);
    assert.equal(recorded.length, 3 * once.length);
    assert.deepEqual(recorded, [...once, ...once, ...once]);
    const sets = (path: string) => nalUnits(path).filter((unit) => [7, 8].includes(nalType(unit)));
    assert.deepEqual(sets(recording.stream), [...new Set(sets(clip.path))], "sent once");

    const { frames } = recording;
    assert.deepEqual(
      frames.map((frame) => frame.seq),
      frames.map((_, i) => i),
    );
    assert.ok(frames.every((frame) => frame.lost === 0 && frame.generation === 1));
    assert.ok(frames.every((frame, i) => frame.key === ((i % clip.frames) % clip.gop === 0)));
    const times = frames.map((frame) => frame.captureUs);
    assert.ok(
      steps(times).every((step) => step === 40_000),
      "across the loops too",
    );

    assert.ok(canned.running, "as long as a consumer is there");
    await reader.ask("close");
    assert.equal(await canned.exited(), 0);
    assert.equal(existsSync(socket), false);
  });
}

test("a clip plays in real time, on the monotonic clock", async (t) => {
  const directory = scratch(t);
  const socket = join(directory, "door");
  const clip = makeClip(join(directory, "clip.h264"), { rate: "30", frames: 45 });
  await Canned.start(t, "asan", ["--clip", clip, "--socket", socket, "--loops", "1", "--wait"]);
  const recording = await record(t, await attach(t, socket));
  assert.equal(recording.frames.length, 45);
  const delays = recording.frames
    .map((frame) => frame.takenUs - frame.captureUs)
    .sort((a, b) => a - b);
  t.diagnostic(`delay µs: median ${delays[22]}, largest ${delays[44]}`);
  assert.ok((delays[0] ?? -1) >= 0, "never before its time");
  assert.ok((delays[22] ?? Infinity) < 33_333, "median within a frame");
  const last = recording.frames.at(-1)?.captureUs ?? 0;
  const first = recording.frames[0]?.captureUs ?? 0;
  assert.equal(last - first, Math.floor((44 * 1e6) / 30));
});

test("a rate that is no whole number of µs does not drift over the loops", async (t) => {
  const directory = scratch(t);
  const socket = join(directory, "door");
  const clip = makeClip(join(directory, "clip.h264"), { rate: "30000/1001", frames: 30 });
  const args = ["--clip", clip, "--socket", socket, "--loops", "20", "--rate", "50", "--wait"];
  await Canned.start(t, "asan", args);
  const { frames } = await record(t, await attach(t, socket));
  assert.equal(frames.length, 600);
  const start = frames[0]?.captureUs ?? 0;
  for (const [i, frame] of frames.entries()) {
    const exact = (i * 1001e6) / 30000;
    assert.ok(Math.abs(frame.captureUs - start - exact) <= 21, `frame ${i}`);
  }
});

test("--fps overrides what the clip says; a clip that says nothing plays at 25", async (t) => {
  const directory = scratch(t);
  const clip = makeClip(join(directory, "clip.h264"), { rate: "30", frames: 12 });
  const silent = join(directory, "silent.h264");
  // x264 always states timing; this makes 0 units of it, which is nonsense.
  ffmpeg("-i", clip, "-c", "copy", "-bsf:v", "h264_metadata=tick_rate=1/1000", silent);
  const cases: [string[], number][] = [
    [["--clip", clip], 33_333],
    [["--clip", clip, "--fps", "10"], 100_000],
    [["--clip", clip, "--fps", "50/2"], 40_000],
    [["--clip", silent], 40_000],
  ];
  for (const [i, [args, interval]] of cases.entries()) {
    const socket = join(directory, `door${i}`);
    const more = ["--socket", socket, "--loops", "1", "--rate", "20", "--wait"];
    await Canned.start(t, "asan", [...args, ...more]);
    const reader = await attach(t, socket);
    const { frames } = await record(t, reader);
    assert.equal(frames.length, 12, args.join(" "));
    const all = steps(frames.map((frame) => frame.captureUs));
    assert.ok(
      all.every((step) => Math.abs(step - interval) <= 1),
      `${args.join(" ")}: ${all}`,
    );
    assert.ok((await reader.ask("config 1")).includes(` interval ${interval} `));
  }
});

test("a change of size and SPS in the clip makes a new config generation, each loop", async (t) => {
  const directory = scratch(t);
  const socket = join(directory, "door");
  const small = makeClip(join(directory, "small.h264"), { frames: 20 });
  const large = makeClip(join(directory, "large.h264"), {
    size: "640x360",
    rate: "50",
    frames: 20,
    more: ["-x264-params", "aud=1:sps-id=3"],
  });
  const clip = concatenate(join(directory, "clip.h264"), small, large);
  const args = ["--clip", clip, "--socket", socket, "--loops", "2", "--rate", "20", "--wait"];
  await Canned.start(t, "asan", args);
  const reader = await attach(t, socket);
  const recording = await record(t, reader);
  const changes = recording.frames.flatMap((frame, i) => (frame.newConfig ? [i] : []));
  assert.deepEqual(changes, [0, 20, 40, 60]);
  assert.deepEqual(
    [0, 20, 40, 60].map((i) => recording.frames[i]?.generation),
    [1, 2, 3, 4],
  );
  assert.match(await reader.ask("config 1"), /size 320x240 interval 40000/);
  const last = await reader.ask("config 4");
  assert.match(last, /size 640x360 interval 20000 sps 1 /);
  assert.match(last, / pps 1 /, "the sets of the sequence before are no longer in force");
  const all = steps(recording.frames.map((frame) => frame.captureUs));
  const expected = [...Array(20).fill(40_000), ...Array(20).fill(20_000)];
  assert.deepEqual(all, [...expected, ...expected].slice(0, -1));
  const once = storedUnits(clip);
  assert.deepEqual(storedUnits(recording.stream), [...once, ...once]);
});

test("a clip without access-unit delimiters, and one of many slices, play alike", async (t) => {
  const directory = scratch(t);
  const clips = ["aud=0", "aud=0:slices=4", "aud=1:slices=3:repeat-headers=1"].map((x264, i) =>
    makeClip(join(directory, `clip${i}.h264`), { more: ["-x264-params", x264] }),
  );
  for (const [i, clip] of clips.entries()) {
    const socket = join(directory, `door${i}`);
    const args = ["--clip", clip, "--socket", socket, "--loops", "1", "--rate", "20", "--wait"];
    await Canned.start(t, "asan", args);
    const recording = await record(t, await attach(t, socket));
    assert.equal(recording.frames.length, 30);
    assert.deepEqual(storedUnits(recording.stream), storedUnits(clip));
  }
});

test("--wait starts with the first consumer, at frame 0", async (t) => {
  const directory = scratch(t);
  const socket = join(directory, "door");
  const clip = makeClip(join(directory, "clip.h264"));
  await Canned.start(t, "asan", ["--clip", clip, "--socket", socket, "--wait"]);
  // One that connects without subscribing is not a consumer.
  const idle = await startReader(t);
  await idle.ask(`open ${socket}`);
  await sleep(400);
  const reader = await attach(t, socket);
  await reader.ask("wait 2000");
  const frame = await nextFrame(reader);
  assert.deepEqual([frame.seq, frame.flags], [0, "kn"]);
});

test("without --wait it plays for nobody, and a late consumer starts at a key frame", async (t) => {
  const directory = scratch(t);
  const socket = join(directory, "door");
  const clip = makeClip(join(directory, "clip.h264"), { frames: 20, gop: 10 });
  await Canned.start(t, "asan", ["--clip", clip, "--socket", socket, "--rate", "4"]);
  await sleep(600);
  const reader = await attach(t, socket);
  const frame = await nextFrame(reader);
  assert.ok(frame.seq >= 40 && frame.seq % 10 === 0, `frame ${frame.seq}`);
  assert.equal(await reader.ask("seek oldest"), "ok");
  assert.equal((await nextFrame(reader)).seq, 0);
  const { end } = await record(t, reader, 100);
  assert.equal(end, "recorded 100: enough", "for ever");
});

test("frames before the first key frame are left out, and it says so", async (t) => {
  const directory = scratch(t);
  const socket = join(directory, "door");
  const whole = makeClip(join(directory, "whole.h264"), { frames: 30, gop: 10 });
  const bytes = readFileSync(whole);
  const second = bytes.indexOf("0000000109", 5, "hex");
  const clip = join(directory, "clip.h264");
  writeFileSync(clip, bytes.subarray(second));
  const args = ["--clip", clip, "--socket", socket, "--loops", "1", "--rate", "20", "--wait"];
  const canned = await Canned.start(t, "asan", args);
  const recording = await record(t, await attach(t, socket));
  assert.match(
    canned.stderr,
    /^ocellus-canned: 9 frames before the first key frame are left out$/m,
  );
  assert.equal(recording.frames.length, 20);
});

test("it can do nothing that is asked for, and says so", async (t) => {
  const directory = scratch(t);
  const socket = join(directory, "door");
  const clip = makeClip(join(directory, "clip.h264"));
  await Canned.start(t, "asan", ["--clip", clip, "--socket", socket]);
  const reader = await startReader(t);
  assert.match(await reader.ask(`connect ${socket} 0`), /abilities 0$/);
  for (let kind = 1; kind <= 7; kind++) {
    assert.match(await reader.ask(`request ${kind} 1`), new RegExp(`kind ${kind} result 1 `));
  }
});

test("asked to stop it ends at once and takes its socket along", async (t) => {
  const directory = scratch(t);
  const clip = makeClip(join(directory, "clip.h264"));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const socket = join(directory, signal);
    const canned = await Canned.start(t, "asan", ["--clip", clip, "--socket", socket]);
    const reader: Program = await attach(t, socket);
    const started = Date.now();
    assert.equal(await canned.stop(signal), 0);
    assert.ok(Date.now() - started < 3000);
    assert.equal(existsSync(socket), false);
    assert.equal(await reader.ask("event 1000"), "closed");
  }
});

test("a stream number and a socket group can be given", async (t) => {
  const directory = scratch(t);
  const socket = join(directory, "door");
  const clip = makeClip(join(directory, "clip.h264"));
  const group = process.getgid?.() ?? 0;
  const args = ["--clip", clip, "--socket", socket, "--stream", "1", "--group", String(group)];
  await Canned.start(t, "asan", args);
  const reader = await startReader(t);
  assert.equal(await reader.ask(`connect ${socket} 0`), "refused 2");
  assert.match(await reader.ask(`connect ${socket} 1`), /^attached/);
  assert.equal(statSync(socket).gid, group);
  assert.equal(statSync(socket).mode & 0o777, 0o660);
});

test("a clip it cannot play is refused in one sentence, with status 1", async (t) => {
  const directory = scratch(t);
  const socket = join(directory, "door");
  const file = (name: string, content: string | Buffer) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const clip = makeClip(join(directory, "clip.h264"), { frames: 20 });
  const bytes = readFileSync(clip);
  const withB = makeClip(join(directory, "b.h264"), {
    more: ["-preset", "medium", "-bf", "2", "-x264-params", "b-adapt=0"],
  });
  const mp4 = join(directory, "clip.mp4");
  ffmpeg("-i", clip, "-c", "copy", mp4);
  // The same stream with another PPS in front of a frame that is no key frame.
  const p = bytes.indexOf("0000000109", 5, "hex");
  const pps = Buffer.from("0000000168ce0f2c80", "hex");
  const changed = file(
    "changed.h264",
    Buffer.concat([bytes.subarray(0, p), pps, bytes.subarray(p)]),
  );
  const noSets = file("no-sets.h264", withoutSets(bytes));
  mkdirSync(join(directory, "folder"));
  const cases: [string, RegExp][] = [
    [join(directory, "absent.h264"), /: No such file or directory$/],
    [join(directory, "folder"), /: it is empty, or neither a regular file nor a block device$/],
    [file("empty.h264", ""), /: it is empty, or neither a regular file nor a block device$/],
    [file("text.h264", "no video at all"), /: it is no H\.264 byte stream \(Annex B\)$/],
    [mp4, /: it is no H\.264 byte stream \(Annex B\)$/],
    [withB, /: frame \d+ is a B-frame, which a camera does not make$/],
    [changed, /: frame 1 changes the parameter sets without being a key frame$/],
    [noSets, /: frame 0 comes without its parameter sets$/],
    [file("sps.h264", Buffer.from("000000016764", "hex")), /: it is no H\.264 byte stream/],
    [
      file("damaged.h264", Buffer.from("0000000167640000000165888400", "hex")),
      /: frame 0 carries a damaged SPS or PPS$/,
    ],
    [
      file("no-key.h264", bytes.subarray(p, bytes.indexOf("0000000109", p + 5, "hex"))),
      /: it has no key frame \(IDR\)$/,
    ],
  ];
  for (const [path, sentence] of cases) {
    const run = await runCanned("--clip", path, "--socket", socket);
    assert.equal(run.status, 1, `${path}: ${run.stderr}`);
    assert.match(run.stderr.trimEnd(), sentence);
    assert.ok(run.stderr.startsWith(`ocellus-canned: cannot play ${path}: `), run.stderr);
    assert.equal(run.stderr.split("\n").length, 2, "one line");
    assert.equal(existsSync(socket), false);
  }
});

function withoutSets(stream: Buffer): Buffer {
  const path = stream.toString("hex").split(/(?=00000001|(?<!00)000001)/);
  const kept = path.filter((unit) => {
    const type = Number.parseInt(unit.replace(/^0*1/, "").slice(0, 2), 16) & 31;
    return type !== 7 && type !== 8;
  });
  return Buffer.from(kept.join(""), "hex");
}

test("other trouble is one sentence, with status 1", async (t) => {
  const directory = scratch(t);
  const socket = join(directory, "door");
  const clip = makeClip(join(directory, "clip.h264"), { frames: 10 });
  const base = ["--clip", clip];
  const cases: [string[], RegExp][] = [
    [
      ["--socket", join(directory, "no", "door")],
      /^ocellus-canned: cannot listen at .*: No such file or directory$/,
    ],
    [["--socket", clip], /: something stands there that is not a socket$/],
    [["--socket", join(directory, "x".repeat(101))], /: File name too long$/],
    [
      ["--socket", socket, "--ring-bytes", "4096"],
      /: its largest frame has \d+ bytes, a ring of 4096 bytes takes 2048$/,
    ],
    [
      ["--socket", socket, "--ring-dir", join(directory, "no")],
      /^ocellus-canned: cannot make a ring in .*: No such file or directory$/,
    ],
  ];
  for (const [args, sentence] of cases) {
    const run = await runCanned(...base, ...args);
    assert.equal(run.status, 1, run.stderr);
    assert.match(run.stderr.trimEnd(), sentence);
    assert.equal(run.stderr.split("\n").length, 2, "one line");
  }
  await Canned.start(t, "asan", [...base, "--socket", socket]);
  const second = await runCanned(...base, "--socket", socket);
  assert.equal(second.status, 1);
  assert.match(second.stderr, /: another encoder does\n$/);
});

test("wrong usage is one sentence, with status 2; --help is status 0", async () => {
  const cases: [string[], RegExp][] = [
    [[], /--clip is missing/],
    [["--clip", "x"], /--socket is missing/],
    [["--socket", "x"], /--clip is missing/],
    [["--clip"], /--clip is unknown or lacks its value/],
    [["--nonsense", "1"], /unknown option --nonsense/],
    [["clip.h264"], /unexpected argument clip\.h264/],
    [["--loops", "-1"], /--loops takes .* not -1/],
    [["--loops", "4294967296"], /--loops takes/],
    [["--fps", "0"], /--fps takes/],
    [["--fps", "25/0"], /--fps takes/],
    [["--fps", "25x"], /--fps takes/],
    [["--fps", "481"], /--fps takes/],
    [["--rate", "0"], /--rate takes/],
    [["--rate", "nan"], /--rate takes/],
    [["--stream", "4"], /--stream takes/],
    [["--ring-bytes", "5000"], /--ring-bytes takes/],
    [["--ring-bytes", "134217728"], /--ring-bytes takes/],
    [["--group", "no-such-group"], /there is no group no-such-group/],
  ];
  for (const [args, sentence] of cases) {
    const run = await runCanned(...args);
    assert.equal(run.status, 2, args.join(" "));
    assert.match(run.stderr, sentence);
    assert.equal(run.stderr.split("\n").length, 2, "one line");
    assert.equal(run.stdout, "");
  }
  const help = await runCanned("--help");
  assert.equal(help.status, 0);
  assert.equal(help.stderr, "");
  const options = ["clip", "socket", "stream", "loops", "fps", "rate", "wait", "ring-bytes"];
  for (const option of options) assert.ok(help.stdout.includes(`--${option} `), option);
});
