/** What of the supervisor is pure: when programs are started and killed, lines, reasons, and a lease's routes. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Program } from "../native/support/programs.ts";

const S = 1_000_000;
const hex = (text: string | Uint8Array) => Buffer.from(text).toString("hex");

/** Says each line and demands its answer. */
async function dialogue(t: TestContext, ...lines: [string, string | number][]): Promise<void> {
  const program = await Program.start(t, "asan", "supervise_pure");
  for (const [i, [line, answer]] of lines.entries())
    assert.equal(await program.ask(line), String(answer), `${i}: ${line}`);
}

test("what fails is started again after 0.5 s, doubled to 30 s, and never given up", async (t) => {
  const program = await Program.start(t, "asan", "supervise_pure");
  const ask = (line: string) => program.ask(line);
  await ask("care 0 power");
  let now = 0;
  const waits: number[] = [];
  for (let i = 0; i < 12; i++) {
    assert.equal(await ask("step"), "start");
    assert.equal(await ask("step"), "nothing");
    assert.equal(await ask("due"), "never");
    now += S;
    await ask(`at ${now}`);
    const wait = Number(await ask("ended status-1"));
    waits.push(wait);
    assert.equal(await ask("reason"), "crash: status-1");
    assert.equal(Number(await ask("due")), now + wait);
    await ask(`at ${now + wait - 1}`);
    assert.equal(await ask("step"), "nothing");
    now += wait;
    await ask(`at ${now}`);
  }
  const seconds = [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30];
  assert.deepEqual(
    waits,
    seconds.map((s) => s * S),
  );
});

test("after a minute of health the next failure counts as the first", (t) =>
  dialogue(
    t,
    ["care 0 power", "ok"],
    ["step", "start"],
    ["ended a", 0.5 * S],
    [`at ${0.5 * S}`, "ok"],
    ["step", "start"],
    [`at ${60.5 * S - 1}`, "ok"],
    ["ended b", S],
    [`at ${61.5 * S}`, "ok"],
    ["step", "start"],
    [`at ${121.5 * S}`, "ok"],
    ["ended c", 0.5 * S],
  ));

test("no sign of life for 20 s is a hang, though not in the first minute; the reason is kept", (t) =>
  dialogue(
    t,
    ["at 5", "ok"],
    ["care 1 power", "ok"],
    ["step", "start"],
    ["due", 60 * S + 5],
    [`at ${10 * S}`, "ok"],
    ["sign", "ok"],
    ["due", 60 * S + 5],
    [`at ${55 * S}`, "ok"],
    ["sign", "ok"],
    ["due", 75 * S],
    [`at ${75 * S - 1}`, "ok"],
    ["step", "nothing"],
    [`at ${75 * S}`, "ok"],
    ["step", "terminate"],
    ["step", "nothing"],
    ["due", 83 * S],
    ["reason", "hung: no sign of life for 20 s"],
    [`at ${83 * S}`, "ok"],
    ["step", "kill"],
    ["step", "nothing"],
    ["due", "never"],
    ["ended killed", 0.5 * S],
    ["reason", "hung: no sign of life for 20 s"],
    [`at ${83.5 * S}`, "ok"],
    ["step", "start"],
    ["due", 143.5 * S],
    ["ended again", S],
    ["reason", "crash: again"],
  ));

test("stopping: SIGTERM, SIGKILL after 8 s, and no start any more", (t) =>
  dialogue(
    t,
    ["care 1 power", "ok"],
    ["step", "start"],
    ["stop", "terminate"],
    ["stop", "nothing"],
    ["over", 0],
    [`at ${8 * S - 1}`, "ok"],
    ["step", "nothing"],
    [`at ${8 * S}`, "ok"],
    ["step", "kill"],
    ["ended killed", 0],
    ["over", 1],
    ["step", "nothing"],
    ["due", "never"],
    ["care 0 power", "ok"],
    ["step", "start"],
    ["ended x", 0.5 * S],
    ["stop", "nothing"],
    ["over", 1],
    ["step", "nothing"],
  ));

