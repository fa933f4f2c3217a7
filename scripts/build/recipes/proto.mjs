/**
 * The messages of agent/proto as static code: one ES module with encode and decode for each message
 * (imported as "#proto") and its types.
 *
 * 64-bit fields are numbers, exact up to 2^53 − 1: the long package is kept out, so that the camera,
 * which has no such package, and Node behave the same.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Problem } from "../problem.mjs";

/** @import { Recipe } from "../recipe.mjs" */

const FOLDER = "agent/proto";
const IMPORT = 'import $protobuf from "protobufjs/minimal.js";';
const NUMBERS_ONLY = `${IMPORT}
// 64-bit fields are plain numbers everywhere; see scripts/build/recipes/proto.mjs.
$protobuf.util.Long = null;
$protobuf.configure();`;

/**
 * Replaces text that must be there: a new protobufjs-cli that writes something else is noticed.
 * @param {string} file
 * @param {string} from
 * @param {string} to
 */
function replaceIn(file, from, to) {
  const text = readFileSync(file, "utf8");
  if (!text.includes(from)) {
    throw new Problem(
      `protobufjs-cli did not write "${from}"; mend scripts/build/recipes/proto.mjs.`,
    );
  }
  writeFileSync(
    file,
    text.replace(from, () => to),
  );
}

/** @type {Recipe} */
export const proto = {
  name: "proto",
  text: fileURLToPath(import.meta.url),
  files: [FOLDER, "package-lock.json"],
  only: /\.proto$/,
  inCheckout: "copy",
  async build({ root, out, step }) {
    const bin = join(root, "node_modules/.bin");
    const sources = readdirSync(join(root, FOLDER))
      .filter((name) => name.endsWith(".proto"))
      .sort()
      .map((name) => join(root, FOLDER, name));
    const code = join(out, "index.js");
    const types = join(out, "index.d.ts");
    const shape = ["--target", "static-module", "--wrap", "esm", "--force-number", "--alt-comment"];
    const omitted = ["create", "verify", "convert", "delimited", "typeurl", "service"];
    const options = [...shape, ...omitted.map((part) => `--no-${part}`)];
    await step(join(bin, "pbjs"), [
      ...options,
      "--path",
      join(root, FOLDER),
      "--out",
      code,
      ...sources,
    ]);
    await step(join(bin, "pbts"), ["--out", types, code]);
    replaceIn(code, IMPORT, NUMBERS_ONLY);
    replaceIn(types, 'import Long = require("long");\n', "");
    // Else whatever stands above the cache would say what these are, and esbuild would write other code for it.
    writeFileSync(join(out, "package.json"), '{ "type": "module" }\n');
  },
};
