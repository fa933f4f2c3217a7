/** Parsing of H.264: against ffprobe on real streams, and against made and cut bytes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeClip, nalType, nalUnits, streetClip } from "./support/clips.ts";
import { Program, scratch } from "./support/programs.ts";

async function startPrinter(t: TestContext): Promise<Program> {
  const printer = await Program.start(t, "asan", "h264_print");
  assert.equal(await printer.line(), "ready");
  return printer;
}

/** Bits as a string of 0 and 1, to bytes in hexadecimal behind a NAL header, with escapes. */
function nalOf(header: number, bits: string): string {
  const padded = `${bits}1`.padEnd(Math.ceil((bits.length + 1) / 8) * 8, "0");
  const bytes = (padded.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
  const escaped: number[] = [];
  for (const byte of bytes) {
    if (byte <= 3 && escaped.at(-1) === 0 && escaped.at(-2) === 0) escaped.push(3);
    escaped.push(byte);
  }
  return Buffer.from([header, ...escaped]).toString("hex");
}

function u(value: number, bits: number): string {
  return value.toString(2).padStart(bits, "0");
}

function ue(value: number): string {
  const code = (value + 1).toString(2);
  return "0".repeat(code.length - 1) + code;
}

interface SpsFields {
  profile?: number;
  high?: string;
  frameNum?: number;
  orderCount?: string;
  widthMbs?: number;
  heightUnits?: number;
  frameMbsOnly?: number;
  crop?: [number, number, number, number];
  vui?: string;
}

/** An SPS as 7.3.2.1.1 orders it. */
function spsOf(fields: SpsFields = {}): string {
  const { profile = 66, high = "", frameNum = 0, orderCount = ue(2) } = fields;
  const { widthMbs = 40, heightUnits = 30, frameMbsOnly = 1, crop, vui } = fields;
  return nalOf(
    0x67,
    [
      ...[u(profile, 8), u(0, 8), u(30, 8), ue(0), high, ue(frameNum), orderCount, ue(1), "0"],
      ...[ue(widthMbs - 1), ue(heightUnits - 1), u(frameMbsOnly, 1), frameMbsOnly ? "" : "0", "1"],
      crop ? `1${crop.map(ue).join("")}` : "0",
      vui === undefined ? "0" : `1${vui}`,
    ].join(""),
  );
}

const NO_TIMING_VUI = "00000";
function timing(units: number, scale: number, fixed = 1): string {
  return `00001${u(units, 32)}${u(scale, 32)}${fixed}`;
}

test("size, profile and frame rate agree with ffprobe", async (t) => {
  const directory = scratch(t);
  const printer = await startPrinter(t);
  const clips = [
    makeClip(join(directory, "odd.h264"), { size: "322x182", rate: "30000/1001", frames: 3 }),
    makeClip(join(directory, "high.h264"), {
      size: "1920x1080",
      frames: 2,
      rate: "15",
      more: ["-profile:v", "high", "-preset", "medium"],
    }),
    makeClip(join(directory, "main.h264"), {
      frames: 3,
      more: ["-profile:v", "main", "-preset", "medium"],
    }),
    makeClip(join(directory, "422.h264"), {
      frames: 2,
      size: "322x182",
      more: ["-pix_fmt", "yuv422p10le", "-profile:v", "high422"],
    }),
    makeClip(join(directory, "444.h264"), {
      frames: 2,
      size: "322x183",
      more: ["-pix_fmt", "yuv444p", "-profile:v", "high444"],
    }),
    makeClip(join(directory, "interlaced.h264"), {
      frames: 4,
      size: "320x272",
      more: ["-flags", "+ildct", "-x264-params", "tff=1"],
    }),
    streetClip(join(directory, "street.h264")).path,
  ];
  for (const clip of clips) {
    const sps = nalUnits(clip).find((unit) => nalType(unit) === 7) ?? "";
    const printed = await printer.ask(`sps ${sps}`);
    const entries = "stream=width,height,r_frame_rate,level,pix_fmt,field_order";
    const probe = JSON.parse(
      execFileSync("ffprobe", [
        ...["-v", "error", "-show_entries", entries, "-of", "json", clip],
      ]).toString(),
    ).streams[0];
    const rate = /rate (\d+)\/(\d+)/.exec(printed);
    const [numerator = 0, denominator = 1] = probe.r_frame_rate.split("/").map(Number);
    assert.ok(rate, printed);
    assert.equal(Number(rate[1]) * denominator, Number(rate[2]) * numerator, `${clip} ${printed}`);
    assert.ok(printed.includes(` size ${probe.width}x${probe.height} `), `${clip} ${printed}`);
    assert.ok(printed.includes(` level ${probe.level} `), `${clip} ${printed}`);
    const depth = probe.pix_fmt.endsWith("10le") ? 10 : 8;
    const chroma = { yuv420p: 1, yuv422p10le: 2, yuv444p: 3 }[String(probe.pix_fmt)];
    assert.ok(printed.includes(` chroma ${chroma} depth ${depth} `), `${clip} ${printed}`);
    const progressive = clip.includes("interlaced") ? 0 : 1;
    assert.ok(printed.includes(` progressive ${progressive} `), `${clip} ${printed}`);
  }
});

test("access units are those ffprobe counts, and cover the stream", async (t) => {
  const directory = scratch(t);
  const printer = await startPrinter(t);
  const street = streetClip(join(directory, "street.h264"));
  const cases: [string, number, number, number][] = [
    [street.path, street.frames, Math.ceil(street.frames / street.gop), 0],
    [makeClip(join(directory, "aud.h264")), 30, 3, 0],
    [makeClip(join(directory, "no-aud.h264"), { more: ["-x264-params", "aud=0"] }), 30, 3, 0],
    [
      makeClip(join(directory, "slices.h264"), { more: ["-x264-params", "aud=0:slices=4"] }),
      30,
      3,
      0,
    ],
  ];
  for (const [path, frames, keys, b] of cases) {
    assert.equal(
      await printer.ask(`file ${path}`),
      `file ${frames} keys ${keys} b ${b} bytes ${statSync(path).size - leadingZeros(path)}`,
      path,
    );
  }
  const reordered = makeClip(join(directory, "b.h264"), {
    more: ["-preset", "medium", "-bf", "2", "-x264-params", "b-adapt=0"],
  });
  const answer = await printer.ask(`file ${reordered}`);
  const b = /^file 30 keys 3 b (\d+) /.exec(answer);
  assert.ok(b && Number(b[1]) > 10, answer);
});

/** A byte stream may start with a four-byte start code, whose first byte belongs to nothing. */
function leadingZeros(path: string): number {
  return nalUnits(path).length > 0
    ? execFileSync("head", ["-c", "4", path]).equals(Buffer.from([0, 0, 0, 1]))
      ? 1
      : 0
    : 0;
}

test("NAL units are split at every kind of start code and stripped of trailing zeros", async (t) => {
  const printer = await startPrinter(t);
  const cases: [string, string][] = [
    ["00000167", " 67"],
    ["0000000167aa0000000168bb", " 67aa 68bb"],
    ["00000167aa00000168bb000000", " 67aa 68bb"],
    ["ffee00000167", " 67"],
    ["000001000001000001670000", " 67"],
    ["0000016700000300000141", " 67000003 41"],
    ["000001", ""],
    ["0000", ""],
    ["00", ""],
    ["67", ""],
    ["00000001", ""],
    ["0101010100000141", " 41"],
    ["0000014100010000", " 410001"],
    ["000001410000024200000143", " 4100000242 43"],
  ];
  for (const [stream, units] of cases) {
    assert.equal(await printer.ask(`units ${stream}`), `units${units}`, stream);
  }
});

test("emulation prevention is taken away, and only that", async (t) => {
  const printer = await startPrinter(t);
  const cases: [string, number, string][] = [
    ["67000003", 64, "670000"],
    ["6700000301", 64, "67000001"],
    ["670000030000030000", 64, "67000000000000"],
    ["67000300", 64, "67000300"],
    ["6700000303", 64, "67000003"],
    ["67000003000003", 64, "6700000000"],
    ["6701020304", 3, "670102"],
    ["67000003ff", 3, "670000"],
    ["67000002ff", 64, "67000002ff"],
    ["67000000000003ff", 64, "670000000000ff"],
  ];
  for (const [escaped, room, plain] of cases) {
    assert.equal(await printer.ask(`plain ${escaped} ${room}`), `plain ${plain}`, escaped);
  }
});

test("sizes follow cropping, chroma and field rules", async (t) => {
  const printer = await startPrinter(t);
  const high = (chroma: number) => `${ue(chroma) + (chroma === 3 ? "0" : "") + ue(0) + ue(0)}00`;
  const cases: [SpsFields, string][] = [
    [{}, "640x480"],
    [{ crop: [1, 2, 3, 4] }, "634x466"],
    [{ frameMbsOnly: 0, heightUnits: 34, widthMbs: 120, crop: [0, 0, 0, 2] }, "1920x1080"],
    [{ profile: 100, high: high(0), crop: [1, 2, 3, 4] }, "637x473"],
    [{ profile: 122, high: high(2), crop: [1, 2, 3, 4] }, "634x473"],
    [{ profile: 244, high: high(3), crop: [1, 2, 3, 4] }, "637x473"],
    [{ profile: 244, high: `${ue(3)}1${ue(0)}${ue(0)}00`, crop: [1, 0, 0, 0] }, "639x480"],
    [{ widthMbs: 1, heightUnits: 1, crop: [3, 4, 4, 3] }, "2x2"],
    [{ widthMbs: 1024, heightUnits: 1024 }, "16384x16384"],
  ];
  for (const [fields, size] of cases) {
    const answer = await printer.ask(`sps ${spsOf(fields)}`);
    assert.ok(answer.includes(` size ${size} `), `${JSON.stringify(fields)}: ${answer}`);
  }
});

test("an SPS outside of the standard's ranges is none", async (t) => {
  const printer = await startPrinter(t);
  const cases: SpsFields[] = [
    { crop: [160, 160, 0, 0] },
    { crop: [0, 320, 0, 0] },
    { crop: [0, 0, 120, 120] },
    { crop: [4294967294, 2, 0, 0] },
    { widthMbs: 1025 },
    { heightUnits: 1025 },
    { frameMbsOnly: 0, heightUnits: 513 },
    { widthMbs: 4294967295 },
    { frameNum: 13 },
    { orderCount: ue(3) },
    { orderCount: ue(0) + ue(13) },
    { orderCount: `${ue(1)}0${ue(0)}${ue(0)}${ue(256)}` },
    { profile: 100, high: `${ue(4)}${ue(0)}${ue(0)}00` },
    { profile: 100, high: `${ue(1)}${ue(7)}${ue(0)}00` },
    { profile: 100, high: `${ue(1)}${ue(0)}${ue(0)}01` + `1${ue(256)}${"0".repeat(7)}` },
  ];
  for (const fields of cases) {
    assert.equal(await printer.ask(`sps ${spsOf(fields)}`), "no sps", JSON.stringify(fields));
  }
  assert.equal(await printer.ask("sps 68eee388"), "no sps", "a PPS");
  assert.equal(await printer.ask("sps 67"), "no sps");
});

test("scaling lists and picture order of every kind are passed over", async (t) => {
  const printer = await startPrinter(t);
  const eightLists = Array(8).fill("0").join("");
  const someLists = `1${ue(1).repeat(16)}0000` + `01${(ue(1) + ue(2)).repeat(32)}0`;
  // Down from 8 to 0, where the rest of a list is no longer written.
  const shortList = `1${ue(2).repeat(8)}${"0".repeat(7)}`;
  const cases: SpsFields[] = [
    { profile: 100, high: `${ue(1)}${ue(0)}${ue(0)}01${eightLists}` },
    { profile: 100, high: `${ue(1)}${ue(0)}${ue(0)}01${shortList}` },
    { profile: 100, high: `${ue(1)}${ue(0)}${ue(0)}01${someLists}` },
    { orderCount: ue(0) + ue(4) },
    { orderCount: `${ue(1)}0${ue(5)}${ue(6)}${ue(3)}${ue(1)}${ue(2)}${ue(3)}` },
  ];
  for (const fields of cases) {
    const answer = await printer.ask(`sps ${spsOf({ ...fields, crop: [0, 0, 0, 1] })}`);
    assert.ok(answer.includes(" size 640x478 "), `${JSON.stringify(fields)}: ${answer}`);
  }
});

test("a frame rate is taken from sensible timing only", async (t) => {
  const printer = await startPrinter(t);
  const cases: [string | undefined, string][] = [
    [undefined, "0/0"],
    [NO_TIMING_VUI, "0/0"],
    [timing(1, 50), "25/1"],
    [timing(1001, 60000), "30000/1001"],
    [timing(1, 50, 0), "25/1"],
    [timing(0, 50), "0/0"],
    [timing(1, 0), "0/0"],
    [timing(1, 1000), "0/0"],
    [timing(1, 960), "480/1"],
    [timing(10, 1), "0/0"],
    [timing(4294967295, 4294967295), "1/2"],
    [timing(2147483647, 2147483629), "262143/524287"],
    [
      `1${u(255, 8)}${u(0x10001, 32)}111${u(5, 3)}11${u(0xabcdef, 24)}1${ue(3)}${ue(4)}1${u(1, 32)}${u(30, 32)}1`,
      "15/1",
    ],
  ];
  for (const [vui, rate] of cases) {
    const answer = await printer.ask(`sps ${spsOf(vui === undefined ? {} : { vui })}`);
    assert.ok(answer.includes(` rate ${rate} `), `${vui}: ${answer}`);
  }
});

test("an SPS or slice cut anywhere is refused, or its VUI ignored, and never overread", async (t) => {
  const directory = scratch(t);
  const printer = await startPrinter(t);
  const clip = makeClip(join(directory, "clip.h264"), { frames: 2, more: ["-preset", "medium"] });
  const units = nalUnits(clip);
  const sps = units.find((unit) => nalType(unit) === 7) ?? "";
  let refused = 0;
  for (let bytes = 1; bytes < sps.length / 2; bytes++) {
    const answer = await printer.ask(`sps ${sps.slice(0, 2 * bytes)}`);
    assert.match(answer, /^no sps$| size 320x240 .* rate (0\/0|25\/1) /);
    if (answer === "no sps") refused++;
  }
  assert.ok(refused >= 8 && refused < sps.length / 2 - 4, "some of each");
  for (const unit of units.filter((each) => nalType(each) !== 7)) {
    for (let bytes = 1; bytes < Math.min(unit.length / 2, 40); bytes++) {
      const cut = unit.slice(0, 2 * bytes);
      assert.match(await printer.ask(`slice ${cut}`), /^no slice$|^slice type [02] /);
      assert.match(await printer.ask(`pps ${cut}`), /^no pps$|^pps 0 of sps 0$/);
    }
  }
});

test("slice headers and PPS ids are read", async (t) => {
  const printer = await startPrinter(t);
  const slice = (header: number, first: number, type: number, pps: number) =>
    printer.ask(`slice ${nalOf(header, ue(first) + ue(type) + ue(pps))}`);
  assert.equal(await slice(0x65, 0, 7, 0), "slice type 2 idr 1 first 0 pps 0");
  assert.equal(await slice(0x41, 0, 5, 255), "slice type 0 idr 0 first 0 pps 255");
  assert.equal(await slice(0x01, 8159, 6, 3), "slice type 1 idr 0 first 8159 pps 3");
  assert.equal(await slice(0x41, 0, 10, 0), "no slice");
  assert.equal(await slice(0x41, 0, 5, 256), "no slice");
  assert.equal(await slice(0x06, 0, 5, 0), "no slice");
  assert.equal(await printer.ask("slice 4100000000000000000000000000"), "no slice");
  assert.equal(await printer.ask(`pps ${nalOf(0x68, ue(255) + ue(31))}`), "pps 255 of sps 31");
  assert.equal(await printer.ask(`pps ${nalOf(0x68, ue(256) + ue(0))}`), "no pps");
  assert.equal(await printer.ask(`pps ${nalOf(0x68, ue(0) + ue(32))}`), "no pps");
});

test("access units start where the standard says", async (t) => {
  const printer = await startPrinter(t);
  const code = "000001";
  const aud = `${code}09f0`;
  const sps = `${code}${spsOf()}`;
  const pps = `${code}68ee`;
  const sei = `${code}0605`;
  const picture = (header: number, first: number) =>
    `${code}${nalOf(header, ue(first) + ue(5) + ue(0))}`;
  const idr = picture(0x65, 0);
  const p = picture(0x41, 0);
  const p2 = picture(0x41, 20);
  const end = `${code}0a`;
  const prefix = `${code}6e40`;
  const size = (...parts: string[]) => parts.join("").length / 2;
  const units = async (stream: string[]) =>
    (await printer.ask(`access-units ${stream.join("")}`)).split(" ").slice(1);
  const lengths = async (...stream: string[]) =>
    (await units(stream)).map((each) => Number(/\+(\d+):/.exec(each)?.[1]));

  assert.deepEqual(await lengths(p, p, p), [size(p), size(p), size(p)]);
  assert.deepEqual(await lengths(p, p2, p), [size(p, p2), size(p)]);
  assert.deepEqual(await lengths(aud, idr, aud, p), [size(aud, idr), size(aud, p)]);
  assert.deepEqual(await lengths(sps, pps, sei, idr, sei, p), [
    size(sps, pps, sei, idr),
    size(sei, p),
  ]);
  assert.deepEqual(await lengths(p, p2, pps, p2), [size(p, p2), size(pps, p2)]);
  assert.deepEqual(await lengths(p, end, prefix, p), [size(p, end), size(prefix, p)]);
  assert.deepEqual(await lengths(p, sei), [size(p)], "what has no picture is no access unit");
  assert.deepEqual(await lengths(sps, pps), []);
  const [first = "", second = ""] = await units([aud, sps, pps, sei, idr, p, p2]);
  const kept = (...parts: string[]) => size(...parts) + parts.length; // 4 for each start code's 3
  assert.equal(first, `0+${size(aud, sps, pps, sei, idr)}:${kept(sei, idr)}ks`);
  assert.equal(second, `${size(aud, sps, pps, sei, idr)}+${size(p, p2)}:${kept(p, p2)}`);
});
