/** `ocellus ota roots` and `ota key`: a fleet whose images two of three keys sign, kept and rotated in the development store. */
import assert from "node:assert/strict";
import { copyFile, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isUpdateRefused } from "../../agent/update/refusal.ts";
import { nextRoots, ownerRoots, type UpdateRoots } from "../../agent/update/roots.ts";
import { type Cloud, startCloud } from "../../scripts/cloud/cloud.ts";
import { crypto } from "../../scripts/owner/crypto.ts";
import { openStore, type Store } from "../../scripts/owner/store.ts";
import { makeDirectory, removeDirectory } from "../cloud/support.ts";
import { smallImage } from "./support/images.ts";
import { assertSentence, json, ocellus, succeeds } from "./support/ocellus.ts";

let directory: string;
let cloud: Cloud;
let owners: Store;
/** Public keys in base64. */
const keys: string[] = [];
const place = (name: string) => join(directory, name);
const keyFile = (i: number) => place(`key-${i}.json`);
const at = (name = "owner") => ({
  home: place(name),
  env: { OCELLUS_UPDATE_KEY_PASSPHRASE_FILE: place("passphrase") },
});

before(async () => {
  directory = await makeDirectory();
  cloud = await startCloud({ state: place("cloud") });
  await succeeds(["keys", "init", "--no-recovery"], at());
  const from = ["--cloud-state", cloud.state, "--out", place("front.json"), "--no-wait"];
  await succeeds(["pair", "front", ...from], at());
  owners = openStore((await cloud.owner()).store);
  await writeFile(place("passphrase"), "correct horse\n");
  for (const i of [0, 1, 2, 3]) {
    const made = Object(await json(["ota", "key", "-o", keyFile(i)], at()));
    keys.push(made.public_key);
  }
});
after(async () => {
  owners.close();
  await cloud.stop();
  await removeDirectory(directory);
});

/** The flags that name these keys. */
const named = (...which: number[]) => which.flatMap((i) => ["--key", keys[i] ?? ""]);
const rootsName = (version: number) => `v1/home/update/roots/${String(version).padStart(10, "0")}`;
const run = (...words: string[]) => ocellus(["ota", ...words], at());
const told = async (...words: string[]) => Object(await json(["ota", ...words], at()));

/** What a camera comes to that was off all the time. */
async function cameraRoots(): Promise<UpdateRoots> {
  const { root_key } = Object(await json(["keys", "show"], at()));
  let roots = ownerRoots("home", new Uint8Array(Buffer.from(root_key, "base64")));
  for (;;) {
    const bytes = await owners.get(rootsName(roots.version + 1));
    if (bytes === null) return roots;
    const next = nextRoots(crypto, bytes, roots);
    if (isUpdateRefused(next)) assert.fail(next.refused);
    roots = next;
  }
}

test("an update key is under its passphrase, and belongs to its public key", async () => {
  const text = await readFile(keyFile(0), "utf8");
  assert.deepEqual(Object.keys(JSON.parse(text)), [
    "format",
    "public_key",
    "scrypt",
    "nonce",
    "box",
  ]);
  assert.equal((await stat(keyFile(0))).mode & 0o777, 0o600);
  assertSentence(await run("key", "-o", keyFile(0)), 1, /key-0\.json exists already/);
  const file = place("some.ocellus-roots");
  await writeFile(file, smallImage());
  const altered = place("altered.json");
  await writeFile(altered, text.replace(keys[0] ?? "", keys[1] ?? ""));
  const slot = place("key-test.uimage");
  const update = place("key-test.ocellus-update");
  await writeFile(slot, smallImage({ bytes: 1000 }));
  await succeeds(["ota", "build", "--board", "qemu/malta", "--slot", slot, "-o", update]);
  const signWith = async (key: string, env = at().env) => {
    const { status, stdout, stderr } = await ocellus(["ota", "sign", update, "--key", key], {
      env,
    });
    assert.deepEqual([status, stdout], [1, ""]);
    return stderr;
  };
  assert.match(await signWith(altered), /altered: its public key is not that of its secret/);
  await writeFile(place("wrong"), "correct house\n");
  const wrong = { OCELLUS_UPDATE_KEY_PASSPHRASE_FILE: place("wrong") };
  assert.match(await signWith(keyFile(0), wrong), /the passphrase does not open/);
  const none = { OCELLUS_UPDATE_KEY_PASSPHRASE_FILE: "" };
  assert.match(
    await signWith(keyFile(0), none),
    /key-0\.json has a passphrase; run this in a terminal/,
  );
  assert.match(await signWith(slot), /is not JSON/);
});

test("the owner's root key alone is in force until others replace it, by its signature and theirs", async () => {
  assert.match(await succeeds(["ota", "roots"], at()), /^version {4}0: your root key alone\n/);
  const init = ["roots", "--init", "--threshold", "2", ...named(0, 1, 2)];
  assertSentence(
    await run(...init),
    1,
    /^ocellus: nothing is changed: too few different keys of the new roots/,
  );
  const draft = place("first.ocellus-roots");
  const made = await told(...init, "--sign-with", keyFile(0), "--out", draft);
  assert.deepEqual([made.in_force, made.version], [false, 1]);
  assertSentence(await run("roots", "--take", draft), 1, /too few different keys of the new roots/);
  assert.equal(await owners.get(rootsName(1)), null);
  // Somebody whose key is in neither signs in vain.
  await succeeds(["ota", "sign", draft, "--key", keyFile(3)], { env: at().env });
  assertSentence(await run("roots", "--take", draft), 1, /too few different keys of the new roots/);
  await succeeds(["ota", "sign", draft, "--key", keyFile(2)], { env: at().env });
  const shown = await told("show", draft);
  assert.deepEqual([shown.kind, shown.accepted, shown.threshold], ["roots", true, 2]);
  const taken = await told("roots", "--take", draft);
  assert.deepEqual([taken.in_force, taken.store, taken.version], [true, "put", 1]);
  assert.deepEqual((await cameraRoots()).threshold, 2);
  assertSentence(await run("roots", "--take", draft), 1, /not the version that follows/);
  assertSentence(
    await run(...init),
    1,
    /there are roots already, version 1; change them with --rotate/,
  );
});

