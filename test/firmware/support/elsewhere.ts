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

const SOMEBODY = {
  ...{ GIT_AUTHOR_NAME: "somebody", GIT_AUTHOR_EMAIL: "somebody@example.org" },
  ...{ GIT_COMMITTER_NAME: "somebody", GIT_COMMITTER_EMAIL: "somebody@example.org" },
  ...{ GIT_AUTHOR_DATE: "2026-02-03T04:05:06Z", GIT_COMMITTER_DATE: "2026-02-03T04:05:06Z" },
};

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
  await cloneWithoutHistory(root);
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

/** One commit and no other, as a shallow clone has it, made at another time: a build that asks git when what changed differs. */
async function cloneWithoutHistory(root: string): Promise<void> {
  const git = async (args: readonly string[]) => {
    const { code, stdout, stderr } = await capture("git", args, { env: SOMEBODY });
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  await git(["clone", "--quiet", "--depth=1", "--no-checkout", `file://${checkout}`, root]);
  const commit = await git(["-C", root, "commit-tree", "-m", "Of another time", "HEAD^{tree}"]);
  await git(["-C", root, "update-ref", "HEAD", commit]);
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
