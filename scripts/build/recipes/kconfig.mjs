/**
 * Configurations of Linux, U-Boot and busybox: short files of ours, on top of nothing or of a defconfig. Their tools drop a
 * line without a word when something it depends on is missing, so what came out is compared with what was asked for.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../problem.mjs";

/** @import { Step } from "../recipe.mjs" */

/**
 * Lines of a configuration and where they stand.
 * @typedef {object} Fragment
 * @property {string} from file name for the user, or what made the lines
 * @property {string} text
 */

/**
 * @param {string} root the checkout
 * @param {string} file relative to it
 * @returns {Fragment}
 */
export function fragmentOf(root, file) {
  return { from: file, text: readFileSync(join(root, file), "utf8") };
}

/**
 * @param {string} line
 * @returns {{ symbol: string, value: string } | undefined} "n" for "# CONFIG_X is not set"; undefined for other lines
 */
function setting(line) {
  const [, off] = /^# (CONFIG_\w+) is not set$/.exec(line) ?? [];
  if (off !== undefined) return { symbol: off, value: "n" };
  const [, symbol, value] = /^(CONFIG_\w+)=(.*)$/.exec(line) ?? [];
  return symbol === undefined || value === undefined ? undefined : { symbol, value };
}

/**
 * Compares what was asked for with what came out.
 * @param {readonly Fragment[]} fragments a later one may change an earlier one's symbol
 * @param {string} config the finished .config
 * @throws {Problem} a line is neither setting nor comment, or did not survive: the first such line
 */
export function checkConfig(fragments, config) {
  /** @type {Map<string, string>} */
  const have = new Map();
  for (const line of config.split("\n")) {
    const found = setting(line);
    if (found !== undefined) have.set(found.symbol, found.value);
  }
  /** @type {Map<string, { value: string, from: string }>} */
  const wanted = new Map();
  for (const { from, text } of fragments) {
    for (const line of text.split("\n")) {
      const found = setting(line);
      if (found !== undefined) wanted.set(found.symbol, { value: found.value, from });
      else if (/^#?\s*CONFIG_|^[^#\s]/.test(line)) {
        throw new Problem(`${from} has a line that sets nothing: ${line}`);
      }
    }
  }
  for (const [symbol, { value, from }] of wanted) {
    const now = have.get(symbol) ?? "n";
    if (now === value) continue;
    throw new Problem(
      `${from} asks for ${symbol}=${value}, and the configuration made of it has ${now}: what the symbol depends on is missing, or something else selects it.`,
    );
  }
}

/**
 * Makes .config from nothing but these lines, and checks it.
 * @param {string} work source tree
 * @param {readonly Fragment[]} fragments
 * @param {readonly string[]} make arguments that every call of make gets
 * @param {Step} step
 */
export async function configureFromNothing(work, fragments, make, step) {
  const file = join(work, "ocellus.config");
  writeFileSync(file, fragments.map(({ text }) => text).join("\n"));
  await step("make", [...make, "allnoconfig"], { env: { KCONFIG_ALLCONFIG: file } });
  checkConfig(fragments, readFileSync(join(work, ".config"), "utf8"));
}

/**
 * Makes .config from one that is there and these lines, and checks it.
 * @param {string} work source tree
 * @param {string} base a configuration in the tree, e.g. of its configs/
 * @param {readonly Fragment[]} fragments
 * @param {{ make: readonly string[], target: string }} call arguments that every call of make gets, and the target that
 *   completes a configuration
 * @param {Step} step
 */
export async function configureOnTop(work, base, fragments, { make, target }, step) {
  /** @type {Map<string, string>} */
  const lines = new Map();
  // One line for each symbol: of two, some tools take the first and some the last.
  for (const text of [
    readFileSync(join(work, base), "utf8"),
    ...fragments.map((each) => each.text),
  ]) {
    for (const line of text.split("\n")) {
      const symbol = setting(line)?.symbol;
      if (symbol !== undefined) lines.set(symbol, line);
    }
  }
  writeFileSync(join(work, ".config"), `${[...lines.values()].join("\n")}\n`);
  await step("make", [...make, target]);
  checkConfig(fragments, readFileSync(join(work, ".config"), "utf8"));
}
