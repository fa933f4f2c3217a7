/** What the README tells owners to paste into their store and broker is what the tests run against. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { checkout } from "../../scripts/build/ensure.mjs";
import { accessList } from "../../scripts/cloud/broker-files.ts";
import { cameraPolicy, ownerPolicy } from "../../scripts/cloud/policy.ts";
import { parseAccessFile } from "../../scripts/owner/access.ts";

const camera = "0123456789abcdef0123456789abcdef";

/** Texts of the README's fenced blocks of one language. */
async function blocks(language: string): Promise<string[]> {
  const readme = await readFile(join(checkout, "README.md"), "utf8");
  // Opening and closing fences alternate, so every second part is a block.
  const fenced = readme.split(/^```/m).filter((_, i) => i % 2 === 1);
  return fenced
    .filter((block) => block.startsWith(`${language}\n`))
    .map((block) => block.slice(language.length + 1));
}

test("the README's store policies are the camera's and the owner's", async () => {
  const [_access, ...policies] = await blocks("json");
  const shown = policies.map((text): unknown => JSON.parse(text));
  const named = { bucket: "BUCKET", tenant: "home" };
  assert.deepEqual(shown, [
    cameraPolicy({ ...named, camera, conditionalPut: true }),
    ownerPolicy(named),
  ]);
});

test("the README's access file is one, once passwords are filled in", async () => {
  const [shown = ""] = await blocks("json");
  const {
    tenant,
    owner,
    camera: ofCamera,
  } = parseAccessFile(shown.replaceAll("…", "secret"), "README");
  assert.equal(tenant, "home");
  for (const access of [owner, ofCamera]) assert.equal(access?.store.bucket, "my-footage");
  assert.equal(owner?.broker.username, "OWNER-USER");
  assert.equal(ofCamera?.broker.username, "CAMERA-USER");
});

test("the README's access list for the broker is the one the development broker enforces", async () => {
  const shown = (await blocks("")).find((block) => block.startsWith("user "));
  const identity = { tenant: "home", passwordHash: "" };
  const real = accessList([
    { ...identity, camera, username: "CAMERA-USER" },
    { ...identity, camera: undefined, username: "OWNER-USER" },
  ]);
  assert.equal(shown?.trim(), real.trim());
});