test("a fleet's update takes two of its keys, and the owner's no longer counts", async () => {
  const [slot, file] = [place("fleet.uimage"), place("fleet.ocellus-update")];
  await writeFile(slot, smallImage({ bytes: 100_000 }));
  const counter = ["--security-counter", "7"];
  await succeeds(["ota", "build", "--board", "qemu/malta", "--slot", slot, "-o", file, ...counter]);
  await succeeds(["ota", "sign", file], at());
  await succeeds(["ota", "sign", file, "--key", keyFile(0)], { env: at().env });
  // Once more is not twice.
  await succeeds(["ota", "sign", file, "--key", keyFile(0)], { env: at().env });
  const sentence = /is not published: fewer different keys .* than it takes, 2;/;
  assertSentence(await run("publish", file), 1, sentence);
  await succeeds(["ota", "sign", file, "--key", keyFile(1)], { env: at().env });
  const done = await told("publish", file);
  assert.deepEqual([done.manifest, done.roots_version, done.security_counter], ["put", 1, 7]);
});

test("a revoked key signs no longer: what it signed is refused until it is signed anew", async () => {
  const file = place("fleet.ocellus-update");
  const rotate = ["roots", "--rotate", ...named(1, 2, 3)];
  const byOld = await run(...rotate, "--sign-with", keyFile(0), "--sign-with", keyFile(1));
  assertSentence(byOld, 1, /too few different keys of the new roots have signed/);
  const byNew = await run(...rotate, "--sign-with", keyFile(1), "--sign-with", keyFile(3));
  assertSentence(byNew, 1, /too few different keys of the roots in force have signed/);
  const both = ["--sign-with", keyFile(1), "--sign-with", keyFile(2)];
  const made = await told(...rotate, ...both);
  assert.deepEqual([made.version, made.threshold, made.store], [2, 2, "put"]);
  assert.deepEqual((await cameraRoots()).version, 2);
  assertSentence(await run("publish", file), 1, /is not published: fewer different keys/);
  await succeeds(["ota", "sign", file, "--key", keyFile(3)], { env: at().env });
  const done = await told("publish", file);
  assert.deepEqual([done.image, done.manifest, done.roots_version], ["exists", "signed anew", 2]);
});

test("images below a raised counter are revoked, and it cannot be lowered again", async () => {
  const both = ["--sign-with", keyFile(1), "--sign-with", keyFile(2)];
  const raised = await told("roots", "--rotate", "--security-counter-least", "8", ...both);
  assert.deepEqual([raised.version, raised.security_counter_least], [3, 8]);
  const refused = await run("publish", place("fleet.ocellus-update"));
  assertSentence(refused, 1, /\(security-counter\): it is older than the oldest image that may/);
  const lowered = await run("roots", "--rotate", "--security-counter-least", "7", ...both);
  assertSentence(lowered, 1, /would let revoked images come back/);
});

test("an owner's copy elsewhere learns the roots from the store, and cannot make others of the same version", async () => {
  await mkdir(place("copy"), { mode: 0o700 });
  await copyFile(place("owner/owner.json"), place("copy/owner.json"));
  assert.equal(Object(await json(["ota", "roots"], at("copy"))).version, 3);
  const kept = async (name: string) => (await readdir(place(`${name}/update-roots`))).sort();
  assert.deepEqual(await kept("copy"), await kept("owner"));
  // Both make version 4; the copy cannot see the store while it does.
  const both = ["--sign-with", keyFile(1), "--sign-with", keyFile(2)];
  await told("roots", "--rotate", "--threshold", "1", ...both);
  await mkdir(place("late/update-roots"), { recursive: true, mode: 0o700 });
  await copyFile(place("owner/owner.json"), place("late/owner.json"));
  for (const version of await kept("owner"))
    await copyFile(place(`owner/update-roots/${version}`), place(`late/update-roots/${version}`));
  const other = await owners.get(rootsName(4));
  assert.ok(other);
  await owners.remove(rootsName(4));
  await owners.putNew(rootsName(4), (await owners.get(rootsName(3))) ?? new Uint8Array());
  const sentence = /the store holds other roots of version 4 .* have to agree which are right/;
  assertSentence(
    await ocellus(["ota", "publish", place("fleet.ocellus-update")], at("late")),
    1,
    sentence,
  );
  const shown = await ocellus(["ota", "roots"], at("late"));
  assert.match(
    shown.stderr,
    /warning: there may be newer roots than are known here: the store holds/,
  );
  assert.match(shown.stdout, /^version {4}4\n/);
  // Whoever has not taken version 4 refuses what stands there.
  const behind = await ocellus(["ota", "publish", place("fleet.ocellus-update")], at("copy"));
  assertSentence(
    behind,
    1,
    /roots\/0000000004 in the store is refused as the roots' version 4: .* so remove it/,
  );
});
