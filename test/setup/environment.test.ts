/** What is built does not depend on the environment of whoever builds it. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ensure } from "../../scripts/build/ensure.mjs";
import type { Recipe } from "../../scripts/build/recipe.mjs";

test("a build sees neither an outer make's variables nor flags for compilers, and the way through a proxy", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ocellus-environment-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const seen: Recipe = {
    name: "seen",
    text: import.meta.filename,
    build: ({ out, step }) => step("sh", ["-c", 'env > "$0"', join(out, "seen")]),
  };
  const outer = {
    ...{ MAKEFLAGS: " -- BOARD=qemu/malta", MAKELEVEL: "1", BOARD: "qemu/malta" },
    ...{ CFLAGS: "-O0", ARCH: "arm", CROSS_COMPILE: "other-", SOURCE_DATE_EPOCH: "1" },
    https_proxy: "http://localhost:1",
  };
  const before = { ...process.env };
  t.after(() => {
    for (const name of Object.keys(outer)) delete process.env[name];
    Object.assign(process.env, before);
  });
  Object.assign(process.env, outer);
  const built = await ensure("seen", {
    recipes: new Map([["seen", seen]]),
    root: directory,
    cache: join(directory, "cache"),
  });
  const names = readFileSync(join(built, "seen"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split("=")[0] ?? "");
  assert.ok(names.includes("PATH"));
  assert.deepEqual(
    Object.keys(outer).filter((name) => names.includes(name)),
    ["https_proxy"],
  );
});
