/** What ocellus-config takes for something that may not be erased: nodes of JFFS2, as Linux's fs/jffs2/scan.c takes them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { before, test } from "node:test";
import { crc32 } from "../../scripts/board/crc32.mjs";
import { command } from "./support/programs.ts";

const MAGIC = 0x1985;
const DIRENT = 0xe001;
const INODE = 0xe002;
const CLEANMARKER = 0x2003;
const ACCURATE = 0x2000;
const BLOCK_BYTES = 65_536;

const programs: { file: string; before: readonly string[]; env: NodeJS.ProcessEnv }[] = [];
before(async () => {
  for (const variant of ["asan", "mipsel"] as const)
    programs.push(await command(variant, "config_nodes"));
});

/** What it says, which is the same for both machines. */
function said(block: Buffer): string {
  const answers = programs.map(({ file, before: first, env }) =>
    execFileSync(file, first, { input: block, encoding: "utf8", env }).trim(),
  );
  assert.equal(new Set(answers).size, 1);
  return answers[0] ?? "";
}

/** The kernel's, which inverts neither at the begin nor at the end. */
function kernelCrc(bytes: Buffer): number {
  // CRC is linear: what an inversion adds depends on the length alone.
  return (crc32(bytes) ^ crc32(Buffer.alloc(bytes.length))) >>> 0;
}

function header(type: number, total_bytes: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16LE(MAGIC, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.writeUInt32LE(total_bytes, 4);
  bytes.writeUInt32LE(kernelCrc(bytes.subarray(0, 8)), 8);
  return bytes;
}

function inode(): Buffer {
  const bytes = Buffer.alloc(68, 0x5a);
  bytes.set(header(INODE, bytes.length));
  bytes.writeUInt32LE(kernelCrc(bytes.subarray(0, 60)), 64);
  return bytes;
}

function dirent(name: string): Buffer {
  const bytes = Buffer.alloc(40 + name.length, 0x5a);
  bytes.set(header(DIRENT, bytes.length));
  bytes.writeUInt8(name.length, 28);
  bytes.write(name, 40);
  bytes.writeUInt32LE(kernelCrc(bytes.subarray(0, 32)), 32);
  bytes.writeUInt32LE(kernelCrc(bytes.subarray(40)), 36);
  return bytes;
}

/** A block with this in it, otherwise erased. */
function block(part: Buffer, at: number): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES, 0xff);
  part.copy(bytes, at);
  return bytes;
}

test("a node is found at the begin, in the middle and at the end of a block", () => {
  for (const node of [inode(), dirent("state"), dirent("s")])
    for (const at of [0, 12, 4096, (BLOCK_BYTES - node.length) & ~3])
      assert.equal(said(block(node, at)), "nodes", `${node.length} bytes at ${at}`);
  assert.equal(said(Buffer.concat([Buffer.alloc(4096, 0x5a), inode()])), "nodes");
});

test("erased, zero and random blocks, and marks of an erase, are nothing to keep", () => {
  assert.equal(said(Buffer.alloc(0)), "none");
  assert.equal(said(Buffer.alloc(BLOCK_BYTES, 0xff)), "none");
  assert.equal(said(Buffer.alloc(BLOCK_BYTES)), "none");
  assert.equal(said(block(header(CLEANMARKER, 12), 0)), "none");
});

test("an obsolete node, one that is not aligned and one that the block's end cuts off count for nothing", () => {
  const obsolete = inode();
  obsolete.writeUInt16LE(INODE & ~ACCURATE, 2);
  assert.equal(said(block(obsolete, 0)), "none");
  assert.equal(said(block(inode(), 2)), "none");
  for (const node of [inode(), dirent("state")])
    for (const missing of [1, 5, node.length - 12])
      assert.equal(said(node.subarray(0, node.length - missing)), "none", `${missing} missing`);
});

test("a node of which any checked byte is another counts for nothing", () => {
  // Of an inode the checksum of the data, at 60, is checked where they are read.
  const unchecked = { inode: [60, 61, 62, 63], dirent: [] as number[] };
  for (const [what, node] of Object.entries({ inode: inode(), dirent: dirent("state") }))
    for (let at = 0; at < node.length; at++) {
      if (what === "inode" && unchecked.inode.includes(at)) continue;
      const torn = Buffer.from(node);
      torn.writeUInt8(torn.readUInt8(at) ^ 0x10, at);
      assert.equal(said(block(torn, 0)), "none", `${what}, byte ${at}`);
    }
});
