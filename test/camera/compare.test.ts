/** The self-test's judge must see what is wrong: a frame lost, changed, swapped, or other parameter sets. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { compareFootage, nalUnits } from "../../scripts/camera/compare.ts";
import { faultIn, type Report } from "../../scripts/camera/report.ts";
import { ffmpeg } from "../owner/support/ffmpeg.ts";

const FRAMES = 50;
const SPS = 7;
const PPS = 8;

let directory: string;
let fed: string;
/** The fed clip's NAL units, one slice a frame. */
let units: Uint8Array[];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocellus-compare-"));
  fed = join(directory, "fed.h264");
  const clip = await encode("testsrc2");
  await writeFile(fed, clip);
  units = await split(clip);
});
after(() => rm(directory, { recursive: true, force: true }));

function encode(source: string): Promise<Buffer> {
  return ffmpeg([
    ...["-f", "lavfi", "-i", `${source}=size=320x240:rate=25:duration=2`],
    ...["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25", "-threads", "1"],
    ...["-pix_fmt", "yuv420p", "-f", "h264", "-"],
  ]);
}

async function split(annexB: Buffer): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const some of nalUnits(
    (async function* () {
      yield annexB;
    })(),
  ))
    found.push(...some);
  return found;
}

const typeOf = (unit: Uint8Array) => (unit[0] ?? 0) & 31;
const isSlice = (unit: Uint8Array) => typeOf(unit) === 1 || typeOf(unit) === 5;

/** Compares the fed clip with one of these units, copied into an MP4. */
async function against(changed: readonly Uint8Array[]) {
  const annexB = join(directory, "got.h264");
  const mp4 = join(directory, "got.mp4");
  await writeFile(
    annexB,
    changed.map((unit) => Buffer.concat([Buffer.from([0, 0, 0, 1]), unit])),
  );
  await ffmpeg(["-y", "-framerate", "25", "-i", annexB, "-c", "copy", mp4]);
  return compareFootage(fed, mp4);
}

/** Where the n-th frame's slice stands. */
function slice(n: number): number {
  return units.flatMap((unit, at) => (isSlice(unit) ? [at] : []))[n] ?? -1;
}

test("the same clip is the same", async () => {
  assert.deepEqual(await against(units), {
    frames_in: FRAMES,
    frames_out: FRAMES,
    frames_identical: FRAMES,
    parameter_sets_equal: true,
  });
});

test("a dropped frame is seen", async () => {
  const { frames_out, frames_identical } = await against(units.toSpliced(slice(30), 1));
  assert.deepEqual([frames_out, frames_identical], [FRAMES - 1, 30]);
});

test("one changed bit of a frame is seen", async () => {
  const changed = [...units];
  const bytes = units[slice(40)]?.slice() ?? new Uint8Array();
  const last = bytes.length - 5;
  bytes[last] = (bytes[last] ?? 0) ^ 1;
  changed[slice(40)] = bytes;
  const { frames_out, frames_identical } = await against(changed);
  assert.deepEqual([frames_out, frames_identical], [FRAMES, 40]);
});

test("two frames in each other's place are seen", async () => {
  const changed = [...units];
  const [a, b] = [slice(10), slice(11)];
  [changed[a], changed[b]] = [units[b] ?? new Uint8Array(), units[a] ?? new Uint8Array()];
  assert.equal((await against(changed)).frames_identical, 10);
});

test("other parameter sets are seen though every frame is the same", async () => {
  const changed = units.map((unit) => {
    if (typeOf(unit) !== SPS) return unit;
    const other = unit.slice();
    // level_idc: the pictures stay what they were.
    other[3] = (other[3] ?? 0) + 1;
    return other;
  });
  assert.ok(units.some((unit) => typeOf(unit) === PPS));
  const { frames_identical, parameter_sets_equal } = await against(changed);
  assert.deepEqual([frames_identical, parameter_sets_equal], [FRAMES, false]);
});

test("each fault in a report is told in a sentence, and a good report has none", () => {
  const good: Report = {
    ...{ on: "host", variant: "host", transcoded: false, build: "", unprivileged: true },
    ...{ frames_in: 3, frames_out: 3, frames_identical: 3, parameter_sets_equal: true },
    ...{ segments: 1, bytes_video: 9, bytes_sealed: 10, sealing_overhead_percent: 0.1 },
    ...{ first_segment_s: 1, rss_kb: 1, rss_peak_kb: 1, heap_kb: 1, restarts: 0 },
    ...{ listening_sockets: 0, listening: [], frames_lost: 0, gaps: 0, duration_s: 1 },
  };
  assert.equal(faultIn(good), null);
  const socket = { protocol: "tcp", port: 554, pid: 1 } as const;
  const bad: readonly [Partial<Report>, RegExp][] = [
    [{ frames_in: 0, frames_out: 0, frames_identical: 0 }, /no frames/],
    [{ frames_identical: 2 }, /same up to frame 2/],
    [{ frames_out: 4 }, /of 3 frames 4 came back/],
    [{ parameter_sets_equal: false }, /parameter sets/],
    [{ listening_sockets: 1, listening: [socket] }, /listens on the network \(tcp 554\)/],
    [{ unprivileged: false }, /ran as root/],
    [{ restarts: 2 }, /restarted 2 times/],
  ];
  for (const [change, says] of bad) assert.match(faultIn({ ...good, ...change }) ?? "", says);
});
