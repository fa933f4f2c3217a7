import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { random } from "../../scripts/owner/crypto.ts";
import { changeOwner, type Keystore, loadOwner, saveOwner } from "../../scripts/owner/keystore.ts";
import { passphraseKey } from "../../scripts/owner/sealed-file.ts";
import { fullOwner } from "./support/owners.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

async function emptyStore(t: TestContext, passphrase = "correct horse"): Promise<Keystore> {
  const home = await mkdtemp(join(tmpdir(), "ocellus-owner-"));
  t.after(() => rm(home, { recursive: true }));
  return { home: join(home, "state"), askPassphrase: async () => utf8(passphrase) };
}

test("an owner comes back as it was saved", async (t) => {
  const store = await emptyStore(t);
  const owner = fullOwner();
  await saveOwner(store, { owner });
  assert.deepEqual((await loadOwner(store)).owner, owner);
});

test("state directory and file are private, and no part file stays behind", async (t) => {
  const store = await emptyStore(t);
  await saveOwner(store, { owner: fullOwner() });
  assert.equal((await stat(store.home)).mode & 0o777, 0o700);
  assert.equal((await stat(join(store.home, "owner.json"))).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(store.home), ["owner.json"]);
});

test("under a passphrase no secret stands in the file, and only that passphrase opens it", async (t) => {
  const store = await emptyStore(t);
  const owner = fullOwner();
  await saveOwner(store, { owner, key: passphraseKey(utf8("correct horse")) });
  const file = await readFile(join(store.home, "owner.json"), "utf8");
  assert.ok(!file.includes("owner-secret") && !file.includes("broker-secret"));
  assert.ok(!file.includes(Buffer.from(owner.root.secretKey.subarray(0, 32)).toString("base64")));
  assert.deepEqual((await loadOwner(store)).owner, owner);
  const wrong = { ...store, askPassphrase: async () => utf8("correct house") };
  await assert.rejects(loadOwner(wrong), /passphrase does not open/);
});

test("a changed owner stays sealed under its passphrase", async (t) => {
  const store = await emptyStore(t);
  await saveOwner(store, { owner: fullOwner(), key: passphraseKey(utf8("correct horse")) });
  await changeOwner(store, (owner) => [{ ...owner, cameras: [] }, undefined]);
  const loaded = await loadOwner(store);
  assert.deepEqual(loaded.owner.cameras, []);
  assert.ok(loaded.key);
});

test("a passphrase's cost that this version does not make is refused before it is paid", async (t) => {
  const store = await emptyStore(t);
  await saveOwner(store, { owner: fullOwner(), key: passphraseKey(utf8("correct horse")) });
  const path = join(store.home, "owner.json");
  const file = await readFile(path, "utf8");
  await writeFile(path, file.replace('"log2_n": 17', '"log2_n": 30'));
  await assert.rejects(loadOwner(store), /cost of its passphrase/);
});

test("two changes at once both take effect", async (t) => {
  const store = await emptyStore(t);
  await saveOwner(store, { owner: fullOwner() });
  const add = (name: string) =>
    changeOwner(store, async (owner) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const camera = { name, id: random(16), state: "expected", token: random(32) } as const;
      return [{ ...owner, cameras: [...owner.cameras, camera] }, undefined];
    });
  await Promise.all([add("one"), add("two"), add("three")]);
  const names = (await loadOwner(store)).owner.cameras.map((camera) => camera.name);
  assert.deepEqual(names.slice(fullOwner().cameras.length).sort(), ["one", "three", "two"]);
});

test("a change that fails leaves the owner as it was, and the lock free", async (t) => {
  const store = await emptyStore(t);
  const owner = fullOwner();
  await saveOwner(store, { owner });
  await assert.rejects(
    changeOwner(store, () => {
      throw new Error("refused");
    }),
    /refused/,
  );
  assert.deepEqual((await loadOwner(store)).owner, owner);
  await changeOwner(store, (same) => [same, undefined]);
});

test("the lock of a process that is gone is taken over", async (t) => {
  const store = await emptyStore(t);
  await saveOwner(store, { owner: fullOwner() });
  // Above the largest process id Linux gives (kernel.pid_max is at most 2^22).
  await writeFile(join(store.home, "owner.lock"), String(2 ** 22 + 1));
  await changeOwner(store, (owner) => [owner, undefined]);
});

test("without keys the sentence says how to make them", async (t) => {
  await assert.rejects(loadOwner(await emptyStore(t)), /ocellus keys init/);
});

test("a damaged state file is named with the field, and with what brings the keys back", async (t) => {
  const store = await emptyStore(t);
  await saveOwner(store, { owner: fullOwner() });
  const path = join(store.home, "owner.json");
  const file = await readFile(path, "utf8");
  await writeFile(path, file.replace('"root_secret"', '"rot_secret"'));
  await assert.rejects(
    loadOwner(store),
    /owner\.json has an unknown field "rot_secret"; move that file away and bring the keys back with `.*ocellus keys restore`\.$/,
  );
  await writeFile(path, file.slice(0, 100));
  await assert.rejects(
    loadOwner(store),
    /owner\.json is not JSON; move .* `.*ocellus keys restore`\.$/,
  );
});
