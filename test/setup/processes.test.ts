/** Builds by several processes at once, and by processes that die. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { makeScratch, type Scratch } from "./support/scratch.ts";

const SLOW_BUILD = fileURLToPath(new URL("support/slow-build.ts", import.meta.url));

const WAITING = "waiting for another process";

interface Builder {
  child: ChildProcess;
  /** What it wrote to standard error so far. */
  errors(): string;
  /** What it printed, once it ended. */
  done: Promise<{ status: number | null; stdout: string; stderr: string }>;
}

/** Starts one; builds end once `letGo` was called. */
function startBuild(t: TestContext, scratch: Scratch): Builder {
  const args = ["--import", "tsx", SLOW_BUILD, scratch.root, scratch.cache];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const done = once(child, "close").then(([status]) => ({ status, stdout, stderr }));
  return { child, errors: () => stderr, done };
}

/** Waits until something is so; fails if it takes half a minute. */
async function until(condition: () => boolean): Promise<void> {
  const deadline_ms = Date.now() + 30_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline_ms, "it did not happen");
    await sleep(20);
  }
}

const letGo = (scratch: Scratch) => writeFileSync(join(scratch.root, "go"), "");

/** Waits until a build has begun. */
const begun = (scratch: Scratch) => until(() => existsSync(join(scratch.root, "builds")));

const builds = (scratch: Scratch) =>
  readFileSync(join(scratch.root, "builds"), "utf8").trimEnd().split("\n").length;

const result = (directory: string) => readFileSync(join(directory.trim(), "result"), "utf8");

test("three processes that need the same artefact build it once", async (t) => {
  const scratch = makeScratch(t);
  const builders = [1, 2, 3].map(() => startBuild(t, scratch));
  const waiting = () => builders.filter(({ errors }) => errors().includes(WAITING)).length;
  await until(() => waiting() === 2);
  letGo(scratch);
  const ends = await Promise.all(builders.map((builder) => builder.done));
  assert.deepEqual(
    ends.map((end) => end.status),
    [0, 0, 0],
    ends.map((end) => end.stderr).join(),
  );
  assert.equal(builds(scratch), 1);
  for (const { stdout } of ends) assert.equal(result(stdout), "first half, second half");
});

test("a build that was killed is not trusted, and the next one goes ahead at once", async (t) => {
  const scratch = makeScratch(t);
  const killed = startBuild(t, scratch);
  await begun(scratch);
  killed.child.kill("SIGKILL");
  await killed.done;
  assert.deepEqual(readdirSync(join(scratch.cache, "artefacts")), []);
  letGo(scratch);
  const { status, stdout, stderr } = await startBuild(t, scratch).done;
  assert.equal(status, 0, stderr);
  assert.equal(result(stdout), "first half, second half");
  assert.equal(builds(scratch), 2);
  assert.deepEqual(readdirSync(join(scratch.cache, "work")), []);
});

test("a process that waits takes over when the one that builds is killed", async (t) => {
  const scratch = makeScratch(t);
  const killed = startBuild(t, scratch);
  await begun(scratch);
  const waiting = startBuild(t, scratch);
  await until(() => waiting.errors().includes(WAITING));
  killed.child.kill("SIGKILL");
  letGo(scratch);
  const { status, stdout, stderr } = await waiting.done;
  assert.equal(status, 0, stderr);
  assert.equal(result(stdout), "first half, second half");
});
