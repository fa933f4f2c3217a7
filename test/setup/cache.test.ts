/** When an artefact is built again and when it is not. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readMade } from "../../scripts/build/cache.mjs";
import { Problem } from "../../scripts/build/problem.mjs";
import { countingRecipe, makeScratch } from "./support/scratch.ts";

test("an artefact is built once and then found", async (t) => {
  const scratch = makeScratch(t);
  const recipe = countingRecipe(scratch, { name: "thing" }, async ({ out }) =>
    writeFileSync(join(out, "result"), "made"),
  );
  const first = await scratch.ensure("thing", [recipe]);
  const second = await scratch.ensure("thing", [recipe]);
  assert.equal(second, first);
  assert.equal(recipe.built, 1);
  assert.equal(readFileSync(join(first, "result"), "utf8"), "made");
  assert.equal(readlinkSync(join(scratch.root, "build/thing")), first);
});

test("a changed or new input file makes another artefact; going back finds the old one", async (t) => {
  const scratch = makeScratch(t);
  const recipe = countingRecipe(scratch, { name: "thing", files: ["src"], only: /\.c$/ });
  const build = () => scratch.ensure("thing", [recipe]);
  scratch.write("src/a.c", "one");
  const original = await build();
  scratch.write("src/a.c", "two");
  const changed = await build();
  scratch.write("src/a.c", "one");
  assert.equal(await build(), original);
  scratch.write("src/deep/b.c", "");
  const added = await build();
  assert.equal(new Set([original, changed, added]).size, 3);
  scratch.write("src/notes.txt", "not an input");
  assert.equal(await build(), added);
  assert.equal(recipe.built, 3);
});

test("the recipe's own text and that of its helpers are inputs", async (t) => {
  const scratch = makeScratch(t);
  const recipe = countingRecipe(scratch, { name: "thing" });
  scratch.write("recipe.mjs", 'import { x } from "./helper.mjs";\n');
  scratch.write("helper.mjs", "export const x = 1;\n");
  const first = await scratch.ensure("thing", [recipe]);
  scratch.write("helper.mjs", "export const x = 2;\n");
  const second = await scratch.ensure("thing", [recipe]);
  scratch.write("recipe.mjs", 'import { x } from "./helper.mjs"; // changed\n');
  const third = await scratch.ensure("thing", [recipe]);
  assert.equal(new Set([first, second, third]).size, 3);
});

test("what needs a changed artefact is built again, what does not is not", async (t) => {
  const scratch = makeScratch(t);
  const library = countingRecipe(scratch, { name: "library", files: ["library.c"] });
  const user = countingRecipe(scratch, { name: "user", needs: ["library"] });
  const other = countingRecipe(scratch, { name: "other" });
  const recipes = [library, user, other];
  const all = async () => {
    for (const name of ["user", "other"]) await scratch.ensure(name, recipes);
  };
  scratch.write("library.c", "one");
  await all();
  scratch.write("library.c", "two");
  await all();
  assert.deepEqual([library.built, user.built, other.built], [2, 2, 1]);
});

test("a source that changes while it is read does not end up under the old key", async (t) => {
  const scratch = makeScratch(t);
  scratch.write("source", "old");
  const recipe = countingRecipe(scratch, { name: "thing", files: ["source"] }, async ({ out }) => {
    if (recipe.built === 1) scratch.write("source", "new");
    writeFileSync(join(out, "result"), readFileSync(join(scratch.root, "source")));
  });
  const directory = await scratch.ensure("thing", [recipe]);
  assert.equal(recipe.built, 2);
  assert.equal(readFileSync(join(directory, "result"), "utf8"), "new");
  scratch.write("source", "old");
  const old = await scratch.ensure("thing", [recipe]);
  assert.equal(readFileSync(join(old, "result"), "utf8"), "old");
});

test("a failed build says why and leaves no artefact; the next attempt builds", async (t) => {
  const scratch = makeScratch(t);
  const recipe = countingRecipe(scratch, { name: "thing" }, async ({ step }) => {
    if (recipe.built === 1) await step("sh", ["-c", "echo 'x.c:1: error: no such thing'; exit 1"]);
  });
  await assert.rejects(
    scratch.ensure("thing", [recipe]),
    (error) => error instanceof Problem && /x\.c:1: error: no such thing/.test(error.lines),
  );
  assert.equal(existsSync(join(scratch.root, "build/thing")), false);
  const directory = await scratch.ensure("thing", [recipe]);
  assert.equal(readMade(directory)?.name, "thing");
});

test("an artefact that does not exist is answered with those that do", async (t) => {
  const scratch = makeScratch(t);
  await assert.rejects(
    scratch.ensure("thin", [countingRecipe(scratch, { name: "thing" })]),
    new Problem("there is no artefact thin; there are: thing."),
  );
});