test("one that is of no use gets a minute, is ended once, and starts again for the given reason", (t) =>
  dialogue(
    t,
    ["care 0 power", "ok"],
    ["useless early", "nothing"],
    ["reason", "power"],
    ["step", "start"],
    [`at ${60 * S - 1}`, "ok"],
    ["useless early", "nothing"],
    [`at ${60 * S}`, "ok"],
    ["useless because", "terminate"],
    ["useless other", "nothing"],
    ["due", 68 * S],
    [`at ${68 * S}`, "ok"],
    ["step", "kill"],
    ["useless other", "nothing"],
    ["ended killed", 0.5 * S],
    ["useless other", "nothing"],
    ["reason", "because"],
    [`at ${68.5 * S}`, "ok"],
    ["step", "start"],
    ["ended x", S],
    ["reason", "crash: x"],
  ));

test("one that stays of no use is started again ever more rarely, down to once an hour; use makes it a minute again", async (t) => {
  const program = await Program.start(t, "asan", "supervise_pure");
  const ask = (line: string) => program.ask(line);
  await ask("care 0 power");
  let now = 0;
  const restart = async () => {
    assert.equal(await ask("step"), "start");
    for (let s = 1; ; s++) {
      await ask(`at ${now + s * S}`);
      if ((await ask("useless because")) === "nothing") continue;
      now += s * S + Number(await ask("ended killed"));
      await ask(`at ${now}`);
      return s;
    }
  };
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) waits.push(await restart());
  assert.deepEqual(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
  await ask("useful");
  assert.equal(await restart(), 60);
  assert.equal(await restart(), 120);
});

test("stopping while one of no use ends: no start any more", (t) =>
  dialogue(
    t,
    ["care 0 power", "ok"],
    ["step", "start"],
    [`at ${60 * S}`, "ok"],
    ["useless because", "terminate"],
    ["stop", "nothing"],
    [`at ${68 * S}`, "ok"],
    ["step", "kill"],
    ["ended killed", 0],
    ["over", 1],
  ));

test("lines: cut at 1,000 bytes, printable, joined over reads, none empty", (t) =>
  dialogue(
    t,
    ["at 1", "ok"],
    [`take ${hex("one\ntw")}`, "one"],
    [`take ${hex("o\r\n\n\nthree")}`, "two"],
    ["end", "three"],
    ["end", ""],
    [`take ${hex("a\u0000b\tc\u001b[31m\u007f\xe9\n")}`, "a?b?c?[31m?\xe9"],
    [`take ${hex("x".repeat(3000))}`, ""],
    [`take ${hex(`${"x".repeat(3000)}\nnext\n`)}`, `${"x".repeat(1000)}|next`],
  ));

test("a flood is cut to 12 KiB at once and 56 bytes a second, and told", async (t) => {
  const program = await Program.start(t, "asan", "supervise_pure");
  const lines = async (n: number) => {
    const answer = await program.ask(`take ${hex("x\n".repeat(n))}`);
    return answer === "" ? [] : answer.split("|");
  };
  await program.ask("at 1000000");
  // Each counts 65 bytes.
  assert.equal((await lines(189)).length, 189);
  assert.equal((await lines(1000)).length, 0);
  await program.ask("at 6000000");
  const later = await lines(100);
  assert.deepEqual(later, ["(1000 lines were left out)", ...Array(4).fill("x")]);
  assert.equal(await program.ask("end"), "(96 lines were left out)");
  await program.ask("at 3600000000");
  assert.equal((await lines(1000)).length, 189);
});

