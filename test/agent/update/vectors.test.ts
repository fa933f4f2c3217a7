/** The vectors of ota/FORMAT.md, read by the product with tweetnacl, and by the camera's own engine with libsodium. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { updateRefusals } from "../../../agent/update/refusal.ts";
import { crypto as ownersCrypto } from "../../../scripts/owner/crypto.ts";
import { nodeCrypto } from "../double/crypto.ts";
import { inEngine } from "./engine/run.ts";
import { blockCases } from "./make/bundles.ts";
import type { Case } from "./make/world.ts";
import { fileText, vectorFiles } from "./make-vectors.ts";
import { expected, readCase } from "./read-case.ts";

const files = vectorFiles();
const all: readonly Case[] = [...Object.values(files).flat(), ...blockCases()];

test("the files on disk are the ones that the generator makes", () => {
  const folder = new URL("vectors/", import.meta.url);
  assert.deepEqual(readdirSync(folder).sort(), Object.keys(files).sort());
  for (const [name, cases] of Object.entries(files))
    assert.ok(readFileSync(new URL(name, folder), "utf8") === fileText(cases), `${name} differs`);
});

for (const one of all) {
  test(`${one.as} ${one.verdict === "good" ? "taken" : `refused (${one.verdict})`}: ${one.what}`, () => {
    assert.equal(readCase(nodeCrypto(), one), expected(one));
    assert.equal(readCase(ownersCrypto, one), expected(one));
  });
}

test("every reason has its vector, and a sentence of its own", () => {
  const shown = new Set(all.map(({ verdict }) => verdict));
  // Only whoever builds an image checks the data behind its header.
  const missing = updateRefusals().filter(
    (reason) => !shown.has(reason) && reason !== "image-data",
  );
  assert.deepEqual(missing, []);
});

for (const variant of ["host", "asan", "mipsel"] as const) {
  test(`the camera's engine comes to the same verdicts (${variant})`, async (t) => {
    const verdicts = await inEngine(t, variant, all);
    assert.deepEqual(verdicts, all.map(expected));
  });
}
