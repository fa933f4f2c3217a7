/** A second build of this checkout, in another place and with another cache. */
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { cacheRoot } from "../../../scripts/build/cache.mjs";
import { checkout, ensure } from "../../../scripts/build/ensure.mjs";
import { sha256 } from "../../../scripts/build/key.mjs";
import { capture } from "../../../scripts/build/process.mjs";
import { checkoutFiles } from "../../../scripts/check/files.mjs";

/**
 * @param directory empty; gets a copy of the checkout and a cache
 * @param taken whether an artefact of this name is taken out of the cache in use; all others are built
 * @returns directories of the artefacts of these names
 */
export async function buildElsewhere(
  directory: string,
  names: readonly string[],
  taken: (name: string) => boolean,
): Promise<string[]> {
  const root = join(directory, "a-place-with-a-longer-name");
  // Node's packages end at the nearest such file above: a build may not take it from whoever's home the cache is in.
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
  const clone = ["clone", "--quiet", "--shared", "--no-checkout", checkout, root];
  const { code, stderr } = await capture("git", clone);
  if (code !== 0) throw new Error(stderr);
  for (const file of await checkoutFiles(checkout)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    cpSync(join(checkout, file), join(root, file));
  }
  symlinkSync(join(checkout, "node_modules"), join(root, "node_modules"));
  const cache = join(directory, "cache");
  const artefacts = join(cacheRoot(), "artefacts");
  mkdirSync(join(cache, "artefacts"), { recursive: true });
  for (const entry of readdirSync(artefacts)) {
    if (taken(entry.replace(/-[0-9a-f]{16}$/, "")))
      symlinkSync(join(artefacts, entry), join(cache, "artefacts", entry));
  }
  const built: string[] = [];
  for (const name of names) built.push(await ensure(name, { root, cache }));
  return built;
}

/** SHA-256 of each file of an artefact by its path, but for artefact.json, which says how long the build took. */
export function digests(directory: string): Record<string, string> {
  const paths = readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
  return Object.fromEntries(
    paths
      .filter((path) => path !== "artefact.json" && statSync(join(directory, path)).isFile())
      .map((path) => [path, sha256(readFileSync(join(directory, path)))]),
  );
}