test("long lines use up the same budget: a flood of them needs a quarter of an hour for two files of 32 KiB", async (t) => {
  const program = await Program.start(t, "asan", "supervise_pure");
  let [bytes, s] = [0, 1];
  for (; bytes < 2 * 32_768; s++) {
    await program.ask(`at ${s * S}`);
    const answer = await program.ask(`take ${hex(`${"x".repeat(1000)}\n`.repeat(2))}`);
    bytes += answer.length;
  }
  assert.ok(s > 900, `${bytes} bytes within ${s} s`);
});

const PANIC = [
  "Panic#2 Part1",
  "<4>[  100.000000] epc   : 80100400 do_one_initcall",
  "<0>[  100.100000] Kernel panic - not syncing: Fatal exception in interrupt",
  "<0>[  100.200000] Rebooting in 5 seconds..",
  "",
].join("\n");

test("a dump tells the panic, or else the oops", (t) =>
  dialogue(
    t,
    [`dump ${hex(PANIC)}`, "Fatal exception in interrupt"],
    [`dump ${hex("Oops#1 Part1\n<4>[    9.000000] Oops[#1]:\n<4>[    9.1] Cpu 0\n")}`, "Oops[#1]:"],
    [`dump ${hex("Kernel panic - not syncing: \u0001\u00ff")}`, "???"],
    [`dump ${hex("nothing of the kind")}`, "nothing"],
    [`dump ${hex("Kernel panic - not syncing: ".padEnd(4000, "p"))}`, "p".repeat(199)],
  ));

test("the start's reason: a panic before our own last word, that before the watchdog, that before power", (t) => {
  const console_ = (...lines: string[]) => hex(`${lines.join("\n")}\n`);
  const orderly = console_(
    "ut of a line",
    "[   12.000000] agent info all is well",
    "[   13.000000] supervise next start: reboot command",
    "[   13.100000] reboot: Restarting system",
  );
  const spoofed = console_("[   12.000000] agent supervise next start: reboot command");
  const silent = "supervise next start: watchdog reset: the agent gave no sign of life";
  return dialogue(
    t,
    ["start - 0 -", "power"],
    ["start - 1 -", "watchdog reset"],
    ["start - ? -", "power"],
    [
      `start - ? ${spoofed}`,
      "watchdog reset or a short loss of power: the log before it breaks off",
    ],
    [`start - ? ${hex("[   13.100000] reboot: Restarting system\n")}`, "restart"],
    [
      `start - ? ${hex("[   13.100000] agent reboot: Restarting system\n")}`,
      "watchdog reset or a short loss of power: the log before it breaks off",
    ],
    [`start - ? ${orderly}`, "reboot command"],
    [`start Oops ? ${orderly}`, "kernel panic: Oops"],
    [`start - 1 ${orderly}`, "reboot command"],
    [`start - 0 ${orderly}`, "reboot command"],
    [`start Oops 1 ${orderly}`, "kernel panic: Oops"],
    [`start - 0 ${spoofed}`, "power"],
    [`start - 1 ${console_("cut", silent)}`, "watchdog reset: the agent gave no sign of life"],
    // The tail of a longer log: its first line may be the end of another, "agent supervise next start: …".
    [`start - 0 ${console_(silent, "[   12.000000] agent info all is well")}`, "power"],
    [
      `start - 0 ${console_("cut", `<2>[    1.0] ${silent}`, "<2>[ 2.0] supervise next start: ")}`,
      "power",
    ],
    [`start - 0 ${hex(new Uint8Array([0xff, 0, 0x5b, 0x0a, 0x3c]))}`, "power"],
  );
});

test("default routes of an interface are found in /proc/net/route", (t) => {
  const route = (line: string) => hex(line);
  return dialogue(
    t,
    [
      `route eth0 ${route("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask")}`,
      "none",
    ],
    [
      `route eth0 ${route("eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0")}`,
      "10.0.2.2",
    ],
    [`route eth1 ${route("eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0")}`, "none"],
    [`route eth0 ${route("eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0")}`, "none"],
  );
});
