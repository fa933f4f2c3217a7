/**
 * Writes the kept inputs of updates: `node --import tsx test/fuzz/make-update-corpus.ts`. Everything comes from their vectors.
 * Inputs that once showed a fault stand beside these under names of their own and are not touched.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseSignedManifest } from "../../agent/update/manifest.ts";
import { isUpdateRefused } from "../../agent/update/refusal.ts";
import { parseSignedRoots } from "../../agent/update/roots.ts";
import { fromHex } from "../agent/seal/reference.ts";
import { bundleCasesAll } from "../agent/update/make/bundles.ts";
import { manifestCases } from "../agent/update/make/manifests.ts";
import { rootsCases } from "../agent/update/make/roots.ts";
import type { Case } from "../agent/update/make/world.ts";

const FIRST_OF_FLEET = 1;

function write(target: string, cases: readonly Uint8Array[]): void {
  const folder = join(import.meta.dirname, "corpus", target);
  mkdirSync(folder, { recursive: true });
  for (const [i, bytes] of cases.entries()) writeFileSync(join(folder, `good-${i}.bin`), bytes);
}

const good = (cases: readonly Case[]) =>
  cases.filter(({ verdict }) => verdict === "good").map(({ bytes }) => fromHex(bytes));

/** By the same roots, so that one set judges them all. */
const manifests = good(manifestCases()).slice(FIRST_OF_FLEET);
const roots = good(rootsCases()).slice(FIRST_OF_FLEET, 4);
const raw = (signed: ReturnType<typeof parseSignedRoots>) => {
  if (isUpdateRefused(signed)) throw new Error(signed.refused);
  return signed.raw;
};
write("update-signed", manifests);
write(
  "update-manifest",
  manifests.slice(-4).map((bytes) => raw(parseSignedManifest(bytes))),
);
write("update-signed-roots", roots);
write(
  "update-roots",
  roots.slice(0, 1).map((bytes) => raw(parseSignedRoots(bytes))),
);
write("update-bundle", good(bundleCasesAll()));
