import assert from "node:assert/strict";
import { test } from "node:test";
import type { Traffic } from "./camera.ts";
import {
  cameraCost,
  growth,
  liveUpload,
  residentMegabytes,
  sealingPercent,
  worldUpload,
} from "./figures.ts";
import { grouped } from "./groups.ts";
import { mappedAt } from "./guest-memory.ts";
import type { LiveRun } from "./live.ts";
import { costOf } from "./programs.ts";

const traffic: Traffic = {
  ...{
    seconds: 2400,
    frames: 0,
    frame_bytes: 10_000,
    frame_bytes_before: 2_000,
    objects: 10,
    object_bytes: 1_000_000,
  },
  ...{ http_out: 1_006_000, http_in: 2_000, publishes: 0 },
  ...{ store_wire_out: 1_008_000, store_wire_in: 2_016, broker_wire_out: 0, broker_wire_in: 0 },
  heap_high: [1900, 2300, 2300, 2200, 2300, 2200, 2300, 2200].map((kb) => kb * 1000),
  allocated_low: [1900, 1540, 1900, 1560, 1800, 1540, 1900, 1541].map((kb) => kb * 1000),
  mapped_high: [20, 20, 21, 20, 20, 21, 20, 20].map((mb) => mb * 1_000_000),
};

test("a saw-tooth is not growth, wherever in it a window ends", () => {
  const flat = growth(traffic);
  assert.equal(flat.heapMegabytes, 2.3);
  assert.equal(flat.driftBytes, 0);
  assert.equal(flat.kilobytesADay, 0);
});

test("half a kilobyte a segment is growth, of eleven megabytes a day", () => {
  const perWindow = (2400 / 8 / 4) * 512;
  const allocated_low = traffic.allocated_low.map((bytes, i) => bytes + i * perWindow);
  const { kilobytesADay } = growth({ ...traffic, allocated_low });
  assert.ok(kilobytesADay > 10_000, `${kilobytesADay}`);
});

test("a run that counted no allocations gives no figure", () => {
  const none = traffic.allocated_low.map(() => 0);
  assert.throws(() => growth({ ...traffic, allocated_low: none }), /not counted/);
});

test("what starting costs is what the footage before does not explain", () => {
  const none = new Map<string, number>();
  const run = {
    counts: {
      total: { camera: 1_000_000, world: 5, start: 700_000 },
      functions: { camera: none, world: none, start: none },
      stdout: "",
    },
    traffic: { ...traffic, seconds: 10 },
  };
  assert.deepEqual(cameraCost(run), { perByte: 100, perSecond: 0.1, start: 500_000 });
});

test("HTTP is what is not the object, TLS what is not HTTP", () => {
  const { http, tlsPercent } = worldUpload(traffic);
  assert.equal(http, 800);
  assert.equal(tlsPercent.toFixed(4), ((2016 / 1_008_000) * 100).toFixed(4));
});

test("a request that opened its connection is left out, since a handshake is in its share", () => {
  const put = (key: string, requestOnConnection: number, wireIn_bytes: number) => ({
    ...{ at_ms: 0, duration_ms: 0, method: "PUT", bucket: "b", key, operation: "PutObject" },
    ...{ accessKeyId: "a", status: 200, code: undefined, answered: true, connection: 1 },
    ...{ bodyIn_bytes: 1000, httpIn_bytes: 1600, httpOut_bytes: 400, wireOut_bytes: 400 },
    ...{ wireIn_bytes, requestOnConnection },
    tls: { resumed: false, protocol: "TLSv1.3", cipher: "" },
  });
  const puts: LiveRun["puts"] = [
    put("v1/home/x/boot/1", 2, 99_999),
    put("v1/home/x/0/continuous/1/0", 1, 99_999),
    put("v1/home/x/0/continuous/1/1", 2, 1620),
  ];
  assert.deepEqual(liveUpload(puts), {
    http: 1000,
    tlsPercent: (2020 / 2000 - 1) * 100,
    segments: 1,
  });
  assert.throws(() => liveUpload(puts.slice(0, 2)), /no segment/);
});

test("the largest look decides, and no look is no figure", () => {
  const look = (agent: number) => ({ agent, ring: 9e6, queue: 9e6 });
  assert.equal(residentMegabytes([look(3e6), look(4e6), look(3.5e6)]), 4);
  assert.throws(() => residentMegabytes([]), /not looked at/);
});

test("sealing is measured against what was sealed", () => {
  const bytes = { segments: 1, objects: 1005, plain: 1000, heads: 3, tags: 2, chunks: 1, wraps: 2 };
  assert.equal(sealingPercent(bytes).toFixed(3), "0.500");
});

test("every function has exactly one group, and the sums are whole", () => {
  const functions = new Map([
    ...[
      ["SHA256_Transform", 50],
      ["poly1305_blocks", 7],
      ["poly1305_process", 9],
    ],
    ...[
      ["JS_CallInternal", 5],
      ["heap_malloc", 3],
      ["ring_next", 2],
      ["-", 1],
    ],
  ] as [string, number][]);
  const groups = grouped(functions);
  assert.equal(
    groups.reduce((sum, g) => sum + g.instructions, 0),
    77,
  );
  assert.equal(groups[0]?.title, "hash chunks (SHA-256)");
  assert.equal(groups.find((g) => g.title.startsWith("TLS"))?.instructions, 9);
  assert.equal(groups.find((g) => g.title.startsWith("host"))?.instructions, 3);
});

test("the arena is found by its size in the emulator's list of calls", () => {
  const strace =
    "12 mmap2(NULL,4096,PROT_READ,0x802,-1,0) = 0x40010000\n" +
    "12 mmap2(NULL,8388608,PROT_READ|PROT_WRITE,0x802,-1,0) = 0x40841000\n";
  assert.deepEqual(mappedAt(strace, 8 << 20), { address: 0x40841000, bytes: 8 << 20 });
  assert.equal(mappedAt(strace, 1234), null);
});

test("two lengths give the price of a byte and of starting", () => {
  assert.deepEqual(costOf([100, 1200], [300, 1600]), { perByte: 2, start: 1000 });
});
