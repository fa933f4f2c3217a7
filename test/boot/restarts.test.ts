/**
 * Restarts of the machine, asked for and not, and that the next start says why: in the signed status, and in the log of the boot
 * before, which the owner reads. One machine for all.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Guest } from "./support/guest.ts";

/** A command that the kernel's log shows, and so the next boot's log of the one before. */
const say = (words: string) => `echo '<13>${words}' >/dev/kmsg`;

test("reboot by the owner, a kernel panic, a hung userland, no power: the next start's status says which, and its log what came before", async (t) => {
  const guest = await Guest.start(t);
  const first = await guest.untilStatus("a status", ({ secret }) => secret.streams.length > 0);
  assert.equal(first.secret.startReason, "power");

  // In order: config is read-only before the machine restarts.
  await guest.ask(say("words before the reboot"));
  await guest.ask("echo unsynced >/config/test-file");
  await guest.send({ action: "reboot", reboot: {} });
  const ordered = await guest.nextStart(first);
  assert.equal(ordered.secret.startReason, "reboot command");
  assert.deepEqual(guest.resets, ["RESET"]);
  const beforeIt = await guest.log();
  assert.match(beforeIt, /words before the reboot\n/);
  assert.match(
    beforeIt,
    /supervise next start: reboot command\n(.*\n)*.*supervise \/config is read-only now\n(.*\n)*.*reboot: Restarting system\n/,
  );
  assert.doesNotMatch(beforeIt, /stays writable/);
  assert.equal(await guest.ask("cat /config/test-file"), "unsynced\n");

  // Its owner still reads all of it once this boot has said more than an answer holds.
  const ten = "0 1 2 3 4 5 6 7 8 9";
  const lines = `for i in ${ten}; do for j in ${ten}; do for k in 0 1 2 3; do echo "1.000000 info said by this boot: $i$j$k"; done; done; done`;
  await guest.ask(`(${lines}) >>/run/ocellus/log`);
  const count = (text: string) => text.split("words before the reboot\n").length - 1;
  assert.equal(count(await guest.log()), 0);
  const all = await guest.wholeLog();
  assert.equal(count(all), count(beforeIt));
  assert.ok(all.indexOf("words before the reboot\n") < all.indexOf("said by this boot: 000\n"));
  const said = [...all.matchAll(/ said by this boot: (\d+)\n/g)].map(([, which]) => which);
  const expected = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, "0"));
  assert.deepEqual(
    said,
    expected.flatMap((ij) => ["0", "1", "2", "3"].map((k) => `${ij}${k}`)),
  );

  await guest.ask(say("words before the panic"));
  guest.machine.type("echo c >/proc/sysrq-trigger\n");
  const panicked = await guest.nextStart(ordered);
  assert.equal(panicked.secret.startReason, "kernel panic: sysrq triggered crash");
  assert.deepEqual(guest.resets, ["RESET", "RESET"]);
  assert.match(await guest.log(), /words before the panic\n(.*\n)*.*Kernel panic - not syncing: /);

  // All but init and the kernel: what is to feed the watchdog stands still.
  await guest.ask(say("words before the hang"));
  guest.machine.type("kill -STOP -1\n");
  const hung = await guest.nextStart(panicked);
  assert.match(hung.secret.startReason, /^watchdog reset/);
  assert.deepEqual(guest.resets, ["RESET", "RESET", "WATCHDOG", "RESET"]);
  assert.match(await guest.log(), /words before the hang\n/);

  await guest.ask(say("words before the power went"));
  await guest.camera.stop();
  await guest.camera.start();
  const cold = await guest.nextStart(hung);
  assert.equal(cold.secret.startReason, "power");
  assert.doesNotMatch(await guest.log(), /words before/);
});
