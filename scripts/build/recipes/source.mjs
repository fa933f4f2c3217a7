/** `source-<package>`: a pinned Debian source package, unpacked, with Debian's patches applied. */
import { mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chosenSource, downloadSource } from "../../setup/source-package.mjs";
import { Replan } from "../replan.mjs";

/** @import { Origin } from "../../setup/source-package.mjs" */
/** @import { Recipe } from "../recipe.mjs" */

/**
 * @param {string} name Debian source package in sources.lock.json
 * @param {Origin} [origin] for tests: another mirror than the machine's
 * @returns {Recipe}
 */
export function source(name, origin) {
  return {
    name: `source-${name}`,
    text: fileURLToPath(import.meta.url),
    identity(root, cache) {
      const chosen = chosenSource(root, cache, name);
      return {
        inputs: [`source ${name} ${JSON.stringify(chosen.source)}`],
        unpinned: chosen.unpinned === undefined ? [] : [chosen.unpinned],
      };
    },
    async build({ root, cache, work, out, step }) {
      const files = join(work, "files");
      mkdirSync(files);
      if ((await downloadSource(root, cache, name, files, origin)) === "replaced")
        throw new Replan();
      const description = readdirSync(files).find((file) => file.endsWith(".dsc"));
      if (description === undefined) throw new Error(`no .dsc file among those of ${name}`);
      // dpkg-source wants to make the directory itself. Its own signature check needs Debian's
      // uploaders' keys; what vouches for these files is their pinned hash or apt's signed index.
      rmdirSync(out);
      await step("dpkg-source", ["--no-check", "--extract", join(files, description), out]);
    },
  };
}
