/** A throw-away checkout and cache for tests of the build. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { ensure } from "../../../scripts/build/ensure.mjs";
import type { Context, Recipe } from "../../../scripts/build/recipe.mjs";

export interface Scratch {
  /** The checkout. */
  readonly root: string;
  /** The build cache. */
  readonly cache: string;
  /** Writes a file of the checkout. */
  write(path: string, text: string): void;
  /** Ensures one of these recipes, in this checkout and cache. */
  ensure(name: string, recipes: readonly Recipe[]): Promise<string>;
}

/** Both are removed after the test. */
export function makeScratch(t: TestContext): Scratch {
  const top = mkdtempSync(join(tmpdir(), "ocellus-setup-"));
  t.after(() => rmSync(top, { recursive: true, force: true }));
  const root = join(top, "checkout");
  const cache = join(top, "cache");
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  // Stands for the recipe's own file, so that tests can change it.
  write("recipe.mjs", "// first\n");
  return {
    root,
    cache,
    write,
    ensure: (name, recipes) =>
      ensure(name, {
        root,
        cache,
        recipes: new Map(recipes.map((recipe) => [recipe.name, recipe])),
      }),
  };
}

/** A recipe of the scratch checkout that counts how often it is built. */
export function countingRecipe(
  scratch: Scratch,
  more: Partial<Recipe> & { name: string },
  build: (context: Context) => Promise<void> = async () => undefined,
): Recipe & { built: number } {
  const recipe = {
    text: join(scratch.root, "recipe.mjs"),
    ...more,
    built: 0,
    async build(context: Context) {
      recipe.built++;
      await build(context);
    },
  };
  return recipe;
}
