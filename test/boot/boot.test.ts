/**
 * The emulated camera boots: real U-Boot, real Linux and the development image, looked at through the serial console.
 * One machine for all questions to a running system, since each start takes seconds.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findPartition } from "../../scripts/board/flash.mjs";
import { Station } from "../../scripts/emulator/lan.ts";
import { scan } from "../../scripts/emulator/scan.ts";
import { firmware, Machine } from "./support/machine.ts";

const hex = (number: number) => number.toString(16).padStart(8, "0");

/** /proc/net: local addresses of sockets that wait to be spoken to, TCP in state LISTEN and any UDP. */
async function listening(machine: Machine): Promise<string[]> {
  const rows = await machine.ask("cat /proc/net/tcp /proc/net/udp /proc/net/raw");
  return rows
    .split("\n")
    .map((row) => row.trim().split(/\s+/))
    .filter(([number]) => /^\d+:$/.test(number ?? ""))
    .filter(([, , , state]) => state === "0A" || state === "07")
    .map(([, address]) => address ?? "");
}

/** Inodes of packet sockets: the first column is a number where there is one. */
async function packetSockets(machine: Machine): Promise<string[]> {
  const rows = (await machine.ask("cat /proc/net/packet")).trim().split("\n").slice(1);
  return rows.map((row) => row.trim().split(/\s+/).at(-1) ?? "");
}

/** Without a DHCP server there is one packet socket, and it is the DHCP client's. It ends once there is one. */
async function assertOneAsks(machine: Machine): Promise<void> {
  await machine.plug(false);
  await machine.ask("killall udhcpc; until [ ! -e /run/resolv.conf ]; do sleep 1; done");
  await machine.ask("until [ $(grep -c . /proc/net/packet) -gt 1 ]; do sleep 1; done");
  const sockets = await packetSockets(machine);
  assert.equal(sockets.length, 1);
  const mine = `ls -l $p/fd | grep -q 'socket:.${sockets[0]}.' && cat $p/comm`;
  const owners = await machine.ask(`for p in /proc/[0-9]*; do ${mine}; done; true`);
  assert.equal(owners, "udhcpc\n");
  assert.deepEqual(await listening(machine), []);
  await machine.plug(true);
  await machine.ask("until grep -q nameserver /run/resolv.conf; do sleep 1; done");
  assert.deepEqual(await packetSockets(machine), []);
}

/** What fstab says holds for what is mounted, and where the agent and the encoder might write, nothing is executed. */
async function assertMounts(machine: Machine): Promise<void> {
  const rows = (text: string) =>
    text
      .trim()
      .split("\n")
      .filter((row) => !row.startsWith("#"))
      .map((row) => row.split(" "))
      .map(([, place = "", type = "", options = ""]) => ({ place, type, options }));
  const mounted = new Map(
    rows(await machine.ask("cat /proc/mounts")).map(({ place, type, options }) => [
      place,
      { type, options: options.split(",") },
    ]),
  );
  // This machine has no card.
  const wanted = rows(await machine.ask("cat /etc/fstab")).filter(({ type }) => type !== "vfat");
  for (const { place, type, options } of wanted) {
    const found = mounted.get(place);
    assert.equal(found?.type, type, place);
    for (const option of options.split(",").filter((each) => each !== "noauto"))
      assert.ok(found.options.includes(option.replace("mode=0", "mode=")), `${place}: ${option}`);
  }
  const places = wanted.map(({ place }) => place);
  assert.deepEqual([...mounted.keys()].sort(), ["/", "/config", ...places].sort());
  for (const [place, { options }] of mounted) {
    assert.ok(options.includes("ro") || options.includes("noexec"), `${place}: ${options}`);
    if (place !== "/")
      assert.ok(
        ["nosuid", "noexec"].every((each) => options.includes(each)),
        place,
      );
    if (place !== "/" && place !== "/dev") assert.ok(options.includes("nodev"), place);
  }
  assert.match(await machine.ask("ls -ld /run/encoder"), /^drwx--s--- /);
  const { status } = await machine.run("echo x >/written");
  assert.notEqual(status, 0);
}

