/**
 * Writes test/agent/update/vectors/*.json from fixed labels: `node --import tsx test/agent/update/make-vectors.ts`.
 * The same files come out every time; vectors.test.ts fails where they differ from what this makes.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundleCasesAll } from "./make/bundles.ts";
import { manifestCases } from "./make/manifests.ts";
import { rootsCases } from "./make/roots.ts";
import type { Case } from "./make/world.ts";

/** Every vector file by name. */
export function vectorFiles(): Record<string, readonly Case[]> {
  return {
    "manifests.json": manifestCases(),
    "roots.json": rootsCases(),
    "bundles.json": bundleCasesAll(),
  };
}

/** As it stands on disk. */
export function fileText(cases: readonly Case[]): string {
  return `${JSON.stringify(cases, null, 1)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, cases] of Object.entries(vectorFiles()))
    writeFileSync(new URL(`vectors/${name}`, import.meta.url), fileText(cases));
}
