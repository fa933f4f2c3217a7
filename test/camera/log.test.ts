/** Files of what a camera says: bounded, and a disk that takes no more of them is a sentence. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Problem } from "../../scripts/build/problem.mjs";
import { CameraLog, LogFile, setAside } from "../../scripts/camera/log.ts";
import { scratch } from "../host/support/camera.ts";

const UNTROUBLED = (problem: Problem) => assert.fail(problem);

test("a log is its owner's; once it is full it is set aside, and what was aside goes", (t) => {
  const file = join(scratch(t), "console.log");
  const log = new LogFile(file, { most_bytes: 10, onTrouble: UNTROUBLED });
  for (const text of ["first\n", "second\n", "third\n", "fourth\n", "fifth\n"]) log.write(text);
  log.close();
  log.write("after its end\n");
  assert.equal(readFileSync(`${file}.before`, "utf8"), "third\nfourth\n");
  assert.equal(readFileSync(file, "utf8"), "fifth\n");
  for (const each of [file, `${file}.before`]) assert.equal(statSync(each).mode & 0o777, 0o600);
});

test("the log of the start before is set aside, where there is one", (t) => {
  const file = join(scratch(t), "console.log");
  setAside(file);
  assert.ok(!existsSync(`${file}.before`));
  writeFileSync(file, "before\n");
  setAside(file);
  const log = new LogFile(file, { most_bytes: 10, onTrouble: UNTROUBLED });
  log.close();
  assert.deepEqual(
    [readFileSync(`${file}.before`, "utf8"), readFileSync(file, "utf8")],
    ["before\n", ""],
  );
});

test("a full disk is told once, in a sentence that names the file, and ends nothing else", (t) => {
  const file = join(scratch(t), "console.log");
  // The device itself says so.
  symlinkSync("/dev/full", file);
  const told: Problem[] = [];
  const log = new LogFile(file, { most_bytes: 10, onTrouble: (problem) => told.push(problem) });
  for (const text of ["one\n", "two\n"]) log.write(text);
  log.close();
  assert.equal(told.length, 1);
  assert.ok(told[0] instanceof Problem);
  assert.match(told[0].message, /^the disk that holds .*\/console\.log is full; free some space/);

  const camera = new CameraLog(file);
  camera.check();
  camera.line("what it said");
  assert.throws(() => camera.check(), /console\.log is full; free some space/);
  assert.equal(camera.lastLines, "what it said");
  camera.close();
});

test("a place that cannot be written is told likewise", (t) => {
  const told: string[] = [];
  const options = { most_bytes: 10, onTrouble: ({ message }: Problem) => told.push(message) };
  const file = join(scratch(t), "no directory/console.log");
  new LogFile(file, options).write("dropped\n");
  assert.equal(told.length, 1);
  assert.match(told[0] ?? "", /console\.log cannot be written \(ENOENT: .*\); see to that and run/);
});
