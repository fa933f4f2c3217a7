/**
 * What starts when slot A is spoilt, by real U-Boot, and what says so. Outside of a trial U-Boot goes by header and checksum
 * alone: an image with both right that cannot be unpacked is tried for ever.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { crc32 } from "../../scripts/board/crc32.mjs";
import { HEADER_BYTES, uimage } from "../../scripts/board/uimage.mjs";
import { describe, statusJson } from "../../scripts/cli/status.ts";
import { Guest } from "./support/guest.ts";
import { developmentSlot, Machine } from "./support/machine.ts";

/** Waits for Linux, and for the slot it was told that it is from. */
async function startedFrom(machine: Machine): Promise<string> {
  const [, slot] = await machine.see(/Kernel command line: .* ocellus\.slot=(.)/);
  return slot ?? "";
}

const spoilt = (image: Buffer, at: number) => {
  const bytes = Buffer.from(image);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes;
};

test("a spoilt header: slot B starts", async (t) => {
  const slot = await developmentSlot();
  // A bit of the load address, which the header's own checksum covers.
  const machine = await Machine.start(t, { a: spoilt(slot, 17) });
  await machine.see(/Bad Header Checksum/);
  assert.equal(await startedFrom(machine), "b");
  await machine.login();
});

test("its owner's status says which image runs, and that slot A did not start", async (t) => {
  const guest = await Guest.start(t);
  const name = (await guest.ask("cat /etc/ocellus-build")).trim();
  const told = () => {
    const state = guest.talk.state(guest.paired);
    return { text: describe(state), json: statusJson(state).status };
  };
  const first = await guest.untilStatus("a status", () => true);
  assert.ok(told().text.includes(`  image     ${name}, slot a\n`), told().text);
  assert.deepEqual([told().json?.image, told().json?.slot], [name, "a"]);

  // As flash that lost a bit: QEMU reads it anew at the next start. A is at the beginning.
  const slots = await open(join(guest.camera.directory, "slots.bin"), "r+");
  const [bit] = (await slots.read(Buffer.alloc(1), 0, 1, 17)).buffer;
  await slots.write(Buffer.of((bit ?? 0) ^ 1), 0, 1, 17);
  await slots.close();
  await guest.console.run("reboot");
  await guest.console.see(/Bad Header Checksum/);
  await guest.untilStatus("one from slot B", ({ boot }) => boot > first.boot);
  const { text, json } = told();
  assert.ok(
    text.includes(`  image     ${name}, slot b: slot a, which is tried first, did not start\n`),
    text,
  );
  assert.deepEqual([json?.image, json?.slot], [name, "b"]);
});

test("no header at all, as in erased flash: slot B starts", async (t) => {
  const machine = await Machine.start(t, { a: Buffer.alloc(HEADER_BYTES, 0xff) });
  await machine.see(/Wrong Image Type/);
  assert.equal(await startedFrom(machine), "b");
});

test("a spoilt byte of data: slot B starts", async (t) => {
  const slot = await developmentSlot();
  const machine = await Machine.start(t, { a: spoilt(slot, slot.length - 1000) });
  await machine.see(/Bad Data CRC/);
  assert.equal(await startedFrom(machine), "b");
});

test("garbage with a valid header and checksum: U-Boot resets, and tries it again and again", async (t) => {
  const data = Buffer.alloc(100_000, "garbage ");
  const a = uimage({
    name: "ocellus garbage",
    load_address: 0x80100000,
    entry_address: 0x80100000,
    data,
  });
  assert.equal(a.readUInt32BE(24), crc32(data));
  const machine = await Machine.start(t, { a });
  for (const _ of [1, 2, 3]) {
    await machine.see(/Image Name: +ocellus garbage/);
    await machine.see(/Verifying Checksum \.\.\. OK/);
    await machine.see(/Must RESET board to recover/);
  }
  assert.doesNotMatch(machine.output, /Linux version/);
});

test("a kernel that hangs at once is reset by the watchdog, which U-Boot has armed", async (t) => {
  // Jumps to itself.
  const loop = Buffer.from("ffff001000000000", "hex");
  const data = execFileSync("xz", ["--format=lzma", "--stdout"], { input: loop });
  const address = { load_address: 0x80100000, entry_address: 0x80100000 };
  const machine = await Machine.start(t, { a: uimage({ name: "ocellus loop", ...address, data }) });
  await machine.see(/Image Name: +ocellus loop/);
  const begun_ms = Date.now();
  await machine.see(/U-Boot 2025\.01 /);
  t.diagnostic(`reset after ${((Date.now() - begun_ms) / 1000).toFixed(1)} s`);
});

test("both slots spoilt: U-Boot resets and tries again, and does not stop at its prompt", async (t) => {
  const empty = Buffer.alloc(HEADER_BYTES, 0xff);
  const machine = await Machine.start(t, { a: empty, b: empty });
  for (const _ of [1, 2]) {
    await machine.see(/Wrong Image Type/);
    await machine.see(/Wrong Image Type/);
    await machine.see(/U-Boot 2025\.01 /);
  }
  assert.doesNotMatch(machine.output, /maltael #/);
});

test("a slot that cannot be read is not started from what an earlier read left in memory", async (t) => {
  const machine = await Machine.start(t);
  await machine.stopAutoboot();
  const script = await machine.uboot("printenv start");
  assert.match(script, /ide read 81000000 0 1c20 && bootm 81000000; else/);
  assert.match(script, /ide read 81000000 2000 1c20 && bootm 81000000; fi/);
  assert.match(await machine.uboot("ide read 81000000 0 1c20"), /7200 blocks read: OK/);
  // As the script does it, from beyond the end of the disk.
  const said = await machine.uboot("ide read 81000000 100000 1c20 && bootm 81000000");
  assert.match(said, /blocks read: ERROR/);
  assert.doesNotMatch(said, /Booting kernel/);
  // It is there: without asking whether it could be read, it would have been started.
  assert.match(await machine.uboot("iminfo 81000000"), /Verifying Checksum \.\.\. OK/);
});
