/**
 * NOTICES.txt: the licence of every third-party part that stands on a camera, in its own program, its bundle or its flash, in
 * full, with its version; and parts.json, the same as a list. What is in the bundle is read off esbuild's own account.
 */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Problem } from "../problem.mjs";

/** @import { Recipe } from "../recipe.mjs" */

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {string} version
 * @property {string} licence SPDX expression where the part states one
 */

/** Linked into ocellus-camera (musl only into the camera's own build), with the licence each states. */
const LIBRARIES = [
  { name: "libsodium", licence: "ISC" },
  { name: "mbedtls", licence: "Apache-2.0 OR GPL-2.0-or-later" },
  { name: "musl", licence: "MIT" },
  { name: "quickjs", licence: "MIT" },
];

/** Programs of their own in a camera's flash, and where their sources keep their licences: files or folders of files. */
const PROGRAMS = [
  {
    ...{ name: "linux-source-6.1", licence: "GPL-2.0-only WITH Linux-syscall-note" },
    texts: [
      ["linux-source-6.1", "usr/share/doc/linux-source-6.1/copyright"],
      // Debian's text names the licence; the words of it are the same for all.
      ["u-boot", "Licenses/gpl-2.0.txt"],
    ],
  },
  { name: "busybox", licence: "GPL-2.0-only", texts: [["busybox", "LICENSE"]] },
  { name: "u-boot", licence: "GPL-2.0-or-later", texts: [["u-boot", "Licenses"]] },
];

/** Package directories of the modules in the bundle, such as node_modules/mqtt. */
function bundled(/** @type {string} */ metaFile) {
  /** @type {{ outputs: Record<string, { inputs: Record<string, { bytesInOutput: number }> }> }} */
  const meta = JSON.parse(readFileSync(metaFile, "utf8"));
  const found = new Set();
  for (const output of Object.values(meta.outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(output.inputs)) {
      const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1];
      if (name !== undefined && bytesInOutput > 0) found.add(name);
    }
  }
  return [...found].sort();
}

/** Text of the licence file in a directory. */
function licenceText(/** @type {string} */ directory, /** @type {string} */ name) {
  const file = readdirSync(directory).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  if (file === undefined) throw new Problem(`${name} comes without a licence file.`);
  return readFileSync(join(directory, file), "utf8").trim();
}

/** Text of a file, or of all files of a folder in the order of their names. */
function textsAt(/** @type {string} */ path) {
  if (!statSync(path).isDirectory()) return readFileSync(path, "utf8").trim();
  const names = readdirSync(path).sort();
  return names.map((name) => readFileSync(join(path, name), "utf8").trim()).join("\n\n");
}

/** @type {Recipe} */
export const notices = {
  name: "notices",
  text: fileURLToPath(import.meta.url),
  needs: ["bundle", ...[...LIBRARIES, ...PROGRAMS].map(({ name }) => `source-${name}`)],
  files: ["package-lock.json", "scripts/setup/sources.lock.json"],
  async build({ root, out, need }) {
    /** @type {Part[]} */
    const parts = [];
    let text = "Third-party parts of ocellus, as they stand on a camera.\n";
    const add = (/** @type {Part} */ part, /** @type {string} */ licence) => {
      parts.push(part);
      text += `\n${"=".repeat(78)}\n${part.name} ${part.version} (${part.licence})\n\n${licence}\n`;
    };
    const lock = JSON.parse(readFileSync(join(root, "scripts/setup/sources.lock.json"), "utf8"));
    for (const { name, licence } of LIBRARIES) {
      const copyright = join(need(`source-${name}`), "debian/copyright");
      const texts = existsSync(copyright)
        ? readFileSync(copyright, "utf8").trim()
        : licenceText(need(`source-${name}`), name);
      add({ name, version: lock.packages[name].version, licence }, texts);
    }
    for (const name of bundled(join(need("bundle"), "meta.json"))) {
      const directory = join(root, "node_modules", name);
      const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
      add(
        { name, version: manifest.version, licence: manifest.license },
        licenceText(directory, name),
      );
    }
    for (const { name, licence, texts } of PROGRAMS) {
      const files = texts.map(([source = "", path = ""]) => join(need(`source-${source}`), path));
      const { version } = lock.packages[name];
      add({ name, version, licence }, files.map(textsAt).join("\n\n"));
    }
    writeFileSync(join(out, "NOTICES.txt"), text);
    writeFileSync(join(out, "parts.json"), `${JSON.stringify(parts, null, 2)}\n`);
  },
};
