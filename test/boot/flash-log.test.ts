/** The log of a flash's writes, and what a cut inside of one leaves, by constructed examples. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cut, imageAt, imagesOf, seeded, tearsOf, torn } from "./support/cuts.ts";
import { type FlashOperation, readFlashLog } from "./support/flash-log.ts";

const ERASE_BYTES = 2048;
const PART = { start: 2048, end: 6144, erase_bytes: ERASE_BYTES };

interface Entry {
  readonly sector: number;
  readonly data: Buffer;
  readonly flags?: number;
}

function logOf(entries: readonly Entry[]): Buffer {
  const head = Buffer.alloc(512);
  head.writeBigUInt64LE(0x6a736677736872n, 0);
  head.writeBigUInt64LE(1n, 8);
  head.writeUInt32LE(512, 24);
  const parts = entries.flatMap(({ sector, data, flags = 0 }) => {
    const entry = Buffer.alloc(512);
    entry.writeBigUInt64LE(BigInt(sector), 0);
    entry.writeBigUInt64LE(BigInt(data.length / 512), 8);
    entry.writeBigUInt64LE(BigInt(flags), 16);
    return [entry, data];
  });
  return Buffer.concat([head, ...parts]);
}

const sectors = (count: number, ...bytes: [at: number, byte: number][]) => {
  const data = Buffer.alloc(count * 512, 0xff);
  for (const [at, byte] of bytes) data.writeUInt8(byte, at);
  return data;
};

test("erases and programs of a part are read in order, by what changed", () => {
  const erased = Buffer.alloc(8192, 0xff);
  const { operations, image } = readFlashLog(
    logOf([
      { sector: 0, data: sectors(1, [0, 1]) },
      { sector: 4, data: sectors(4) },
      { sector: 5, data: sectors(1, [3, 0xf0], [7, 0x0f]) },
      { sector: 0, data: Buffer.alloc(0), flags: 1 },
      { sector: 5, data: sectors(1, [3, 0x30], [7, 0x0f]) },
      { sector: 5, data: sectors(1, [3, 0x30], [7, 0x0f]) },
    ]),
    erased,
    PART,
  );
  assert.deepEqual(operations, [
    { is: "erase", at: 0, bytes: ERASE_BYTES },
    {
      is: "program",
      at: 515,
      old: Buffer.alloc(5, 0xff),
      data: Buffer.from("f0ffffff0f", "hex"),
    },
    { is: "program", at: 515, old: Buffer.from([0xf0]), data: Buffer.from([0x30]) },
  ]);
  assert.equal(image.readUInt8(515), 0x30);
});

test("of a log that grows, what is whole is read", () => {
  const log = logOf([{ sector: 4, data: sectors(1, [0, 1]) }]);
  const erased = Buffer.alloc(8192, 0xff);
  for (const bytes of [512, 600, 1024, log.length - 1])
    assert.deepEqual(readFlashLog(log.subarray(0, bytes), erased, PART).operations, []);
  assert.equal(readFlashLog(log, erased, PART).operations.length, 1);
});

test("a program that sets a bit is no program of a NOR flash", () => {
  const log = logOf([{ sector: 4, data: sectors(1, [0, 3]) }]);
  const before = Buffer.alloc(8192, 0xff);
  before.writeUInt8(1, 2048);
  assert.throws(() => readFlashLog(log, before, PART), /sets bits/);
  assert.throws(() => readFlashLog(Buffer.alloc(1024), before, PART), /no log/);
});

const program: FlashOperation = {
  is: "program",
  at: 1,
  old: Buffer.from("fffffffffffffffffff0", "hex"),
  data: Buffer.from("0123456789abcdef0110", "hex"),
};
const erase: FlashOperation = { is: "erase", at: 0, bytes: 12 };

test("a torn program has cleared some of the bits that it was to clear, and no others", () => {
  const image = Buffer.concat([Buffer.from([0]), program.old, Buffer.from([0])]);
  const differing = new Set<string>();
  for (let seed = 0; seed < 200; seed++)
    for (const tear of tearsOf(program)) {
      const { at, data } = torn(program, tear, image, seeded(seed));
      assert.equal(at, 1);
      for (const [index, byte] of data.entries()) {
        const old: number = program.old[index] ?? 0;
        const wanted: number = program.data[index] ?? 0;
        assert.equal(byte & ~old, 0, `${tear} sets bits`);
        assert.equal(wanted & ~byte, 0, `${tear} clears other bits`);
      }
      differing.add(Buffer.from(data).toString("hex"));
    }
  assert.ok(differing.size > 100);
  assert.ok(!differing.has(Buffer.from(program.data).toString("hex")));
});

test("a torn erase leaves anything but an erased block", () => {
  const image = Buffer.from("0123456789abcdef01234567", "hex");
  for (const tear of tearsOf(erase)) {
    const { data } = torn(erase, tear, image, seeded(7));
    assert.equal(data.length, 12);
    assert.ok(
      data.some((byte) => byte !== 0xff),
      tear,
    );
    assert.notDeepEqual(Buffer.from(data), image);
  }
});

test("images of cuts go on from each other, and are those of the operations one after another", () => {
  const before = Buffer.from("0123456789abcdef01234567", "hex");
  const operations: FlashOperation[] = [
    { is: "erase", at: 0, bytes: 12 },
    { is: "program", at: 0, old: Buffer.alloc(2, 0xff), data: Buffer.from([1, 2]) },
    { is: "program", at: 4, old: Buffer.alloc(1, 0xff), data: Buffer.from([3]) },
  ];
  const cuts: Cut[] = [
    { operations: 0, tear: "cleared" },
    { operations: 1, tear: "none" },
    { operations: 1, tear: "words" },
    { operations: 3, tear: "none" },
  ];
  const seen: string[] = [];
  const base = Buffer.alloc(12, 0xff);
  for (const { kept, patches } of imagesOf(before, operations, cuts, seeded(1))) {
    const image = Buffer.from(base);
    for (const { at, data } of patches) image.set(data, at);
    if (kept) image.copy(base);
    seen.push(image.toString("hex"));
  }
  const erased = "ff".repeat(12);
  assert.deepEqual(seen, ["00".repeat(12), erased, erased, `0102ffff03${"ff".repeat(7)}`]);
  const last: Cut = { operations: 3, tear: "none" };
  assert.equal(imageAt(before, operations, last, seeded(1)).toString("hex"), seen[3]);
});
