/** What a user sees when something is missing or full: one sentence that says what to do. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Problem } from "../../scripts/build/problem.mjs";
import { capture } from "../../scripts/build/process.mjs";
import type { Context } from "../../scripts/build/recipe.mjs";
import { nodeModules } from "../../scripts/build/recipes/node-modules.mjs";
import { missingPackages } from "../../scripts/setup/debian.mjs";
import { packages } from "../../scripts/setup/packages.mjs";
import { countingRecipe, makeScratch } from "./support/scratch.ts";

const SHIM = fileURLToPath(new URL("../../scripts/ocellus.mjs", import.meta.url));

/** Runs a program to its end. */
function run(tool: string, args: readonly string[]) {
  return new Promise<{ status: number; stderr: string }>((resolve) => {
    execFile(tool, args, (error, _stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stderr }),
    );
  });
}

const FULL = /the disk that holds .* is full; free some space .* run this again\.$/;

/** Ways to meet a full disk. The device /dev/full has no room for a single byte, /proc no blocks. */
const FULL_DISKS: Record<string, (context: Context) => Promise<void>> = {
  "we write": async () => writeFileSync("/dev/full", "x"),
  "a tool writes and says so": ({ step }) =>
    step("dd", ["if=/dev/zero", "of=/dev/full", "count=1"]),
  "a tool writes and cannot say so": ({ step }) => step("false", [], { cwd: "/proc" }),
};

for (const [when, build] of Object.entries(FULL_DISKS)) {
  test(`a full disk is one sentence and leaves no artefact: ${when}`, async (t) => {
    const scratch = makeScratch(t);
    const recipe = countingRecipe(scratch, { name: "large" }, build);
    await assert.rejects(scratch.ensure("large", [recipe]), (error) => {
      assert.ok(error instanceof Problem, String(error));
      assert.match(error.message, FULL);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
    assert.deepEqual(readdirSync(join(scratch.cache, "artefacts")), []);
    assert.deepEqual(readdirSync(join(scratch.cache, "work")), []);
  });
}

test("a full disk that a command meets anywhere is one sentence, which names what was written", async () => {
  const problem = JSON.stringify(new URL("../../scripts/build/problem.mjs", import.meta.url));
  // No error of /dev/full has a path: what copies to a disk that is full has both.
  const cases: readonly (readonly [fields: string, sentence: RegExp])[] = [
    ["{}", /^ocellus: a disk is full; free some space .*\.\n$/],
    [
      `{ path: "/from", dest: "/to/file" }`,
      /^ocellus: the disk that holds \/to\/file is full; .*\.\n$/,
    ],
  ];
  for (const [fields, sentence] of cases) {
    const script = `
      import { writeFileSync } from "node:fs";
      import { exitWith } from ${problem};
      try { writeFileSync("/dev/full", "x"); }
      catch (error) { delete error.path; exitWith(Object.assign(error, ${fields})); }`;
    const ended = await run(process.execPath, ["--input-type=module", "--eval", script]);
    assert.equal(ended.status, 1);
    assert.match(ended.stderr, sentence);
  }
});

test("a missing tool is named with its Debian package", async () => {
  const tool = "autoreconf";
  const path = process.env.PATH;
  process.env.PATH = "/nowhere";
  try {
    await assert.rejects(
      capture(tool, ["--version"]),
      new Problem(
        "the tool autoreconf (Debian package autoconf) is missing; run `make setup`, then this again.",
      ),
    );
  } finally {
    process.env.PATH = path;
  }
});

test("packages that are not installed are found, installed ones are not", async () => {
  const entry = (name: string) => ({ name, purpose: "run" as const, why: "test" });
  const wanted = [entry("no-such-package-a"), entry("dpkg"), entry("no-such-package-b")];
  const missing = await missingPackages(wanted);
  assert.deepEqual(
    missing.map(({ name }) => name),
    ["no-such-package-a", "no-such-package-b"],
  );
});

test("every Debian package is listed once and with a reason", () => {
  const names = packages.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  for (const { name, why } of packages) assert.notEqual(why, "", name);
});

test("the command says what to do in a checkout without npm packages", async (t) => {
  const scratch = makeScratch(t);
  scratch.write("scripts/x", "");
  const shim = join(scratch.root, "scripts/ocellus.mjs");
  copyFileSync(SHIM, shim);
  chmodSync(shim, 0o755);
  const { status, stderr } = await run(shim, ["--version"]);
  assert.equal(status, 1);
  assert.equal(
    stderr,
    "ocellus: the npm packages are not installed; run `make setup` in the checkout first, then try again.\n",
  );
});

test("npm packages that cannot be fetched are one sentence", async (t) => {
  const scratch = makeScratch(t);
  const entry = { version: "1.0.0", integrity: `sha512-${"A".repeat(86)}==` };
  const root = { name: "scratch", version: "1.0.0", dependencies: { absent: "1.0.0" } };
  scratch.write("package.json", JSON.stringify(root));
  const lock = {
    ...root,
    lockfileVersion: 3,
    packages: { "": root, "node_modules/absent": entry },
  };
  scratch.write("package-lock.json", JSON.stringify(lock));
  // Port 9 (discard) of loopback, where nothing answers.
  scratch.write(".npmrc", "registry=http://127.0.0.1:9/\nfetch-retries=0\n");
  await assert.rejects(
    scratch.ensure("node-modules", [nodeModules]),
    /^Problem: the npm packages could not be fetched \(npm error code ECONNREFUSED\); check .*again\.$/,
  );
});
