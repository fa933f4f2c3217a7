/** `ocellus keys rotate` of an owner whose store or cameras are not there: nothing half done, nothing left unsaid. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Cloud, startCloud } from "../../scripts/cloud/cloud.ts";
import { makeDirectory, removeDirectory } from "../cloud/support.ts";
import { assertSentence, json, ocellus, succeeds } from "./support/ocellus.ts";

let directory: string;
let cloud: Cloud;
const place = (name: string) => join(directory, name);
const home = () => place("owner");

before(async () => {
  directory = await makeDirectory();
  cloud = await startCloud({ state: place("cloud") });
  await succeeds(["keys", "init", "--phrase-out", place("phrase")], { home: home() });
  const from = ["--cloud-state", cloud.state, "--out", place("front.json"), "--no-wait"];
  await succeeds(["pair", "front", ...from], { home: home() });
});
after(async () => {
  await cloud.stop();
  await removeDirectory(directory);
});

const state = () => readFile(join(home(), "owner.json"), "utf8");

test("without a backup nothing is rotated, unless that is wanted", async () => {
  const rotate = ["keys", "rotate", "--home", home()];
  await cloud.store.stop();
  try {
    const before = await state();
    const refused = await ocellus(rotate);
    assertSentence(refused, 1, /nothing was changed.* backup .*the store .*--no-backup/);
    assert.equal(await state(), before);
    const without = await ocellus([...rotate, "--no-backup"]);
    assert.equal(without.status, 0, without.stderr);
    assert.match(without.stdout, /Vault key 2 is made/);
    assert.match(
      without.stderr,
      /no backup holds the new key; make one with `ocellus keys backup`/,
    );
  } finally {
    await cloud.store.start();
  }
  assert.equal(Object(await json(rotate)).vault_version, 3);
});
