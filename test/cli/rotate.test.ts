/** `ocellus keys rotate` of an owner whose store or cameras are not there: nothing half done, nothing left unsaid. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Cloud, startCloud } from "../../scripts/cloud/cloud.ts";
import { RealCamera } from "../agent/main/real.ts";
import { Owner as NoOwner } from "../agent/owner.ts";
import { connectMqtt, makeDirectory, removeDirectory } from "../cloud/support.ts";
import { assertSentence, json, ocellus, succeeds } from "./support/ocellus.ts";
import { until } from "./support/until.ts";

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
      /no backup holds the new key; make one with `npx --no ocellus keys backup`/,
    );
  } finally {
    await cloud.store.start();
  }
  assert.equal(Object(await json(rotate)).vault_version, 3);
});

test("where no backup can be made, it is said that only this disk has the new key", async () => {
  const own = { home: place("no-phrase") };
  await succeeds(["keys", "init", "--no-recovery"], own);
  const rotated = await ocellus(["keys", "rotate"], own);
  assert.equal(rotated.status, 0, rotated.stderr);
  assert.match(rotated.stderr, /no backup holds the new key, since .* no recovery phrase: keep a/);
  const offline = { home: place("no-store") };
  await succeeds(["keys", "init", "--phrase-out", place("phrase-2")], offline);
  const again = await ocellus(["keys", "rotate"], offline);
  assert.match(
    again.stderr,
    /no backup holds the new key; make one with `npx --no ocellus keys backup`/,
  );
});

test("a camera that is gone is waited for until it is retired; its footage stays, and it can be taken back", async () => {
  const run = (words: string) => ocellus(words.split(" "), { home: home() });
  const told = async (words: string) => Object(await json(words.split(" "), { home: home() }));
  const provisioning = new Uint8Array(await readFile(place("front.json")));
  const camera = new RealCamera(new NoOwner(), await cloud.owner(), { provisioning });
  const listed = async () => (await told("ls front")).segments.length;
  try {
    await succeeds(["pair", "front", "--finish"], { home: home() });
    await until("footage", async () => (await listed()) > 0);
  } finally {
    camera.kill();
  }
  const gone = await run("keys rotate");
  assert.equal(gone.status, 1);
  assert.match(gone.stderr, /not known to be in force at front/);
  assert.doesNotMatch(gone.stdout, /could not be learnt/);
  const { broker } = JSON.parse(new TextDecoder().decode(provisioning));
  const eraser = await connectMqtt({ ...broker, caPem: broker.ca_pem });
  const topic = `v1/home/${JSON.parse(await state()).owner.cameras[0].id}/status`;
  await eraser.publishAsync(topic, "", { qos: 1, retain: true });
  await eraser.endAsync();
  const silent = await run("keys rotate");
  assert.match(silent.stdout, /front: which list it had could not be learnt \(it has said nothing/);
  const before = JSON.parse(await state()).owner.cameras;

  const since = "2026-05-01T12:00:00Z";
  const retired = await told(`pair front --retire --since ${since}`);
  assert.deepEqual(
    [retired.state, retired.retired_us, retired.access_ended],
    ["retired", Date.parse(since) * 1000, false],
  );
  assert.deepEqual((await told("keys rotate")).sent, []);
  assert.deepEqual((await told("keys recipients --send")).sent, []);
  assert.match(
    (await run("keys show")).stdout,
    /front +[0-9a-f]{32} +retired, not yours since 2026/,
  );
  const ls = await run("ls front");
  assert.equal(ls.status, 0, ls.stderr);
  assert.match(
    ls.stderr,
    /^ocellus: camera "front" is retired: doubt what came into the store after 2026/,
  );
  assert.ok((await listed()) > 0);
  for (const words of ["send front ping", "status front"]) {
    assertSentence(
      await run(words),
      1,
      /"front" is retired; `npx --no ocellus pair front --unretire`/,
    );
  }
  for (const mode of ["--reserve", "--finish"]) {
    assertSentence(await run(`pair front ${mode}`), 1, /is retired already; choose another name/);
  }
  const words = await run("pair front --retire");
  assert.match(words.stdout, /Its access goes on: delete its users .* v1\/home\/[0-9a-f]{32}\/\)/);
  assert.match(
    words.stdout,
    /has its signing key: doubt what came into the store after 2026-05-01/,
  );

  assert.equal((await told("pair front --unretire")).state, "paired");
  assert.deepEqual(JSON.parse(await state()).owner.cameras, before);
  assertSentence(await run("pair front --unretire"), 1, /is not retired/);
});

test("a camera that never came is forgotten, with its file and, where that is said, its access", async () => {
  const from = ["--cloud-state", cloud.state];
  const provision = ["pair", "side", ...from, "--out", place("side.json"), "--no-wait"];
  await succeeds(provision, { home: home() });
  const { cameras } = Object(await json(["keys", "show"], { home: home() }));
  const { id } = cameras.find((one: unknown) => Object(one).name === "side");
  assert.ok((await cloud.cameras()).includes(id));
  const gone = Object(await json(["pair", "side", "--retire", ...from], { home: home() }));
  assert.deepEqual(
    [gone.state, gone.camera, gone.access_ended, gone.provisioning_deleted],
    ["forgotten", id, true, [place("side.json")]],
  );
  assert.ok(!(await cloud.cameras()).includes(id));
  assert.doesNotMatch(await succeeds(["keys", "show"], { home: home() }), /side/);
});
