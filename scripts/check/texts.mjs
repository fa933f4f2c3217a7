/** Texts that must not be committed: they tie the project to one machine or say that it is unfinished. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkoutFiles } from "./files.mjs";

/**
 * @typedef {object} Rule
 * @property {string} what
 * @property {RegExp} pattern
 * @property {RegExp} [only] paths it holds for; all without
 */

/** @type {readonly Rule[]} */
const RULES = [
  {
    what: "host of a package registry",
    pattern:
      /\b(registry\.(npmjs|yarnpkg)\.|npm\.pkg\.|[\w-]+-npm\.pkg\.|artifac[t]ory|deb\.nodesource\.)/i,
  },
  { what: "path of one machine", pattern: /(?<![\w.}*])\/(home|root|Users|work)\/[\w.]/ },
  { what: "unfinished work", pattern: /\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b/ },
  {
    what: "test that does not run",
    pattern:
      /\b(describe|it|suite|t|test)\.(only|skip|todo)\(|[{,]\s*(only|skip|todo):\s*(true|["'`])/,
    only: /^test\/.*\.ts$/,
  },
];

/**
 * @param {string} root the checkout
 * @returns {Promise<string[]>} findings as "file:line: what"; empty if all is well
 */
export async function forbiddenTexts(root) {
  /** @type {string[]} */
  const findings = [];
  for (const file of await checkoutFiles(root)) {
    const bytes = readFileSync(join(root, file));
    if (bytes.includes(0)) continue;
    const rules = RULES.filter((rule) => rule.only?.test(file) ?? true);
    for (const [index, line] of bytes.toString("utf8").split("\n").entries()) {
      for (const rule of rules) {
        if (rule.pattern.test(line)) findings.push(`${file}:${index + 1}: ${rule.what}`);
      }
    }
  }
  return findings;
}
