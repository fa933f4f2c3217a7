/** The disks of an emulated camera. */
import assert from "node:assert/strict";
import { link, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeCard, wipeCard } from "../../scripts/emulator/media.ts";

test("a card that is wiped has no name and no secret: a machine that has it plugged in reads zeros", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "ocellus-media-"));
  t.after(() => rm(directory, { recursive: true }));
  const [card, plugged] = [join(directory, "card.img"), join(directory, "plugged")];
  await makeCard(card, '{"token":"a secret"}');
  await link(card, plugged);
  const before = await readFile(plugged);
  assert.ok(before.includes("a secret"));
  await wipeCard(card);
  await assert.rejects(readFile(card), { code: "ENOENT" });
  assert.ok((await readFile(plugged)).equals(Buffer.alloc(before.length)));
  // One that was wiped before is no trouble.
  await wipeCard(card);
});
