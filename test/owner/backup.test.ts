import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import nacl from "tweetnacl";
import { backupObjectName, makeBackup, openBackup } from "../../scripts/owner/backup.ts";
import { makePhrase, recoveryKeys } from "../../scripts/owner/phrase.ts";
import { fullOwner, PHRASE } from "./support/owners.ts";

const MADE_US = 1_770_000_000_000_000;

test("a phrase has 24 words, and no two are the same", () => {
  const phrases = Array.from({ length: 20 }, makePhrase);
  for (const phrase of phrases) assert.equal(phrase.split(" ").length, 24);
  assert.equal(new Set(phrases).size, 20);
});

test("a phrase's keys are the labelled hashes that FORMAT.md states", () => {
  const sha256 = (label: string) =>
    createHash("sha256").update(`${label}\0`).update(Buffer.alloc(32)).digest();
  const keys = recoveryKeys(PHRASE);
  assert.deepEqual(Buffer.from(keys.box.secretKey), sha256("ocellus/v1/recovery-key"));
  assert.deepEqual(Buffer.from(keys.mac), sha256("ocellus/v1/recovery-mac"));
});

test("a phrase may be written with capitals, line breaks and spaces", () => {
  const sloppy = `  ${PHRASE.toUpperCase().replaceAll(" ", "\n ")} `;
  assert.deepEqual(recoveryKeys(sloppy), recoveryKeys(PHRASE));
});

test("a phrase with a word missing, unknown or misplaced is refused, saying which", () => {
  assert.throws(() => recoveryKeys("abandon art"), /24 words; this one has 2/);
  assert.throws(() => recoveryKeys(PHRASE.replace(" art", " arrt")), /word 24 .* not in the word/);
  const swapped = `art ${"abandon ".repeat(22)}abandon`;
  assert.throws(() => recoveryKeys(swapped), /check fails/);
});

test("a backup gives back every secret to the holder of the phrase", () => {
  const owner = fullOwner();
  const opened = openBackup(makeBackup(owner, MADE_US), "backup", PHRASE);
  assert.deepEqual(opened.owner, owner);
  assert.equal(opened.made_us, MADE_US);
});

test("a backup opens with tweetnacl alone as FORMAT.md says", () => {
  const file: unknown = JSON.parse(makeBackup(fullOwner(), MADE_US));
  const field = (name: string) => {
    const value: unknown = Reflect.get(Object(file), name);
    return new Uint8Array(Buffer.from(String(value), "base64"));
  };
  const sha512 = (label: string, key: Uint8Array) =>
    new Uint8Array(createHash("sha512").update(`ocellus/v1/${label}\0`).update(key).digest()).slice(
      0,
      32,
    );
  const nonce = (kind: number) => Uint8Array.from([kind, ...new Array<number>(23).fill(0)]);
  const { box } = recoveryKeys(PHRASE);
  const shared = nacl.box.before(field("ephemeral"), box.secretKey);
  const key = nacl.secretbox.open(field("wrap"), nonce(10), shared);
  assert.ok(key);
  assert.deepEqual(sha512("commitment", key), field("commitment"));
  const plain = nacl.secretbox.open(field("box"), nonce(11), sha512("body", key));
  assert.ok(plain);
  assert.match(new TextDecoder().decode(plain), /"tenant": "home"/);
  const names = ["format", "made_us", "recipient", "ephemeral", "wrap", "commitment", "box"];
  const lines = names.map((name) => `${name}=${Reflect.get(Object(file), name)}\n`).join("");
  const mac = createHmac("sha256", recoveryKeys(PHRASE).mac).update(`ocellus/v1/backup\n${lines}`);
  assert.deepEqual(new Uint8Array(mac.digest()), field("mac"));
});

test("a backup shows no secret, and not whose it is", () => {
  const file = makeBackup(fullOwner(), MADE_US);
  for (const secret of ["owner-secret", "home", "door"]) assert.ok(!file.includes(secret));
});

test("another phrase does not open a backup", () => {
  assert.throws(
    () => openBackup(makeBackup(fullOwner(), MADE_US), "backup", makePhrase()),
    /another recovery phrase/,
  );
});

test("a backup in which any field was altered is refused", () => {
  const file = makeBackup(fullOwner(), MADE_US);
  for (const name of ["made_us", "ephemeral", "wrap", "commitment", "box", "mac"]) {
    const altered = file.replace(
      new RegExp(`("${name}": "?.{4})(.)`),
      (_all, head, byte) => `${head}${byte === "1" ? "2" : "1"}`,
    );
    assert.notEqual(altered, file);
    assert.throws(() => openBackup(altered, "backup", PHRASE), /altered/, name);
  }
});

test("a backup made by someone who knows only the public recovery key is refused", () => {
  const owner = fullOwner();
  if (!owner.recovery) throw new Error("no recovery");
  const forger = { ...owner, recovery: { ...owner.recovery, mac: new Uint8Array(32) } };
  assert.throws(() => openBackup(makeBackup(forger, MADE_US), "backup", PHRASE), /altered/);
});

test("backups in the store sort by time and carry a name of their own each", () => {
  const name = backupObjectName("home", MADE_US, "one");
  assert.match(name, /^v1\/home\/owner\/backup-20260202T024000Z-[0-9a-f]{16}$/);
  assert.notEqual(name, backupObjectName("home", MADE_US, "two"));
});
