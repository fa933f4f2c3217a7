/** The Makefile's own words: help and distclean. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkout } from "../../scripts/build/ensure.mjs";
import { FirstRun } from "./support/first-run.ts";

/** Without what an outer make says to an inner one. */
const env = { PATH: process.env.PATH };
const make = (...args: string[]) =>
  execFileSync("make", args, {
    ...{ cwd: checkout, env, encoding: "utf8" },
    stdio: ["ignore", "pipe", "ignore"],
  });

test("make help, and make alone, list every target with what it does", () => {
  const database = make("-pRrs", "help");
  const phony = /^\.PHONY: (.+)$/m.exec(database)?.[1]?.split(" ") ?? [];
  const targets = phony.filter((name) => name !== "have-node").sort();
  assert.ok(targets.length > 5);
  const listed = make("help");
  const rows = [...listed.matchAll(/^ {2}make (\S+) +(\S.*)$/gm)];
  assert.deepEqual(rows.map(([, name]) => name).sort(), targets);
  assert.equal(rows.length, listed.trimEnd().split("\n").length);
  assert.equal(make(), listed);
});

test("make distclean removes what was built, node_modules and the cache, and nothing else", async (t) => {
  const machine = await FirstRun.make(t, { debian: true });
  const { status, stderr } = await machine.setUp();
  assert.equal(status, 0, stderr);
  const other = join(machine.cacheHome, "other");
  mkdirSync(other);
  mkdirSync(join(machine.root, "out"));
  writeFileSync(join(machine.root, "kept"), "");
  const clean = await machine.start("make", ["clean"]).ended;
  assert.equal(clean.status, 0, clean.stderr);
  const there = () =>
    ["build", "out", "node_modules", "kept"].filter((name) => existsSync(join(machine.root, name)));
  assert.deepEqual(there(), ["node_modules", "kept"]);
  assert.ok(existsSync(join(machine.cacheHome, "ocellus/artefacts")));
  const distclean = await machine.start("make", ["distclean"]).ended;
  assert.equal(distclean.status, 0, distclean.stderr);
  assert.deepEqual(there(), ["kept"]);
  assert.deepEqual(
    ["ocellus", "other"].map((name) => existsSync(join(machine.cacheHome, name))),
    [false, true],
  );
  const again = await machine.setUp();
  assert.equal(again.status, 0, again.stderr);
  assert.equal(machine.registry.archivesAsked, 2);
});

test("make firmware of a board that is not there says so before anything is installed", async (t) => {
  const machine = await FirstRun.make(t, { debian: true });
  const { status, stderr } = await machine.start("make", ["firmware", "BOARD=foo/bar"]).ended;
  assert.equal(status, 2);
  assert.match(stderr, /^ocellus: there is no board "foo\/bar"; there are: /m);
  assert.equal(machine.registry.archivesAsked, 0);
  assert.ok(!existsSync(join(machine.root, "node_modules")));
});
