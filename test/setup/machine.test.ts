/** What set-up reads off the machine: apt's mirrors, and whether npm's packages are in place. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { capture } from "../../scripts/build/process.mjs";
import { forbiddenTexts } from "../../scripts/check/texts.mjs";
import { machineArchives } from "../../scripts/setup/apt.mjs";
import { isInstalled } from "../../scripts/setup/npm.mjs";
import { makeScratch } from "./support/scratch.ts";

/** Lets apt see a set-up of the test's own, by its own means: a configuration file that it is told of. */
function setUpApt(t: TestContext, files: Record<string, string>) {
  const { root } = makeScratch(t);
  mkdirSync(join(root, "parts"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  const config = join(root, "apt.conf");
  writeFileSync(
    config,
    `Dir::Etc::SourceList "${root}/sources.list";\nDir::Etc::SourceParts "${root}/parts";\n`,
  );
  const before = process.env.APT_CONFIG;
  process.env.APT_CONFIG = config;
  t.after(() => {
    if (before === undefined) delete process.env.APT_CONFIG;
    else process.env.APT_CONFIG = before;
  });
}

test("mirrors are found in a sources.list of one-line entries, others' archives are not taken", async (t) => {
  setUpApt(t, {
    "sources.list": [
      "deb http://elsewhere.example/debian nodistro main",
      "deb [arch=amd64] http://mirror.example/debian/ bookworm main contrib",
      "deb http://mirror.example/debian bookworm-backports main",
      "deb http://mirror.example/security bookworm-security main",
      "",
    ].join("\n"),
  });
  assert.deepEqual(await machineArchives(), {
    main: "http://mirror.example/debian",
    security: "http://mirror.example/security",
  });
});

test("mirrors are found in deb822 files, with or without one for security", async (t) => {
  setUpApt(t, {
    "parts/debian.sources":
      "Types: deb deb-src\nURIs: https://mirror.example/debian\nSuites: bookworm bookworm-updates\n" +
      "Components: main\n",
  });
  assert.deepEqual(await machineArchives(), {
    main: "https://mirror.example/debian",
    security: undefined,
  });
});

test("no mirror is a sentence", async (t) => {
  setUpApt(t, { "sources.list": "deb http://elsewhere.example/ nodistro main\n" });
  await assert.rejects(machineArchives(), /^Problem: apt has no Debian mirror set up; add one/);
});

/** Writes a lock file and npm's record of what it installed. */
function npmState(t: TestContext, locked: object, installed: object | undefined): string {
  const scratch = makeScratch(t);
  scratch.write("package-lock.json", JSON.stringify({ packages: { "": {}, ...locked } }));
  if (installed !== undefined) {
    scratch.write("node_modules/.package-lock.json", JSON.stringify({ packages: installed }));
  }
  return scratch.root;
}

test("npm packages are in place only if npm's record agrees with the lock file", (t) => {
  const a = { "node_modules/a": { version: "1.0.0", integrity: "sha512-a" } };
  const other = { "node_modules/a": { version: "1.0.0", integrity: "sha512-b" } };
  const b = { "node_modules/b": { version: "2.0.0", integrity: "sha512-c" } };
  const optional = {
    "node_modules/o": { version: "3.0.0", integrity: "sha512-o", optional: true },
  };
  assert.equal(isInstalled(npmState(t, a, a)), true);
  assert.equal(isInstalled(npmState(t, { ...a, ...optional }, a)), true);
  assert.equal(isInstalled(npmState(t, a, undefined)), false);
  assert.equal(isInstalled(npmState(t, { ...a, ...b }, a)), false);
  assert.equal(isInstalled(npmState(t, a, { ...a, ...b })), false);
  assert.equal(isInstalled(npmState(t, a, other)), false);
});

test("texts that must not be committed are found, with file and line", async (t) => {
  const scratch = makeScratch(t);
  await capture("git", ["init", "--quiet"], { cwd: scratch.root });
  const host = ["registry", "npmjs", "org"].join(".");
  scratch.write("fine.ts", "// a note\nconst place = join(tmpdir(), 'x');\n");
  scratch.write("lock.json", `{\n  "resolved": "https://${host}/x"\n}\n`);
  scratch.write("late.c", `/* ${"TO"}${"DO"}: later */\n`);
  scratch.write("place.md", `\nSee /${"home"}/somebody/notes.\n`);
  scratch.write("test/a.test.ts", `test.${"skip"}("x", () => undefined);\n`);
  assert.deepEqual(await forbiddenTexts(scratch.root), [
    "late.c:1: unfinished work",
    "lock.json:2: host of a package registry",
    "place.md:2: path of one machine",
    "test/a.test.ts:1: test that does not run",
  ]);
});
