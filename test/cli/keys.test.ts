/** `ocellus keys`: made, shown, backed up and restored by the program, at a terminal and without one. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makePhrase } from "../../scripts/owner/phrase.ts";
import { assertSentence, json, ocellus, succeeds } from "./support/ocellus.ts";
import { ctrlC, startAtTerminal, type } from "./support/terminal.ts";

let directory: string;
let home: string;
let phraseFile: string;
const place = (name: string) => join(directory, name);

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocellus-keys-"));
  home = place("owner");
  phraseFile = place("phrase.txt");
  await succeeds(["keys", "init", "--home", home, "--phrase-out", phraseFile]);
});
after(() => rm(directory, { recursive: true }));

/** All text in all files of a directory. */
async function texts(path: string): Promise<string> {
  const names = await readdir(path);
  return (await Promise.all(names.map((name) => readFile(join(path, name), "utf8")))).join("\n");
}

/** 24 words in the order of their numbers, from what the terminal showed. */
function phraseIn(output: string): string[] {
  const numbered = [...output.matchAll(/\b(\d{1,2}) ([a-z]+)\b/g)];
  const words = Array.from({ length: 24 }, (_, i) => {
    const found = numbered.filter(([, number]) => Number(number) === i + 1);
    assert.equal(found.length, 1, `word ${i + 1} is shown once:\n${output}`);
    return found[0]?.[2] ?? "";
  });
  return words;
}

test("init writes the phrase to the file that is named and nowhere else, private", async () => {
  const phrase = (await readFile(phraseFile, "utf8")).trim();
  assert.equal(phrase.split(" ").length, 24);
  assert.equal((await stat(phraseFile)).mode & 0o777, 0o400);
  assert.equal((await stat(home)).mode & 0o777, 0o700);
  for (const words of [phrase, phrase.split(" ").slice(0, 3).join(" ")]) {
    assert.ok(!(await texts(home)).includes(words));
  }
});

test("init at a terminal shows the phrase once, asks for two of its words, and insists on them", async () => {
  const shown = startAtTerminal(["keys", "init", "--home", place("asked")]);
  await shown.says(/Word \d+: $/);
  const words = phraseIn(shown.output());
  type(shown, "wrong");
  await shown.says(/That is another word.*\s+Word \d+: $/);
  for (const asked of [1, 2]) {
    const [, number] = /Word (\d+): $/.exec(shown.output()) ?? [];
    type(shown, words[Number(number) - 1] ?? "");
    // The second is another one than the first, so that what is awaited is not what stood there.
    if (asked === 1) await shown.says(new RegExp(`Word (?!${number}:)\\d+: $`));
  }
  const { status } = await shown.ended;
  assert.equal(status, 0, shown.output());
  assert.match(shown.output(), /Your keys are in .*asked/);
  assert.ok(!(await texts(place("asked"))).includes(words.slice(0, 2).join(" ")));
});

test("Ctrl-C at a question ends init with status 130 and makes no keys", async () => {
  const asked = startAtTerminal(["keys", "init", "--home", place("broken-off")]);
  await asked.says(/Word \d+: $/);
  ctrlC(asked);
  const { status, stdout } = await asked.ended;
  assert.equal(status, 130, stdout);
  assert.doesNotMatch(stdout, /\n\s+at |Warning/);
  await assert.rejects(readdir(place("broken-off")), /ENOENT/);
});

