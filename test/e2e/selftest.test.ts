/**
 * `ocellus selftest`, the whole data path in one command: encoder, ring, agent, store, broker, and the owner who gets every
 * frame back as it was fed. Natively and as the camera's own mipsel program.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ensure } from "../../scripts/build/ensure.mjs";
import type { Report } from "../../scripts/camera/report.ts";
import { ffmpeg, packets } from "../owner/support/ffmpeg.ts";
import { makeChangingClip } from "../proof/changing-clip.ts";
import { playInChromium } from "./support/chromium.ts";
import { STREET } from "./support/rig.ts";

const OCELLUS = fileURLToPath(new URL("../../scripts/ocellus.mjs", import.meta.url));

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocellus-selftest-test-"));
});
after(() => rm(directory, { recursive: true, force: true }));

/** Runs the command, which must succeed. @returns what it leaves: its report, and where the footage is. */
async function selftest(
  footage: string,
  name: string,
  ...flags: string[]
): Promise<{ report: Report; mp4: string; said: string }> {
  const out = join(directory, name);
  const args = ["selftest", "--footage", footage, "--out", out, ...flags];
  const { stdout } = await promisify(execFile)(process.execPath, [OCELLUS, ...args]);
  const report: Report = JSON.parse(await readFile(join(out, "report.json"), "utf8"));
  const files = await readdir(out);
  assert.deepEqual(files.sort(), ["camera.log", "footage.mp4", "input.h264", "report.json"]);
  return { report, mp4: join(out, "footage.mp4"), said: stdout };
}

/** What every good report says. */
function assertWhole(report: Report, frames: number): void {
  const { frames_in, frames_out, frames_identical, listening_sockets } = report;
  assert.deepEqual(
    { frames_in, frames_out, frames_identical, listening_sockets },
    { frames_in: frames, frames_out: frames, frames_identical: frames, listening_sockets: 0 },
  );
  assert.ok(report.parameter_sets_equal);
  assert.ok(report.unprivileged);
  assert.deepEqual([report.frames_lost, report.gaps, report.restarts], [0, 0, 0]);
  assert.ok(report.bytes_sealed > report.bytes_video);
  assert.ok(report.first_segment_s > 0 && report.rss_kb > 0 && report.heap_kb > 0);
}

for (const variant of ["host", "mipsel"] as const) {
  const clip = STREET === undefined ? "the default clip" : "the street";
  test(`${clip} comes back frame by frame (${variant})`, async () => {
    const footage = STREET ?? join(await ensure("clip-default"), "clip.h264");
    const frames = STREET === undefined ? (await packets(footage)).length : 403;
    const { report, said } = await selftest(footage, variant, "--variant", variant);
    assertWhole(report, frames);
    // With MP4's own boxes; the street has four times the bits of the default clip, so they weigh less.
    const most = STREET === undefined ? 1 : 0.5;
    assert.ok(report.sealing_overhead_percent < most, `${report.sealing_overhead_percent} %`);
    assert.equal(report.on, "host");
    assert.equal(report.variant, variant);
    assert.equal(report.transcoded, false);
    assert.match(said, new RegExp(`${frames} of ${frames} frames came back as they were fed\\.`));
  });
}

test("a clip whose size and parameter sets change in its middle comes back whole, and plays in Chromium", async () => {
  const footage = join(directory, "two.h264");
  await makeChangingClip(footage, [
    { size: "1280x720", profile: "main", seconds: 6 },
    { size: "640x360", profile: "baseline", seconds: 6 },
  ]);
  const { report, mp4 } = await selftest(footage, "two");
  assertWhole(report, 300);
  const played = await playInChromium(mp4, []);
  assert.equal(played.error, "");
  assert.ok(played.ended);
  assert.deepEqual(played.sizes, ["1280x720", "640x360"]);
});

test("what no camera makes is transcoded first, which the report and the command say; all of that comes back", async () => {
  const footage = join(directory, "other.mkv");
  const source = "testsrc2=size=320x240:rate=25:duration=4";
  await ffmpeg(["-f", "lavfi", "-i", source, "-c:v", "mpeg4", "-bf", "2", footage]);
  const { report, said } = await selftest(footage, "other");
  assertWhole(report, 100);
  assert.equal(report.transcoded, true);
  assert.match(said, /after transcoding/);
});

for (const [mem, flags] of [
  ["64M", []],
  ["38M", ["--mem", "38M"]],
] as const) {
  test(`the emulated camera gives every frame back with ${mem}`, async () => {
    const footage = STREET ?? join(await ensure("clip-default"), "clip.h264");
    const frames = STREET === undefined ? (await packets(footage)).length : 403;
    const { report } = await selftest(footage, `qemu-${mem}`, "--on", "qemu", ...flags);
    assertWhole(report, frames);
    const { on, board, mem: told, slot_bytes = 0, mem_available_kb = 0 } = report;
    assert.deepEqual({ on, board, told }, { on: "qemu", board: "qemu/malta", told: mem });
    assert.ok(slot_bytes > 0 && slot_bytes <= 3_686_400, `${slot_bytes}`);
    assert.ok(mem_available_kb > 0, `${mem_available_kb}`);
  });
}
