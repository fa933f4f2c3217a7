/** The images' own formats, read back by the tools that everybody else has: cpio, and a CRC-32 of known values. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readFirmware } from "../../scripts/board/board.mjs";
import { environment, environmentImage, memText } from "../../scripts/board/bootloader.mjs";
import { crc32 } from "../../scripts/board/crc32.mjs";
import { flashImage, slotsImage } from "../../scripts/board/flash-image.mjs";
import { romProgram } from "../../scripts/board/rom.mjs";
import { uimage } from "../../scripts/board/uimage.mjs";
import { checkout } from "../../scripts/build/ensure.mjs";
import {
  CHARACTER_DEVICE,
  cpio,
  DIRECTORY,
  FILE,
  LINK,
} from "../../scripts/build/recipes/cpio.mjs";

const firmware = readFirmware(checkout, "qemu/malta");

const NODES = [
  { path: "etc/passwd", mode: FILE | 0o644, uid: 100, gid: 101, data: Buffer.from("root\n") },
  { path: "etc", mode: DIRECTORY | 0o755 },
  { path: "dev", mode: DIRECTORY | 0o755 },
  { path: "dev/console", mode: CHARACTER_DEVICE | 0o600, device: [5, 1] as const },
  { path: "init", mode: LINK | 0o777, data: Buffer.from("/bin/busybox") },
];

test("cpio lists the archive as it was meant, directories first", () => {
  const listed = execFileSync("cpio", ["--list", "--verbose", "--numeric-uid-gid", "--quiet"], {
    input: cpio(NODES),
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
  });
  const rows = listed.trim().split("\n");
  assert.deepEqual(
    rows.map((row) => row.replaceAll(/ +/g, " ")),
    [
      "drwxr-xr-x 2 0 0 0 Jan 1 1970 dev",
      "crw------- 1 0 0 5, 1 Jan 1 1970 dev/console",
      "drwxr-xr-x 2 0 0 0 Jan 1 1970 etc",
      "-rw-r--r-- 1 100 101 5 Jan 1 1970 etc/passwd",
      "lrwxrwxrwx 1 0 0 12 Jan 1 1970 init -> /bin/busybox",
    ],
  );
});

test("the order of the files makes no difference to the archive", () => {
  assert.ok(cpio(NODES).equals(cpio([...NODES].reverse())));
});

test("the CRC is the one everybody else has", () => {
  assert.equal(crc32(Buffer.from("123456789")), 0xcbf43926);
  assert.equal(crc32(Buffer.alloc(0)), 0);
});

test("an image's header says what bootm checks, without a date", () => {
  const data = Buffer.from("123456789");
  const image = uimage({ name: "test", load_address: 0x80100000, entry_address: 0x80434480, data });
  assert.equal(image.length, 64 + data.length);
  assert.equal(image.readUInt32BE(0), 0x27051956);
  assert.equal(image.readUInt32BE(8), 0);
  assert.equal(image.readUInt32BE(12), data.length);
  assert.equal(image.readUInt32BE(16), 0x80100000);
  assert.equal(image.readUInt32BE(20), 0x80434480);
  assert.equal(image.readUInt32BE(24), 0xcbf43926);
  const header = Buffer.from(image.subarray(0, 64));
  header.writeUInt32BE(0, 4);
  assert.equal(image.readUInt32BE(4), crc32(header));
  assert.throws(() => uimage({ name: "n".repeat(33), load_address: 0, entry_address: 0, data }));
});

test("images stand where the board says, all else is erased, and what is too long is refused", () => {
  const flash = flashImage(firmware, Buffer.from("U-Boot"));
  assert.equal(flash.length, 4 << 20);
  assert.equal(flash.toString("latin1", 0x10000, 0x10006), "U-Boot");
  const rest = [flash.subarray(0, 0x10000), flash.subarray(0x10006)];
  assert.ok(rest.every((part) => part.every((byte) => byte === 0xff)));
  const tooLong = Buffer.alloc(0xf0000 + 1);
  assert.throws(() => flashImage(firmware, tooLong), /U-Boot has 983041 bytes/);
  const disk = slotsImage(firmware, { a: Buffer.from("A"), b: Buffer.from("B") });
  assert.equal(disk.length, 16 << 20);
  assert.deepEqual([disk[0], disk[1], disk[0x400000]], [0x41, 0xff, 0x42]);
  const longest = Buffer.alloc(3_686_400);
  assert.ok(slotsImage(firmware, { b: longest }));
  assert.throws(() => slotsImage(firmware, { b: Buffer.alloc(3_686_401) }), {
    name: "Problem",
    message: /^the slot image has 3686401 bytes, and 3686400 are the most/,
  });
});

test("a stored environment is the compiled-in one but for mem=, with its CRC", () => {
  assert.equal(environment(firmware).get("mem"), "64M");
  const variables = environment(firmware, 38 << 20);
  assert.equal(variables.get("mem"), "38M");
  assert.equal(memText((38 << 20) + 1024), "38913K");
  const image = environmentImage(firmware, variables);
  assert.equal(image.length, 0x4000);
  assert.equal(image.readUInt32LE(0), crc32(image.subarray(5)));
  assert.equal(image[4], 1);
  const [text = ""] = image.toString("latin1", 5).split("\0\0");
  const read = text
    .split("\0")
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]);
  assert.deepEqual(read, [...variables]);
});

test("the boot ROM's program is an ELF file that goes to U-Boot in the flash", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ocellus-rom-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "rom.elf");
  writeFileSync(file, romProgram(firmware));
  const read = execFileSync("readelf", ["--file-header", "--program-headers", "--wide", file], {
    encoding: "utf8",
  });
  assert.match(read, /Machine: +MIPS R3000/);
  assert.match(read, /Entry point address: +0xbe010000/);
  assert.match(read, /LOAD +0x000054 0x80800000 0x80800000 0x00004 0x00004 R E/);
});
