/**
 * Two builds of one state of the sources give the same bytes: the second is made elsewhere, with another cache. What takes
 * long, kernel, bootloader, busybox and libraries, it has from the first: `make proof PROOF=two-builds` builds that anew too.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ensure } from "../../scripts/build/ensure.mjs";
import { buildElsewhere, digests } from "./support/elsewhere.ts";

const IMAGE = "firmware-qemu-malta-release";
const ANEW = /^(firmware|native|bundle|bytecode|proto)/;

test("two builds of the camera's image are the same byte for byte, wherever they were made", async (t) => {
  const first = digests(await ensure(IMAGE));
  const directory = mkdtempSync(join(tmpdir(), "ocellus-two-builds-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [elsewhere = ""] = await buildElsewhere(directory, [IMAGE], (name) => !ANEW.test(name));
  assert.ok(elsewhere.startsWith(directory));
  assert.deepEqual(Object.keys(first), [
    ...["NOTICES.txt", "flash.bin", "rom.elf", "rootfs.cpio", "sizes.json", "slot.uimage"],
  ]);
  assert.deepEqual(digests(elsewhere), first);
});
