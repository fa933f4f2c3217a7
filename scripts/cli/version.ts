/** `ocellus version`: which product this is, of which commit, and which builds of the camera stand in the checkout. */
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { readMade } from "../build/cache.mjs";
import { checkout } from "../build/ensure.mjs";
import { Problem } from "../build/problem.mjs";
import { capture } from "../build/process.mjs";
import { shownJson } from "../build/shown.mjs";
import { unpinned } from "../build/unpinned.mjs";

/** What a camera is made of, by the names in build/. */
const BUILDS = [
  { name: "native-host", what: "camera's programs for this machine" },
  { name: "native-mipsel", what: "camera's programs for the camera" },
  { name: "bytecode", what: "agent's bundle" },
  { name: "firmware-qemu-malta-release", what: "firmware image, release" },
  { name: "firmware-qemu-malta-dev", what: "firmware image, development" },
] as const;

/** The command, to be added to the program. */
export function versionCommand(): Command {
  return new Command("version")
    .description("show the version, the commit, and the builds of the camera")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nA build is the product's version and the beginning of the hash of all that went in; what a camera's `status` tells as\nits build is that of its programs.",
    )
    .action(async (flags: { json?: true }) => {
      const told = { version: version(), commit: await commitOf(checkout), builds: builds() };
      const all = { ...told, unpinned: unpinned() };
      console.log(flags.json ? shownJson(all, 2) : describe(all));
    });
}

/** The product's version, from package.json. */
export function version(): string {
  const file: unknown = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8"));
  return String(Reflect.get(Object(file), "version"));
}

/** The version as --version tells it: below it, what of this build is not made of the pinned sources. */
export function versionLines(): string {
  return [version(), ...unpinned().map((note) => `unpinned: ${note}`)].join("\n");
}

/**
 * The commit that a directory is a checkout of: 40 hex digits, then "+changes" where files differ from it or are not in it.
 * Null where it is none, or git is not there or does not trust it.
 */
export async function commitOf(root: string): Promise<string | null> {
  const git = async (...args: string[]) => {
    try {
      const { code, stdout } = await capture("git", ["-C", root, ...args]);
      return code === 0 ? stdout.trim() : null;
    } catch (error) {
      if (error instanceof Problem) return null;
      throw error;
    }
  };
  // A package inside of somebody else's checkout is none.
  const top = await git("rev-parse", "--show-toplevel");
  if (top !== realpathSync(root)) return null;
  const head = await git("rev-parse", "HEAD");
  if (head === null) return null;
  const changes = await git("status", "--porcelain");
  return changes === "" ? head : `${head}+changes`;
}

interface Build {
  readonly name: string;
  readonly what: string;
  readonly build: string;
}

/** Those that are built. As the recipes name their builds. */
function builds(): Build[] {
  return BUILDS.flatMap(({ name, what }) => {
    const made = readMade(join(checkout, "build", name));
    if (made === undefined) return [];
    const mark = made.unpinned.length > 0 ? ".unpinned" : "";
    return [{ name, what, build: `${version()}+${made.key.slice(0, 8)}${mark}` }];
  });
}

interface Told {
  readonly version: string;
  readonly commit: string | null;
  readonly builds: readonly Build[];
  readonly unpinned: readonly string[];
}

function describe(told: Told): string {
  return [
    told.version,
    `commit ${told.commit ?? "not known: this is no git checkout"}`,
    ...told.builds.map(({ name, what, build }) => `${build}  ${name}: ${what}`),
    ...told.unpinned.map((note) => `unpinned: ${note}`),
  ].join("\n");
}
