/** `ocellus run`: the emulated camera in QEMU with a real cloud, from its first start on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../scripts/cloud/ports.ts";
import { packets } from "../owner/support/ffmpeg.ts";
import { assertSentence, json, ocellus, type Running, start, succeeds } from "./support/ocellus.ts";
import { findProcesses, processesOf } from "./support/processes.ts";
import { until } from "./support/until.ts";

/** Bounds what takes a few seconds on a machine that is not busy. */
const PATIENCE_MS = 240_000;
const STORED = /s {2}first sealed segment in the store$/m;

/** Where runs of a test keep everything, and what they are started with. */
async function place(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "ocellus-run-"));
  const temporary = join(directory, "tmp");
  await mkdir(temporary);
  const state = join(directory, "cloud");
  const ports: string[] = [];
  for (const flag of ["--s3-port", "--mqtt-port", "--ws-port"]) {
    ports.push(flag, `${await freePort("127.0.0.1")}`);
  }
  const runs: Running[] = [];
  t.after(async () => {
    for (const { child } of runs) child.kill("SIGKILL");
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  const run = (...flags: string[]): Running => {
    const args = ["run", "--state", state, ...ports, ...flags];
    const running = start(args, { env: { TMPDIR: temporary } });
    runs.push(running);
    return running;
  };
  /** Nothing of a run that has ended is left but its state. */
  const assertNothingLeft = async ({ child, ended }: Running) => {
    await ended;
    const left = () => processesOf(state, child.pid ?? 0);
    await until("the end of its processes", async () => (await left()).length === 0);
    // tsx keeps what it has compiled.
    const files = (await readdir(temporary)).filter((name) => !name.startsWith("tsx-"));
    assert.deepEqual(files, []);
  };
  return { state, home: join(state, "owner"), directory, run, assertNothingLeft };
}

/** Stages that were told, without their seconds. */
function stages(output: string): string[] {
  return [...output.matchAll(/^ +\d+\.\d s {2}(.*)$/gm)].map(([, stage = ""]) => stage);
}

/** When a segment was in the store, seconds. */
function seconds(output: string): number {
  return Number(/^ +(\d+\.\d) s {2}first sealed segment/m.exec(output)?.[1]);
}

test("the emulated camera is paired in its first boot, goes on with it in the next, and is beside the host's", {
  timeout: 900_000,
}, async (t) => {
  const { state, home, directory, run, assertNothingLeft } = await place(t);
  const kept = join(state, "camera-qemu-malta");
  const owner = ["--home", home];

  const first = run("--mem", "38M");
  await first.says(STORED, PATIENCE_MS);
  await first.says(/^In another terminal:$/m);
  t.diagnostic(`first start at 38M: ${seconds(first.output())} s`);
  const [reached, after] = [stages(first.output()), ["provisioned from its card", "paired"]];
  assert.deepEqual(reached.slice(0, 4), [
    "power on",
    "U-Boot 2025.01",
    reached[2],
    "agent started",
  ]);
  assert.match(reached[2] ?? "", /^Linux 6\.1\.\d+$/);
  for (const stage of after) assert.equal(reached.filter((one) => one === stage).length, 1, stage);
  assert.ok(!(await readdir(kept)).includes("card.img"));
  const clip = join(directory, "out.mp4");
  await succeeds(["get", "camera", "--from", "-5m", "-o", clip, ...owner]);
  assert.ok((await packets(clip)).length > 0);
  const [paired] = Object(await json(["status", ...owner]));
  first.child.kill("SIGINT");
  const { status, stdout } = await first.ended;
  assert.equal(status, 0, first.output());
  assert.match(stdout, /\nStopped, for the camera as if its plug were pulled; what was stored is /);
  await assertNothingLeft(first);
  assert.match(await readFile(join(kept, "console.log"), "utf8"), / mem=38M ocellus\.slot=a\r?\n/);

  const second = run();
  await second.says(STORED, PATIENCE_MS);
  t.diagnostic(`warm start: ${seconds(second.output())} s`);
  const again = stages(second.output());
  assert.equal(again.filter((stage) => stage.startsWith("U-Boot")).length, 1);
  for (const stage of after) assert.ok(!again.includes(stage), stage);
  const [known] = Object(await json(["status", ...owner]));
  assert.deepEqual([known.camera, known.status.boot], [paired.camera, paired.status.boot + 1]);
  // What the first start told its kernel was for that start.
  assert.match(await readFile(join(kept, "console.log"), "utf8"), / mem=64M ocellus\.slot=a\r?\n/);
  await succeeds(["send", "camera", "reboot", ...owner]);
  await second.says(/^ +0\.0 s {2}the camera restarts$/m, PATIENCE_MS);
  await second.says(/^ +why it restarted: reboot command$/m, PATIENCE_MS);
  await second.says(/restarted: reboot command$.* s {2}first sealed segment in/ms, PATIENCE_MS);
  const processes = await findProcesses(state, second.child.pid ?? 0);
  const qemu = processes.find(({ command }) => command.includes("qemu-system-mipsel"));
  process.kill(qemu?.pid ?? assert.fail(JSON.stringify(processes)), "SIGKILL");
  const died = await second.ended;
  assert.equal(died.status, 1);
  assert.match(died.stderr, /^ocellus: QEMU ended unasked \(SIGKILL\), .*: start it again; .*\.$/m);
  await assertNothingLeft(second);

  const host = run("--on", "host");
  await host.says(
    /^Another camera of this place, "camera", is not started: .*--board qemu\/malta/m,
  );
  await host.says(/; stored [1-9]\d* segments, /, PATIENCE_MS);
  assert.match(host.output(), /^Camera "camera-2" films /m);
  host.child.kill("SIGINT");
  assert.equal((await host.ended).status, 0);

  // Back, and two Ctrl-C while it boots.
  const third = run();
  await third.says(/^Another camera of this place, "camera-2", is not started: .*--on host/m);
  await third.says(/^ +\d+\.\d s {2}U-Boot /m, PATIENCE_MS);
  third.child.kill("SIGINT");
  await sleep(30);
  third.child.kill("SIGINT");
  await assertNothingLeft(third);
  assert.match(third.output(), /^Camera "camera" films /m);
});

test("a port that is taken, no QEMU, memory that the board has not, and flags of the other kind end it with a sentence", async (t) => {
  const { run, directory, assertNothingLeft } = await place(t);
  const server = createServer();
  const taken = await freePort("127.0.0.1");
  await new Promise<void>((resolve) => server.listen(taken, "127.0.0.1", resolve));
  t.after(() => server.close());
  const busy = run("--s3-port", `${taken}`);
  assertSentence(await busy.ended, 1, new RegExp(`port ${taken} is taken; .* with --s3-port\\.`));
  await assertNothingLeft(busy);
  const small = run("--mem", "16M");
  assertSentence(await small.ended, 1, /qemu\/malta runs with 38M to 64M of memory, not with 16M/);
  await assertNothingLeft(small);
  const nowhere = { env: { PATH: join(directory, "tmp") } };
  const missing = /qemu-system-mipsel is not installed; apt-get install qemu-system-mips\./;
  assertSentence(await ocellus(["run", "--state", directory], nowhere), 1, missing);
  for (const [args, sentence] of [
    [["run", "--on", "host", "--image", "dev"], /--image goes with --on qemu only/],
    [["run", "--variant", "asan"], /--variant goes with --on host only/],
    [["run", "--board", "host/process"], /board host\/process has no firmware/],
  ] as const) {
    assertSentence(await ocellus(args), 2, sentence);
  }
});

test("a console log that can be written no further ends it with a sentence, and the camera with it", async (t) => {
  const { run, assertNothingLeft } = await place(t);
  const running = run();
  await running.says(/^ +\d+\.\d s {2}U-Boot /m, PATIENCE_MS);
  // From here on no file of this process may grow; what QEMU writes is not its.
  execFileSync("prlimit", ["--pid", `${running.child.pid}`, "--fsize=1"]);
  const { status, stderr } = await running.ended;
  assert.equal(status, 1, running.output());
  assert.match(
    stderr,
    /^ocellus: \S+\/console\.log cannot be written \(EFBIG: .*\); see to that .*\.$/m,
  );
  assert.doesNotMatch(stderr, /^ +at /m);
  await assertNothingLeft(running);
});