test("init refuses to replace keys or a phrase, and to make a phrase that nobody reads", async () => {
  const state = await readFile(join(home, "owner.json"));
  const again = await ocellus([
    "keys",
    "init",
    "--home",
    home,
    "--phrase-out",
    place("second.txt"),
  ]);
  assertSentence(again, 1, /holds an owner's keys already; name another place with --home/);
  assert.deepEqual(await readFile(join(home, "owner.json")), state);
  await assert.rejects(stat(place("second.txt")), /ENOENT/);
  const elsewhere = ["keys", "init", "--home", place("elsewhere")];
  assertSentence(await ocellus([...elsewhere, "--phrase-out", phraseFile]), 1, /exists already/);
  assertSentence(await ocellus(elsewhere), 1, /run this in a terminal, or add --phrase-out FILE/);
  await assert.rejects(stat(place("elsewhere")), /ENOENT/);
});

test("show and recipients tell public keys and versions, no secret", async () => {
  const shown = await json(["keys", "show", "--home", home]);
  const fields = ["tenant", "root_key", "signer_key", "vaults", "recovery_key_id"];
  assert.deepEqual(Object.keys(Object(shown)), [
    ...fields,
    ...["recipients_version", "store", "broker", "cameras"],
  ]);
  const state: unknown = JSON.parse(await readFile(join(home, "owner.json"), "utf8"));
  const { root_secret: secret, vaults } = Object(Object(state).owner);
  const recipients = await json(["keys", "recipients", "--home", home]);
  for (const told of [shown, recipients]) {
    assert.ok(typeof secret === "string" && !JSON.stringify(told).includes(secret));
    assert.ok(!JSON.stringify(told).includes(vaults[0].secret));
  }
  const { version, recipients: who } = Object(recipients);
  assert.equal(version, 1);
  assert.deepEqual(
    who.map((one: unknown) => Object(one).who),
    ["vault version 1", "recovery phrase"],
  );
  const text = await succeeds(["keys", "show", "--home", home]);
  assert.match(
    text,
    /^tenant {7}home\n[\s\S]*^store {8}not known yet\n[\s\S]*^cameras {6}none\n$/m,
  );
});

test("a backup gives everything back elsewhere, to the phrase in a file or typed, and to no other", async () => {
  const file = place("backup.json");
  await succeeds(["keys", "backup", "--home", home, "-o", file]);
  const again = await ocellus(["keys", "backup", "--home", home, "-o", file]);
  assertSentence(again, 1, /backup\.json exists already/);
  const from = ["keys", "restore", "--from", file];
  await succeeds([...from, "--home", place("back"), "--phrase-file", phraseFile]);
  const state = await readFile(join(home, "owner.json"), "utf8");
  assert.equal(await readFile(join(place("back"), "owner.json"), "utf8"), state);
  const phrase = await readFile(phraseFile, "utf8");
  await succeeds([...from, "--home", place("typed")], { input: phrase });
  assert.equal(await readFile(join(place("typed"), "owner.json"), "utf8"), state);

  const other = [...from, "--home", place("other")];
  const refusals: readonly [phrase: string, sentence: RegExp][] = [
    [makePhrase(), /backup\.json belongs to another recovery phrase/],
    [phrase.replace(/^\S+ /, ""), /has 24 words; this one has 23/],
    [phrase.replace(/^\S+ /, "ocellus "), /word 1 of the recovery phrase is not in the word list/],
  ];
  for (const [words, sentence] of refusals) {
    await writeFile(place("wrong.txt"), words, { mode: 0o600 });
    const wrong = await ocellus([...other, "--phrase-file", place("wrong.txt")]);
    assertSentence(wrong, 1, sentence);
    assert.ok(!wrong.stderr.includes(words.trim()));
  }
  const nobody = await ocellus(other);
  assert.equal(nobody.status, 1);
  assert.match(nobody.stderr, /got no answer; run this again in a terminal\.\n$/);
  await assert.rejects(stat(place("other")), /ENOENT/);
  const over = await ocellus([...from, "--home", home, "--phrase-file", phraseFile]);
  assertSentence(over, 1, /holds an owner's keys already/);
});

test("without a store a backup wants a file, and without a phrase there is none", async () => {
  const nowhere = await ocellus(["keys", "backup", "--home", home]);
  assertSentence(nowhere, 1, /no store is known yet; name a file for the backup with --out/);
  const bare = ["--home", place("bare")];
  await succeeds(["keys", "init", "--no-recovery", ...bare]);
  const refused = await ocellus(["keys", "backup", "-o", place("bare.json"), ...bare]);
  assertSentence(refused, 1, /without a recovery phrase; no backup can be made/);
  assert.match(
    await succeeds(["keys", "recipients", ...bare]),
    /^Version 1 [\s\S]*vault version 1/,
  );
  assert.match(await succeeds(["status", ...bare]), /No camera is paired yet/);
});

test("a passphrase protects the keys, and is asked for or read from the file that is named", async () => {
  const [file, wrong, empty] = ["right", "wrong", "empty"].map(place);
  assert.ok(file && wrong && empty);
  await writeFile(file, "correct horse\n");
  await writeFile(wrong, "correct house\n");
  await writeFile(empty, "\n");
  const args = ["--home", place("sealed")];
  const init = ["keys", "init", "--no-recovery", "--passphrase", ...args];
  const withFile = (path: string) => ({ env: { OCELLUS_PASSPHRASE_FILE: path } });
  assertSentence(await ocellus(init, withFile(empty)), 1, /the passphrase is empty/);
  await succeeds(init, withFile(file));
  assert.doesNotMatch(await texts(place("sealed")), /root_secret/);
  await succeeds(["keys", "show", ...args], withFile(file));
  const show = ["keys", "show", ...args];
  assertSentence(await ocellus(show, withFile(wrong)), 1, /the passphrase does not open/);
  assertSentence(await ocellus(show), 1, /run this in a terminal, or name a file/);
  const asked = startAtTerminal(show);
  await asked.says(/Passphrase: $/);
  type(asked, "correct horse");
  const { status, stdout } = await asked.ended;
  assert.equal(status, 0, stdout);
  assert.match(stdout, /tenant {7}home/);
  assert.ok(!stdout.includes("correct horse"));
  // It writes the keys and reads them again.
  const rotated = startAtTerminal(["keys", "rotate", ...args]);
  await rotated.says(/Passphrase: $/);
  type(rotated, "correct horse");
  await rotated.says(/Vault key 2 is made/);
  assert.equal((await rotated.ended).status, 0, rotated.output());
  assert.equal(rotated.output().split("Passphrase:").length, 2, rotated.output());
});
