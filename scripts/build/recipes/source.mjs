/**
 * `source-<package>`: a pinned Debian package, unpacked: a source package with Debian's patches applied, or the files of a
 * .deb, which is installed nowhere.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chosenSource, downloadSource } from "../../setup/source-package.mjs";
import { Replan } from "../replan.mjs";

/** @import { PinnedPackage } from "../../setup/apt.mjs" */
/** @import { Origin } from "../../setup/source-package.mjs" */
/** @import { Recipe } from "../recipe.mjs" */

/**
 * @param {string} name Debian package in sources.lock.json
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
      const { source: chosen } = chosenSource(root, cache, name);
      // Both want to make the directory themselves.
      rmdirSync(out);
      if (chosen.kind === "binary") {
        const [file] = Object.keys(chosen.files);
        if (file === undefined) throw new Error(`${name} is pinned without its file`);
        await step("dpkg-deb", ["--extract", join(files, file), out]);
        return;
      }
      const description = join(files, `${name}.dsc`);
      writeFileSync(description, describe(name, chosen, files));
      await step("dpkg-source", ["--no-check", "--extract", description, out]);
    },
  };
}

/**
 * What dpkg-source has to know. The archive's own .dsc is not fetched: it would say the same, and what vouches for the files
 * is their pinned SHA-256 or apt's signed index; they were checked when they were downloaded.
 * @param {string} name
 * @param {PinnedPackage} chosen
 * @param {string} directory of the files
 * @returns {string}
 */
function describe(name, chosen, directory) {
  const files = Object.keys(chosen.files).map((file) => {
    const bytes = readFileSync(join(directory, file));
    return ` ${createHash("md5").update(bytes).digest("hex")} ${bytes.length} ${file}`;
  });
  return [
    `Format: ${chosen.format ?? "1.0"}`,
    `Source: ${name}`,
    `Version: ${chosen.version}`,
    "Files:",
    ...files,
    "",
  ].join("\n");
}
