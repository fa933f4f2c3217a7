/** The log that the supervisor keeps, and programs that write what they should not. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AGENT } from "../../scripts/camera/accounts.ts";
import { isRoot, scratch } from "../host/support/camera.ts";
import { LIVES, RUNS, Supervised } from "./supervised.ts";

/** A line of the log, of whomever. */
const LINE = /^\d+\.\d{6} (agent|encoder|supervise) .*$/;

test("lines of all three, with their times, in two files of 32 KiB that the agent's group may read", async (t) => {
  const first = await Supervised.start(t);
  await first.said(/agent up/);
  await first.stop();
  const { run } = first;
  // No program may write so much at once.
  const before = "1.000000 supervise of the one before\n".repeat(840);
  appendFileSync(join(run, "log"), before);
  const supervised = await Supervised.start(t, {
    run,
    agent: `echo '12.000345 info my own time' >&2; ${LIVES}`,
    encoder: `i=0; while [ $i -lt 100 ]; do echo "line $i $(printf %0900d 0)"; i=$((i+1)); done; ${RUNS}`,
  });
  await supervised.said(/encoder runs/);
  await supervised.said(/agent up/);
  await supervised.stop();
  assert.match(supervised.log, /^12\.000345 agent info my own time$/m);
  const [log, older] = [supervised.file("log"), supervised.file("log.1")];
  for (const [name, text] of [
    ["log", log],
    ["log.1", older],
  ] as const) {
    const stat = statSync(join(supervised.run, name));
    assert.ok(text.length <= 32_768 && text.length > 0, `${name}: ${text.length}`);
    assert.equal(stat.mode & 0o777, 0o640);
    assert.deepEqual(
      [stat.uid, stat.gid],
      isRoot ? [0, AGENT.gid] : [process.getuid?.(), process.getgid?.()],
    );
    for (const line of text.trimEnd().split("\n")) assert.match(line, LINE);
  }
  assert.ok(older.length > 32_768 - 1_100, "rotated when full");
  assert.equal(older + log, first.log + before + supervised.log, "in order, nothing missing");
  const stat = statSync(supervised.run);
  assert.equal(stat.mode & 0o777, 0o751);
});

test("a directory that is there already is used, and its log gone on with", async (t) => {
  const run = join(scratch(t), "run");
  mkdirSync(run);
  writeFileSync(join(run, "log"), "1.000000 supervise of the one before\n", { mode: 0o640 });
  const supervised = await Supervised.start(t, { run });
  await supervised.said(/agent up/);
  assert.match(
    supervised.file("log"),
    /^1\.000000 supervise of the one before\n\d+\.\d{6} supervise/,
  );
  await supervised.stop();
});

test("without a place for log files the camera runs and says so", async (t) => {
  const run = join(scratch(t), "file");
  writeFileSync(run, "");
  const supervised = await Supervised.start(t, { run });
  await supervised.said(/agent up/);
  assert.match(supervised.log, /there are no log files in .*: Not a directory/);
  await supervised.stop();
});

for (const [what, script, expected] of [
  ["a flood of lines", "exec yes flood", /encoder \(\d+ lines were left out\)\n/],
  [
    "a line of 1 MB",
    "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo after; exec sleep 1000",
    /encoder x{1000}\n[\d.]+ encoder after\n/,
  ],
  ["binary bytes without end", "exec cat /dev/urandom", /encoder \(\d+ lines were left out\)\n/],
  [
    "control characters",
    "printf 'a\\033[2J\\000b\\r\\n'; echo after; exec sleep 1000",
    /encoder a\?\[2J\?b\n(?:[\d.]+ agent .*\n)*[\d.]+ encoder after\n/,
  ],
  ["closed outputs", "exec >&- 2>&-; sleep 0.2; kill -9 $$", /encoder ended: killed by SIGKILL/],
] as const)
  for (const variant of ["host", "asan"] as const)
    test(`${what}: bounded, and nobody else is disturbed (${variant})`, async (t) => {
      const watchdog = join(scratch(t), "watchdog");
      writeFileSync(watchdog, "");
      const supervised = await Supervised.start(t, {
        ...{ variant, args: ["--watchdog", watchdog, "--watchdog-timeout-s", "1"] },
        agent: `i=0; while :; do i=$((i+1)); echo "beat $i" >&2; printf . >&3; sleep 0.1; done`,
        encoder: script,
      });
      await supervised.said(expected);
      const fed = statSync(watchdog).size;
      await supervised.until("feeding", () => statSync(watchdog).size > fed + 4);
      await supervised.said(/agent beat 20\n/);
      supervised.child.kill("SIGTERM");
      await supervised.ended(0);
      assert.doesNotMatch(supervised.log, /agent is killed/);
      for (const name of ["log", "log.1"]) assert.ok(supervised.file(name).length <= 32_768);
      for (const line of supervised.file("log").trimEnd().split("\n")) {
        assert.match(line, LINE);
        assert.ok(line.length < 1_100);
      }
    });
