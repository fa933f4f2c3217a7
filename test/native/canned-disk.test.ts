/** The clip disk of an emulated camera: written by scripts/emulator, read by the canned encoder. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeClipDisk } from "../../scripts/emulator/media.ts";
import { attach, Canned, record, runCanned } from "./support/canned.ts";
import { storedUnits, streetClip } from "./support/clips.ts";
import { scratch, type Variant } from "./support/programs.ts";

const VARIANTS: Variant[] = ["asan", "mipsel"];

for (const variant of VARIANTS) {
  test(`a clip disk is played as it says, and nothing of its padding (${variant})`, async (t) => {
    const directory = scratch(t);
    const socket = join(directory, "door");
    const disk = join(directory, "disk");
    const clip = streetClip(join(directory, "street.h264"));
    await makeClipDisk(disk, { clip: clip.path, args: ["--fps", "50"], loops: 2, rate: 30 });
    assert.equal(statSync(disk).size % 512, 0);
    // A disk is larger than what was written to it, and need not be empty behind.
    appendFileSync(disk, Buffer.concat([Buffer.from([0, 0, 0, 1, 0x65, 0x88]), Buffer.alloc(506)]));
    const canned = await Canned.start(t, variant, ["--disk", disk, "--socket", socket]);
    const recording = await record(t, await attach(t, socket, variant));
    assert.equal(recording.end, `recorded ${2 * clip.frames}: the footage has ended`);
    const once = storedUnits(clip.path);
    assert.deepEqual(storedUnits(recording.stream), [...once, ...once]);
    const [first, second] = recording.frames;
    assert.equal((second?.captureUs ?? 0) - (first?.captureUs ?? 0), 20_000, "50 a second");
    assert.equal(await canned.stop("SIGTERM"), 0);
  });
}

test("a disk that is none, is cut short or says more than how to play gets one sentence", async (t) => {
  const directory = scratch(t);
  const disk = join(directory, "disk");
  const clip = streetClip(join(directory, "street.h264"));
  await makeClipDisk(disk, { clip: clip.path, args: [], loops: 1 });
  const good = readFileSync(disk);
  const says = async (bytes: Buffer): Promise<string> => {
    writeFileSync(disk, bytes);
    const run = await runCanned("--disk", disk, "--socket", join(directory, "door"));
    assert.ok(run.status === 1 || run.status === 2, `ended with ${run.status}: ${run.stderr}`);
    assert.equal(run.stderr.trimEnd().split("\n").length, 1);
    return run.stderr;
  };
  const head = (text: string) => {
    const bytes = Buffer.alloc(4096);
    bytes.write(text);
    return Buffer.concat([bytes, good.subarray(4096)]);
  };
  assert.match(await says(good.subarray(0, 4095)), /too short for a clip disk/);
  assert.match(await says(readFileSync(clip.path)), /no clip disk of this version/);
  assert.match(await says(head("ocellus clip disk 2\n5\n")), /no clip disk of this version/);
  for (const size of ["", "\n", "0\n", "-5\n", "5x\n", "99999999999999999999\n"])
    assert.match(await says(head(`ocellus clip disk 1\n${size}`)), /states no size/);
  assert.match(await says(head("ocellus clip disk 1\n5\n--loops\n1")), /middle of a line/);
  assert.match(
    await says(head("ocellus clip disk 1\n5\n--socket\n/x\n")),
    /no argument for a disk/,
  );
  assert.match(await says(head("ocellus clip disk 1\n5\n--loops\n")), /no argument for a disk/);
  assert.match(await says(head(`ocellus clip disk 1\n5\n${"--wait\n".repeat(9)}`)), /too many/);
  assert.match(await says(head("x".repeat(4096))), /no clip disk of this version/);
  assert.match(await says(good.subarray(0, good.length - 512)), /shorter than its head says/);
});
