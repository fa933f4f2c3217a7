/** Messages tell to type what works where the user is: each way of calling the program, and what it says then. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { checkout } from "../../scripts/build/ensure.mjs";
import { asTyped } from "../../scripts/build/invoked.mjs";
import { OCELLUS } from "./support/ocellus.ts";

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocellus invoked-"));
  await symlink(OCELLUS, join(directory, "ocellus"));
});
after(() => rm(directory, { recursive: true }));

interface Way {
  readonly called: string;
  readonly cwd: () => string;
  readonly says: RegExp;
}
const elsewhere = () => directory;
const WAYS: readonly Way[] = [
  { called: "npx --no ocellus", cwd: () => checkout, says: /^npx --no ocellus$/ },
  { called: "npx --no ocellus", cwd: () => join(checkout, "test"), says: /^npx --no ocellus$/ },
  { called: `node ${OCELLUS}`, cwd: () => checkout, says: /^npx --no ocellus$/ },
  { called: `node ${OCELLUS}`, cwd: elsewhere, says: /^node \S+scripts\/ocellus\.mjs$/ },
  { called: "ocellus", cwd: elsewhere, says: /^ocellus$/ },
  { called: "ocellus", cwd: () => checkout, says: /^ocellus$/ },
];

for (const { called, cwd, says } of WAYS) {
  const where = cwd === elsewhere ? "elsewhere" : cwd().slice(checkout.length) || "the checkout";
  test(`\`${called}\` in ${where} tells a command that works there`, () => {
    const shell = (command: string) => {
      const env = { ...process.env, PATH: `${directory}:${process.env.PATH}` };
      return spawnSync("sh", ["-c", command], { cwd: cwd(), env, encoding: "utf8" });
    };
    const first = shell(`${called} keys show --home /nonexistent/ocellus`);
    const told = /; run `(.*) keys init`\.$/m.exec(first.stderr)?.[1] ?? "";
    assert.match(told, says, first.stderr);
    assert.match(first.stderr, /^ocellus: there are no/);
    const again = shell(`${told} keys init --help`);
    assert.ok(again.stdout.startsWith(`Usage: ${told} keys init `), again.stdout + again.stderr);
  });
}

test("a project that depends on ocellus calls it through npx, also from outside the checkout", () => {
  const bin = "/srv/project/node_modules/.bin/ocellus";
  assert.equal(asTyped("", bin, "/srv/project"), "npx --no ocellus");
});

test("a directory whose name only begins like the checkout's is not in it", () => {
  assert.match(asTyped("ls", OCELLUS, `${checkout}-2`), /^node .*ocellus\.mjs ls$/);
});
