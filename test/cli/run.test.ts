/** `ocellus run --on host`: started twice in one place, ended by Ctrl-C each time. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ensure } from "../../scripts/build/ensure.mjs";
import { freePort } from "../../scripts/cloud/ports.ts";
import { assertSentence, json, ocellus, type Running, start } from "./support/ocellus.ts";
import { findProcesses, processesOf } from "./support/processes.ts";

test("run records until Ctrl-C, leaves no process, and goes on with the same camera", {
  timeout: 900_000,
}, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "ocellus-run-"));
  t.after(() => rm(directory, { recursive: true }));
  const state = join(directory, "cloud");
  // A camera keeps the addresses it was given, so both runs need the same.
  const ports: string[] = [];
  for (const flag of ["--s3-port", "--mqtt-port", "--ws-port"]) {
    ports.push(flag, `${await freePort("127.0.0.1")}`);
  }
  const args = ["run", "--on", "host", "--state", state, ...ports];
  const owner = ["--home", join(state, "owner")];
  const running: Running[] = [];
  t.after(() => {
    for (const { child } of running) child.kill("SIGKILL");
  });

  const runUntilStored = async (): Promise<{ camera: string; boot: number; output: string }> => {
    const run = start(args);
    running.push(run);
    await run.says(/^In another terminal:$/m, 300_000);
    // The board tells a segment as the camera does, once it is in the store.
    await run.says(/; stored [1-9]\d* segments, /, 300_000);
    const [status] = Object(await json(["status", ...owner]));
    const pid = run.child.pid ?? 0;
    const names = (await processesOf(state, pid)).join("\n");
    for (const part of ["mosquitto", "ocellus-camera", "ocellus-canned"]) {
      assert.match(names, new RegExp(part));
    }
    run.child.kill("SIGINT");
    const { status: ended, stdout } = await run.ended;
    assert.equal(ended, 0, run.output());
    assert.match(stdout, /\nStopped; what was stored is kept, and the next start goes on /);
    assert.deepEqual(await processesOf(state, pid), []);
    return { camera: status.camera, boot: status.status.boot, output: run.output() };
  };

  const first = await runUntilStored();
  const clip = join(await ensure("clip-default"), "clip.h264");
  assert.ok(
    first.output.includes(
      `films the default clip, ${clip} (name another with --footage or FOOTAGE=)`,
    ),
    first.output,
  );
  assert.match(first.output, /npx --no ocellus get camera --from -1m -o out\.mp4 --home /);
  const second = await runUntilStored();
  assert.deepEqual([second.camera, second.boot], [first.camera, first.boot + 1]);

  const nowhere = await ocellus(["status", ...owner]);
  assertSentence(nowhere, 1, /broker mqtts:\/\/localhost:\d+ cannot be used \(ECONNREFUSED\)/);
});

test("run whose broker dies ends with a sentence that says so", { timeout: 900_000 }, async (t) => {
  const state = await mkdtemp(join(tmpdir(), "ocellus-run-"));
  t.after(() => rm(state, { recursive: true, force: true, maxRetries: 5 }));
  const ports = ["--s3-port", "0", "--mqtt-port", "0", "--ws-port", "0"];
  const run = start(["run", "--on", "host", "--state", state, ...ports]);
  t.after(() => run.child.kill("SIGKILL"));
  await run.says(/^In another terminal:$/m, 300_000);
  const pid = run.child.pid ?? 0;
  const programs = await findProcesses(state, pid);
  const broker = programs.find(({ command }) => command.includes("mosquitto -c"));
  assert.ok(broker, JSON.stringify(programs));
  process.kill(broker.pid, "SIGKILL");
  const { status, stdout, stderr } = await run.ended;
  assert.equal(status, 1, run.output());
  assert.match(
    stderr,
    /^ocellus: mosquitto ended unasked \(SIGKILL\); start it again\. Its log is \S+, the last line: .+$/m,
  );
  assert.doesNotMatch(stdout, /Stopped/);
  assert.deepEqual(await processesOf(state, pid), []);
});

test("run with footage that is not there says so in one sentence, and leaves no process", async (t) => {
  const state = await mkdtemp(join(tmpdir(), "ocellus-run-"));
  t.after(() => rm(state, { recursive: true }));
  const ports = ["--s3-port", "0", "--mqtt-port", "0", "--ws-port", "0"];
  const run = start(["run", "--state", state, ...ports, "--footage", "/nonexistent.mp4"]);
  assertSentence(await run.ended, 1, /\/nonexistent\.mp4/);
  assert.deepEqual(await processesOf(state, run.child.pid ?? 0), []);
});
