/** The watchdog, and why the machine was started. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { scratch } from "../host/support/camera.ts";
import { Supervised } from "./supervised.ts";

/**
 * A pipe that stands for the watchdog's device, and the file of what it was fed. Whoever closes it, be it by his end, feeds it
 * too, as Linux's watchdog_release does where the watchdog cannot be stopped.
 */
function makeWatchdog(t: TestContext): { path: string; fed: () => number; bytes: () => Buffer } {
  const directory = scratch(t);
  const [path, fed] = [join(directory, "watchdog"), join(directory, "fed")];
  execFileSync("mkfifo", [path]);
  writeFileSync(fed, "");
  const device = `while :; do cat "$0" >>"$1"; printf '\\0' >>"$1"; done`;
  const child = spawn("/bin/sh", ["-c", device, path, fed], { stdio: "ignore", detached: true });
  t.after(() => process.kill(-(child.pid ?? 0), "SIGKILL"));
  return { path, fed: () => statSync(fed).size, bytes: () => readFileSync(fed) };
}

/** A directory as pstore shows it. */
function makePstore(t: TestContext, files: Readonly<Record<string, string | Uint8Array>>): string {
  const directory = join(scratch(t), "pstore");
  mkdirSync(directory);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

test("the watchdog is fed while the agent lives, and some time longer, and never disarmed", async (t) => {
  const watchdog = makeWatchdog(t);
  const supervised = await Supervised.start(t, {
    times: { silence: 1_000 },
    args: ["--watchdog", watchdog.path, "--watchdog-timeout-s", "1"],
    agent: "echo up >&2; while :; do [ -e silent ] || printf . >&3; sleep 0.05; done",
  });
  const fedBy = async (more: number) => {
    const before = watchdog.fed();
    await supervised.until(`${more} feeds`, () => watchdog.fed() >= before + more);
  };
  await supervised.said(/agent up/);
  await fedBy(8);
  writeFileSync(join(supervised.directory, "silent"), "");
  await supervised.said(/supervise next start: watchdog reset: the agent gave no sign of life\n/);
  const starved = watchdog.fed();
  await sleep(1_500);
  assert.equal(watchdog.fed(), starved, "let it bite");
  rmSync(join(supervised.directory, "silent"));
  await fedBy(4);
  assert.match(supervised.log, /supervise next start: \n/);
  await supervised.stop();
  assert.ok(
    watchdog.bytes().every((byte) => byte === 0),
    "no V, which would disarm it",
  );
});

test("supervisors that end again and again, each of which feeds the watchdog by its end, restart the machine once the agent was silent for too long", async (t) => {
  const watchdog = makeWatchdog(t);
  const kmsg = join(scratch(t), "kmsg");
  writeFileSync(kmsg, "");
  const given = {
    ...{ run: join(scratch(t), "run"), times: { silence: 3_000 } },
    ...{ agent: "exec sleep 1000", encoder: "exec sleep 1000" },
    args: ["--watchdog", watchdog.path, "--watchdog-timeout-s", "1", "--kmsg", kmsg],
  };
  const begun = performance.now();
  let fed = 0;
  for (let starts = 1; ; starts++) {
    const said = readFileSync(kmsg, "utf8").length;
    const supervised = await Supervised.start(t, given);
    await supervised.until("a start, or the machine's", () => {
      const now = readFileSync(kmsg, "utf8").slice(said);
      return /encoder started/.test(now) || existsSync(supervised.restarted);
    });
    if (existsSync(supervised.restarted)) break;
    await supervised.kill();
    const before = fed;
    await supervised.until("feeding by its end", () => watchdog.fed() > before);
    fed = watchdog.fed();
    assert.ok(performance.now() - begun < 60_000, `${starts} starts, each of which fed it anew`);
  }
  assert.ok(performance.now() - begun >= 3_000);
  assert.match(
    readFileSync(kmsg, "utf8"),
    /<10>supervise next start: restart by the supervisor: it ended, and the agent gave no sign of life\n$/,
  );
});

test("a machine that should be restarted and cannot be is fed no more", async (t) => {
  const watchdog = makeWatchdog(t);
  const given = {
    ...{ run: join(scratch(t), "run"), times: { silence: 1_000 } },
    ...{ agent: "echo up >&2; exec sleep 1000", env: { OCELLUS_RESTARTED: "/nowhere/file" } },
    args: ["--watchdog", watchdog.path, "--watchdog-timeout-s", "1"],
  };
  const first = await Supervised.start(t, given);
  await first.said(/agent up/);
  await sleep(1_500);
  await first.kill();
  const next = await Supervised.start(t, given);
  await next.said(/agent up/);
  assert.match(next.log, /the machine does not restart: .*; the watchdog is fed no more\n/);
  const starved = watchdog.fed();
  await sleep(1_500);
  assert.equal(watchdog.fed(), starved, "let it bite");
});

test("without a watchdog the camera runs and says so", async (t) => {
  const supervised = await Supervised.start(t, { args: ["--watchdog", "/nowhere/watchdog"] });
  await supervised.said(/agent up/);
  assert.match(supervised.log, /the watchdog \/nowhere\/watchdog cannot be opened: No such file/);
  await supervised.stop();
});

const CONSOLE = [
  "[   12.000000] agent info all is well",
  "[   13.000000] supervise next start: reboot command",
  "[   13.100000] reboot: Restarting system",
];
const DUMP = "<0>[  100.1] Kernel panic - not syncing: Fatal exception";

for (const [reason, files] of [
  ["power", {}],
  ["power", { "console-ramoops-0": "[    1.000000] agent info and then nothing\n" }],
  ["reboot command", { "console-ramoops-0": `${CONSOLE.join("\n")}\n` }],
  // Linux 3.10 numbers no console.
  ["reboot command", { "console-ramoops": `${CONSOLE.join("\n")}\n` }],
  [
    "kernel panic: Fatal exception",
    {
      "console-ramoops-0": `${CONSOLE.join("\n")}\n`,
      "dmesg-ramoops-0": "Oops#1 Part1\n<4>[  100.0] Oops[#1]:\n",
      "dmesg-ramoops-1": `Panic#2 Part1\n${DUMP}\n`,
    },
  ],
  ["kernel panic: Oops[#1]:", { "dmesg-ramoops-0": "Oops#1 Part1\n<4>[  100.0] Oops[#1]:\n" }],
  ["power", { "dmesg-ramoops-0": new Uint8Array(70_000).fill(255), "other-file": DUMP }],
] satisfies [string, Record<string, string | Uint8Array>][])
  test(`pstore with ${Object.keys(files).join(", ") || "nothing"}: ${reason}`, async (t) => {
    const pstore = makePstore(t, files);
    const given = { args: ["--pstore", pstore], agent: `echo "why: $3" >&2; exec sleep 1000` };
    const supervised = await Supervised.start(t, given);
    await supervised.said(/agent why: /);
    await supervised.kill();
    assert.ok(supervised.log.includes(`agent why: ${reason}\n`), supervised.log);
    const kept = Object.keys(files).filter((name) => !name.startsWith("dmesg-"));
    assert.deepEqual(readdirSync(pstore).sort(), kept, "only dumps are erased once they are read");
    const next = await Supervised.start(t, { ...given, run: supervised.run });
    await next.said(/agent why: crash: the supervisor ended\n/);
  });

test("the end of the last boot's log is kept, whole lines, printable", async (t) => {
  const lines = Array.from({ length: 1_000 }, (_, i) => `[ ${i}.000000] a line of the kernel`);
  const noise = new Uint8Array([0x1b, 0x5b, 0x00, 0xff, 0x0a]);
  const console_ = Buffer.concat([Buffer.from(`${lines.join("\n")}\n`), noise]);
  const pstore = makePstore(t, { "console-ramoops-0": console_ });
  const supervised = await Supervised.start(t, { args: ["--pstore", pstore] });
  await supervised.said(/agent up/);
  const before = supervised.file("log.before").split("\n");
  assert.deepEqual(before.splice(-2), ["?[??", ""]);
  assert.deepEqual(before, lines.slice(-before.length));
  const { size } = statSync(join(supervised.run, "log.before"));
  assert.ok(size <= 16_384 && size > 16_384 - 60, `${size}`);
  await supervised.stop();
});

test("a pstore that is not there is told, and the start goes on", async (t) => {
  const supervised = await Supervised.start(t, { args: ["--pstore", "/nowhere/pstore"] });
  await supervised.said(/agent up/);
  assert.match(supervised.log, /in \/nowhere\/pstore cannot be read: No such file/);
  assert.match(supervised.log, /this start's reason: power/);
  await supervised.stop();
});

test("what the watchdog's device says of itself is heeded", async (t) => {
  const library = join(scratch(t), "watchdog_ioctl.so");
  const source = join(import.meta.dirname, "watchdog_ioctl.c");
  execFileSync("gcc", ["-shared", "-fPIC", "-o", library, source]);
  for (const [longest, told] of [
    ["60", /^(?!.*timeout cannot be set)/s],
    ["30", /timeout cannot be set to 60 s: Invalid argument; it is taken for 30 s/],
  ] as const) {
    const watchdog = makeWatchdog(t);
    const supervised = await Supervised.start(t, {
      ...{ variant: "host", args: ["--watchdog", watchdog.path] },
      env: { LD_PRELOAD: library, WATCHDOG_LONGEST_S: longest },
    });
    await supervised.said(/agent up/);
    assert.match(supervised.log, /this start's reason: watchdog reset/);
    assert.match(supervised.log, told);
    await supervised.stop();
  }
  // One that cannot know: a log that breaks off tells it.
  const broken = makePstore(t, {
    "console-ramoops-0": "[    1.000000] agent info and then nothing\n",
  });
  for (const [pstore, reason] of [
    [broken, "watchdog reset or a short loss of power: the log before it breaks off"],
    [makePstore(t, {}), "power"],
  ] as const) {
    const supervised = await Supervised.start(t, {
      ...{ variant: "host", args: ["--watchdog", makeWatchdog(t).path, "--pstore", pstore] },
      env: { LD_PRELOAD: library, WATCHDOG_LONGEST_S: "60", WATCHDOG_MUTE: "1" },
    });
    await supervised.said(/agent up/);
    assert.ok(supervised.log.includes(`this start's reason: ${reason}\n`), supervised.log);
    await supervised.stop();
  }
});
