/** The date in the source that cameras start from: what the check of it finds. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import {
  BUILD_TIME_FILE,
  buildTimeMistake,
  staleBuildTime,
} from "../../scripts/check/build-time.mjs";
import { makeDirectory, removeDirectory } from "../cloud/support.ts";

const DAY_S = 86_400;
const day = (date: string) => Date.parse(`${date}T00:00:00Z`) / 1000;
const line = (seconds: number, date: string) =>
  `/* … */\n#define OCELLUS_BUILD_TIME_S ${seconds} /* ${date} */\n`;

test("a date of up to 90 days before the newest commit is good, an older one names what to write", () => {
  const start_s = day("2026-11-25");
  const good = line(start_s, "2026-11-25");
  for (const days of [-5, 0, 1, 90])
    assert.equal(buildTimeMistake(good, start_s + days * DAY_S, start_s + 400 * DAY_S), "");
  assert.equal(buildTimeMistake(good, null, start_s), "");
  const stale = buildTimeMistake(good, start_s + 91 * DAY_S + 5, start_s + 400 * DAY_S);
  const written =
    /2026-11-25 is more than 90 days before .* write "(.+)"\.$/.exec(stale)?.[1] ?? "";
  assert.equal(`/* … */\n${written}\n`, line(start_s + 91 * DAY_S, "2027-02-24"));
});

test("a date to come, one that the number does not name, or none is told without git too", () => {
  const start_s = day("2026-11-25");
  assert.match(
    buildTimeMistake(line(start_s, "2026-11-25"), null, start_s - 1),
    /has not come yet/,
  );
  for (const text of [
    "",
    line(start_s + 1, "2026-11-25"),
    line(start_s, "2026-11-24"),
    line(start_s, "2026-11-25").replace("/* 2026-11-25 */", ""),
  ])
    assert.match(buildTimeMistake(text, null, start_s), /is to define OCELLUS_BUILD_TIME_S/);
});

test("without git its age is not looked at, and that is said; with it, it is", async (t) => {
  const directory = await makeDirectory();
  t.after(() => removeDirectory(directory));
  const file = join(directory, BUILD_TIME_FILE);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, line(day("2025-01-01"), "2025-01-01"));
  const without = await staleBuildTime(directory);
  assert.equal(without.found, "");
  assert.match(without.note ?? "", /^its age was not looked at, .*not a git repository/);
  const git = (...args: string[]) => execFileSync("git", ["-C", directory, ...args]);
  git("init", "--quiet");
  const who = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
  git(...who, "commit", "--quiet", "--allow-empty", "--message", "of today");
  const found = await staleBuildTime(directory);
  assert.match(found.found, /2025-01-01 is more than 90 days before/);
  assert.equal(found.note, undefined);
});