/** Memory that runs out ends any program before the supervisor. */
async function assertKilledFirst(machine: Machine): Promise<void> {
  const each = 'echo "$(cat $p/comm) $(cat $p/oom_score_adj)"';
  await machine.ask("until grep -q ocellus-camera /proc/[0-9]*/comm; do sleep 1; done");
  const told = await machine.ask(`for p in /proc/[0-9]*; do ${each}; done 2>/dev/null`);
  const scores = told.trim().split("\n");
  assert.ok(scores.includes("ocellus-supervi -1000"), told);
  assert.ok(scores.includes("ocellus-camera 0"), told);
  // A process that has ended meanwhile has neither.
  const others = scores.filter((row) => !/^(ocellus-supervi -1000|.* 0|\s*)$/.test(row));
  assert.deepEqual(others, []);
}

const memoryAvailable = async (machine: Machine) =>
  Number(/^MemAvailable: +(\d+) kB$/m.exec(await machine.ask("cat /proc/meminfo"))?.[1]);

test("the camera boots to userland with what its board says, and keeps config and last messages over a warm restart", async (t) => {
  const started_ms = Date.now();
  const machine = await Machine.start(t);
  await machine.see(/U-Boot 2025\.01 /);
  await machine.see(/Freeing unused kernel image/);
  await machine.login();
  t.diagnostic(`power-on to a shell: ${((Date.now() - started_ms) / 1000).toFixed(1)} s`);

  const partitions = await machine.ask("cat /proc/mtd");
  for (const { erase_bytes, partitions: parts } of firmware.chips)
    for (const { name, offset_bytes, size_bytes } of parts) {
      const start = Number(offset_bytes);
      const place = [start, start + Number(size_bytes)].map((at) => `0x0000${hex(at)}`).join("-");
      assert.ok(machine.output.includes(`${place} : "${name}"`), `${name} at ${place}`);
      const row = `${hex(Number(size_bytes))} ${hex(Number(erase_bytes))} "${name}"`;
      assert.ok(partitions.includes(row), `${row} in:\n${partitions}`);
    }
  const mounts = await machine.ask("cat /proc/mounts");
  assert.match(mounts, /^mtd:config \/config jffs2 rw,nosuid,nodev,noexec,noatime/m);

  await assertMounts(machine);
  await assertKilledFirst(machine);

  const command = await machine.ask("cat /proc/cmdline");
  assert.match(command, / mem=64M ocellus\.slot=a$/m);
  assert.match(await machine.ask("ls -l /dev/watchdog /dev/watchdog0"), /^crw------- /m);
  assert.match(await machine.ask("cat /etc/ocellus-build"), /^ocellus \d+\.\d+\.\d+\+[0-9a-f]{8}/);
  // QEMU's clock starts in 1970, and nothing on a camera knows better.
  assert.equal(await machine.ask("date +%Y"), "1970\n");

  await machine.ask("until grep -q nameserver /run/resolv.conf; do sleep 1; done");
  assert.match(await machine.ask("ifconfig eth0"), /inet addr:10\.0\.2\.15 /);
  // Default route: destination 0, gateway 10.0.2.2.
  assert.match(await machine.ask("cat /proc/net/route"), /^eth0\s+00000000\s+0202000A/m);
  assert.deepEqual(await listening(machine), []);
  assert.deepEqual(await packetSockets(machine), []);
  await assertOneAsks(machine);
  // From another station of its network: what was started here, and nothing else. UDP's does not know what it is asked.
  await machine.ask("(nc -l -p 2323 &) ; (nc -u -l -p 3702 &)");
  const listens = "grep -q :0913 /proc/net/tcp && grep -q :0E76 /proc/net/udp";
  await machine.ask(`until ${listens}; do sleep 1; done`);
  const station = await Station.join(machine.chips.lan);
  t.after(() => station.close());
  const found = await scan(station, { signal: t.signal });
  assert.ok(found.asked > 65_535 + 1_000);
  assert.deepEqual(found.open, [{ protocol: "tcp", port: 2323 }]);
  assert.deepEqual(found.silent, [{ protocol: "udp", port: 3702 }]);
  const available_kb = await memoryAvailable(machine);
  t.diagnostic(`MemAvailable at mem=64M: ${available_kb} kB`);
  assert.ok(available_kb > 40_000, `${available_kb} kB`);

  const { physical_address, size_bytes } = firmware.memory.ramoops;
  const region = `ramoops: using 0x${Number(size_bytes).toString(16)}@0x${Number(physical_address).toString(16)}`;
  assert.ok(machine.output.includes(region), region);
  // What one program says at once is kept whole: ramoops has what the kernel's log has.
  const ten = "0 1 2 3 4 5 6 7 8 9";
  const lines = `for i in ${ten}; do for j in ${ten}; do echo "<14>flood $i$j"; done; done`;
  assert.equal(await machine.ask(`(${lines}) >/dev/kmsg; dmesg | grep -c flood`), "100\n");
  await machine.ask("echo kept >/config/test-file; echo '<0>said before the restart' >/dev/kmsg");
  await machine.run("reboot");
  await machine.see(/U-Boot 2025\.01 /);
  await machine.login();
  assert.equal(await machine.ask("cat /config/test-file"), "kept\n");
  const before = await machine.ask("cat /run/ocellus/log.before");
  assert.match(before, /said before the restart/);
  assert.match(before, /Freeing unused kernel image/, "also of before the supervisor came");

  // JFFS2 has written it once sync has returned.
  await machine.ask("echo written >/config/test-file; sync");
  const again = await machine.powerCycle();
  await again.login();
  assert.equal(await again.ask("cat /config/test-file"), "written\n");
});

