/**
 * The one entry to built things: `await ensure("native-host")` is the directory of that artefact,
 * built now if no artefact with the same inputs is in the cache.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheRoot, openWork, publish, readMade, slot, touch } from "./cache.mjs";
import { ownInputs, sha256 } from "./key.mjs";
import { linkArtefact } from "./links.mjs";
import { withLock } from "./lock.mjs";
import { explain, Problem } from "./problem.mjs";
import { step } from "./process.mjs";
import { withProgress } from "./progress.mjs";
import { Replan } from "./replan.mjs";

/** @import { Context, Recipe } from "./recipe.mjs" */

/**
 * What of the environment a build sees: nothing that would change what it makes. Flags and variables of a make that we were
 * started by are among the rest: `make firmware BOARD=…` would give U-Boot's Makefile another BOARD.
 */
const BUILD_ENVIRONMENT =
  /^(PATH|HOME|USER|LOGNAME|TMPDIR|npm_config_.*|.*_proxy|.*(CERT|CA_BUNDLE|CAINFO).*)$/i;

/** The checkout this file belongs to. */
export const checkout = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/**
 * @typedef {object} Plan an artefact with its key
 * @property {Recipe} recipe
 * @property {string} key
 * @property {string[]} inputs one line each
 * @property {string[]} own those of them that are no artefacts
 * @property {string[]} unpinned own and inherited
 * @property {Plan[]} needs
 */

/**
 * @typedef {object} Planning one computation of keys
 * @property {ReadonlyMap<string, Recipe>} recipes
 * @property {string} root
 * @property {string} cache
 * @property {Map<string, Promise<Plan>>} known plans so far, so that each is made once
 */

/**
 * @typedef {object} EnsureOptions for tests; everyone else leaves it out
 * @property {ReadonlyMap<string, Recipe>} [recipes]
 * @property {string} [root] checkout
 * @property {string} [cache] root of the cache
 */

/**
 * @param {string} name artefact
 * @param {EnsureOptions} [options]
 * @returns {Promise<string>} absolute path of its directory; read only
 * @throws {Problem} one sentence with what to do
 */
export async function ensure(name, options = {}) {
  const recipes = options.recipes ?? (await import("./recipes/index.mjs")).recipes;
  const root = options.root ?? checkout;
  const cache = options.cache ?? cacheRoot();
  // Twice at most for each source that is gone; the bound only guards against a recipe's mistake.
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      const plan = await planFor(name, { recipes, root, cache, known: new Map() });
      const directory = await realise(plan, root, cache);
      linkArtefact(root, name, directory, plan.recipe.inCheckout ?? "link");
      return directory;
    } catch (error) {
      if (!(error instanceof Replan)) throw error;
    }
  }
  throw new Error(`the inputs of ${name} do not come to rest`);
}

/**
 * @param {string} name
 * @param {Planning} planning
 * @returns {Promise<Plan>}
 */
function planFor(name, planning) {
  const { recipes, known } = planning;
  const before = known.get(name);
  if (before !== undefined) return before;
  const recipe = recipes.get(name);
  if (recipe === undefined) {
    const names = [...recipes.keys()].sort().join(", ");
    throw new Problem(`there is no artefact ${name}; there are: ${names}.`);
  }
  const plan = makePlan(recipe, planning);
  known.set(name, plan);
  return plan;
}

/**
 * @param {Recipe} recipe
 * @param {Planning} planning
 * @returns {Promise<Plan>}
 */
async function makePlan(recipe, planning) {
  const { root, cache } = planning;
  const needs = [];
  for (const name of recipe.needs ?? []) needs.push(await planFor(name, planning));
  const own = await ownInputs(recipe, root, cache);
  const inputs = [...own.inputs, ...needs.map((need) => `needs ${need.recipe.name} ${need.key}`)];
  const unpinned = new Set([...own.unpinned, ...needs.flatMap((need) => need.unpinned)]);
  const key = sha256([`artefact ${recipe.name}`, ...inputs].join("\n"));
  return { recipe, key, inputs, own: own.inputs, unpinned: [...unpinned], needs };
}

/**
 * @param {Plan} plan
 * @param {string} root
 * @param {string} cache
 * @returns {Promise<string>} directory of the finished artefact
 */
async function realise(plan, root, cache) {
  const place = slot(cache, plan.recipe.name, plan.key);
  if (readMade(place.final) !== undefined) {
    touch(place.final);
    return place.final;
  }
  /** @type {Map<string, string>} */
  const needs = new Map();
  for (const need of plan.needs) needs.set(need.recipe.name, await realise(need, root, cache));
  try {
    mkdirSync(join(place.lock, ".."), { recursive: true });
  } catch (error) {
    throw explain(error, cache);
  }
  const waiting = () =>
    process.stderr.write(`  waiting for another process that builds ${plan.recipe.name}\n`);
  await withLock(place.lock, waiting, async () => {
    // Whoever held the lock before may have built it.
    if (readMade(place.final) === undefined) await build(plan, place, needs, root, cache);
  });
  return place.final;
}

/**
 * @param {Plan} plan
 * @param {ReturnType<typeof slot>} place
 * @param {ReadonlyMap<string, string>} needs
 * @param {string} root
 * @param {string} cache
 */
async function build(plan, place, needs, root, cache) {
  const { recipe } = plan;
  const top = openWork(place);
  const work = join(top, "work");
  const out = join(top, "out");
  try {
    mkdirSync(work);
    mkdirSync(out);
    /** @type {Context} */
    const context = {
      root,
      cache,
      work,
      out,
      final: place.final,
      key: plan.key,
      unpinned: plan.unpinned.length > 0,
      need: (name) => {
        const directory = needs.get(name);
        if (directory === undefined) throw new Error(`${recipe.name} does not declare ${name}`);
        return directory;
      },
      step: (tool, args, options = {}) =>
        step(tool, args, { cwd: work, ...options, only: BUILD_ENVIRONMENT, log: place.log }),
      note: (line) => {
        process.stderr.write(`  ${recipe.name}: ${line}\n`);
        writeFileSync(place.log, `${line}\n`, { flag: "a" });
      },
    };
    const started_ms = Date.now();
    await withProgress(`building ${recipe.name}`, async () => {
      await recipe.build(context);
      // A source tree takes long to be removed, and nobody should look at a finished line meanwhile.
      await rm(work, { recursive: true, force: true });
    });
    const now = (await ownInputs(recipe, root, cache)).inputs;
    if (now.join("\n") !== plan.own.join("\n")) {
      context.note("a source changed meanwhile, so it is built again");
      throw new Replan();
    }
    publish(place, out, {
      name: recipe.name,
      key: plan.key,
      inputs: plan.inputs,
      unpinned: plan.unpinned,
      seconds: (Date.now() - started_ms) / 1000,
    });
  } catch (error) {
    throw explain(error, cache);
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}
