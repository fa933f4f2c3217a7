/** The list of third-party parts must be what really stands on a camera. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { checkout, ensure } from "../../scripts/build/ensure.mjs";

let notices = "";
before(async () => {
  notices = await ensure("notices");
});

test("native/THIRD-PARTY.md names every part on the camera with its version and licence, and no other", async () => {
  const table = await readFile(join(checkout, "native/THIRD-PARTY.md"), "utf8");
  const rows = [...table.matchAll(/^\| (\S+) \| (\S+) \| (.+?) \|/gm)]
    .map(([, name, version, licence]) => `${name} ${version} ${licence}`)
    .filter((row) => !row.startsWith("part ") && !row.startsWith("---"));
  const parts: { name: string; version: string; licence: string }[] = JSON.parse(
    await readFile(join(notices, "parts.json"), "utf8"),
  );
  const real = parts.map(({ name, version, licence }) => `${name} ${version} ${licence}`);
  assert.deepEqual(rows.sort(), real.sort());
});

test("NOTICES.txt carries a licence text for each part", async () => {
  const text = await readFile(join(notices, "NOTICES.txt"), "utf8");
  const sections = text.split("=".repeat(78)).slice(1);
  assert.ok(sections.length > 10);
  for (const section of sections) assert.ok(section.length > 200, section.slice(0, 80));
});