test("a release image can be stopped by no key and has nobody at its console, and listens on no port", async (t) => {
  const machine = await Machine.start(t, { image: "release" });
  const keys = setInterval(() => machine.type(" \r\u0003"), 20);
  t.after(() => clearInterval(keys));
  await machine.see(/ocellus-dhcp: eth0: \S+, router/);
  clearInterval(keys);
  // Nothing can look into it: what listens is found from another station of its network.
  const station = await Station.join(machine.chips.lan);
  t.after(() => station.close());
  const { asked, open, silent } = await scan(station, { signal: t.signal });
  assert.ok(asked > 65_535 + 1_000);
  assert.deepEqual([open, silent], [[], []]);
  assert.doesNotMatch(machine.output, /autoboot|maltael|built-in shell|login/);
});

test("a userland that never starts the supervisor is reset by the watchdog, which runs by itself", async (t) => {
  const machine = await Machine.start(t);
  await machine.stopAutoboot();
  await machine.uboot(`setenv linux_arguments "\${linux_arguments} rdinit=/bin/sh"`);
  machine.type("run bootcmd\n");
  await machine.see(/built-in shell \(ash\)/);
  const begun_ms = Date.now();
  await machine.see(/U-Boot 2025\.01 /);
  t.diagnostic(`reset after ${((Date.now() - begun_ms) / 1000).toFixed(1)} s`);
});

test("it boots with mem=38M, from an environment in the flash", async (t) => {
  const machine = await Machine.start(t, { mem_bytes: Number(firmware.memory.mem_least_bytes) });
  await machine.see(/Loading Environment from Flash\.\.\. OK/);
  await machine.login();
  assert.match(await machine.ask("cat /proc/cmdline"), / mem=38M ocellus\.slot=a$/m);
  const available_kb = await memoryAvailable(machine);
  t.diagnostic(`MemAvailable at mem=38M: ${available_kb} kB`);
  assert.ok(available_kb > 16_000, `${available_kb} kB`);
});

test("the erase blocks of the flash are as the board says for U-Boot too", async (t) => {
  const machine = await Machine.start(t);
  const { chip } = findPartition(firmware, "u-boot");
  await machine.stopAutoboot();
  const said = await machine.uboot("flinfo");
  const blocks = Number(chip.size_bytes) / Number(chip.erase_bytes);
  assert.match(said, new RegExp(`Size: 4 MB in ${blocks} Sectors`));
  const starts = [...said.matchAll(/\b(BE[0-9A-F]{6})\b/g)].map(([, address]) => address);
  assert.equal(starts.length, blocks);
  assert.equal(starts[1], "BE010000");
});
