/** The disks of an emulated camera, read back. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeCard, makeClipDisk } from "../../scripts/emulator/media.ts";

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "ocellus-media-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("a clip's disk tells its length and how it is played, and has whole sectors", async (t) => {
  const directory = scratch(t);
  const [clip, disk] = [join(directory, "clip"), join(directory, "disk")];
  writeFileSync(clip, Buffer.alloc(700, 7));
  writeFileSync(disk, "of an earlier start");
  await makeClipDisk(disk, { clip, args: ["--fps", "25"], loops: 3 });
  const bytes = readFileSync(disk);
  const head = "ocellus clip disk 1\n700\n--wait\n--loops\n3\n--fps\n25\n";
  assert.equal(bytes.toString("latin1", 0, head.length + 1), `${head}\0`);
  assert.ok(bytes.subarray(4096, 4796).equals(Buffer.alloc(700, 7)));
  assert.equal(bytes.length, 4096 + 1024);
  assert.equal(statSync(disk).mode & 0o777, 0o600);
});

test("a card is a FAT medium with the provisioning file, or an empty one", async (t) => {
  const card = join(scratch(t), "card");
  const list = () => {
    const env = { ...process.env, MTOOLS_SKIP_CHECK: "1", MTOOLSRC: "/dev/null" };
    return execFileSync("mdir", ["-b", "-i", card, "::"], { env, encoding: "utf8" });
  };
  await makeCard(card, '{"format": "x"}\n');
  assert.equal(list(), "::/ocellus-provision.json\n");
  const read = execFileSync("mtype", ["-i", card, "::ocellus-provision.json"], {
    encoding: "utf8",
  });
  assert.equal(read, '{"format": "x"}\n');
  assert.equal(statSync(card).mode & 0o777, 0o600);
  await makeCard(card, null);
  assert.doesNotMatch(list(), /ocellus/);
});
