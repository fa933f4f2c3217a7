/** What others say reaches a terminal as text: no control or format character of theirs does, and none makes a line. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { MqttClient } from "mqtt";
import { ocellus as proto } from "#proto";
import { toHex } from "../../agent/identity/encoding.ts";
import { cameraPrefix, topicName } from "../../agent/seal/names.ts";
import { parseRecord } from "../../agent/seal/record.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { shown, shownJson, shownLines } from "../../scripts/build/shown.mjs";
import type { CloudAccess } from "../../scripts/cloud/access.ts";
import { encoded, random } from "../../scripts/owner/crypto.ts";
import { createOwner } from "../../scripts/owner/keystore.ts";
import { signCameraRecord, signList } from "../../scripts/owner/lists.ts";
import { makeKeys, newestVault } from "../../scripts/owner/owner.ts";
import { connectMqtt, makeDirectory, removeDirectory, withCloud } from "../cloud/support.ts";
import { makeSealer, type Sealer, sealRecord } from "../owner/support/sealed.ts";
import { assertSentence, type Ended, json, ocellus, type RunOptions } from "./support/ocellus.ts";

const { Kind, Pairing, Result, StageName, StageState } = proto.v1;

/** Sets a title, begins a line, clears the screen (C1), turns the text around, hides, separates lines and paragraphs. */
const EVIL = "\x1b]0;x\x07\nocellus: fine.\r\x9b2J\u202efdp\u200b\u2028\u2029\u{e0041}\x7f";
const SHOWN =
  "\\u{1b}]0;x\\u{7}\\u{a}ocellus: fine.\\u{d}\\u{9b}2J\\u{202e}fdp\\u{200b}\\u{2028}\\u{2029}\\u{e0041}\\u{7f}";
const RAW = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

test("each such character stands as its number, all others as they are", () => {
  assert.equal(shown(EVIL), SHOWN);
  assert.equal(shown("a\ud800b\udc00"), "a\\u{d800}b\\u{dc00}");
  const harmless = "Straße 12, 東京, 🎥 é \\u{1b} –";
  assert.equal(shown(harmless), harmless);
  assert.equal(shownLines("a\x1b\nb\r\n"), "a\\u{1b}\nb\\u{d}\n");
});

test("JSON stays the same value, and holds none of them raw", () => {
  const value = { [EVIL]: [EVIL, "a\ud800", 1, null, { "": "\\\n" }] };
  for (const indent of [undefined, 2]) {
    const text = shownJson(value, indent);
    assert.doesNotMatch(text, RAW);
    assert.deepEqual(JSON.parse(text), value);
  }
  assert.equal(shownJson({ a: [1] }, 2), JSON.stringify({ a: [1] }, null, 2));
});

/** A camera in a thief's hands, which says what he likes: its status, a log on the first command, and no to the others. */
async function startThief({ broker }: CloudAccess, thief: Sealer): Promise<MqttClient> {
  const client = await connectMqtt(broker);
  let seq = 0;
  const say = (kind: proto.v1.Kind, leaf: "status" | "rsp", parts: object) => {
    const topic = topicName(thief.tenant, thief.camera, leaf);
    seq += 1;
    const record = { kind, topic, boot: 1, seq, secret: new Uint8Array(), ...parts };
    const payload = Buffer.from(sealRecord(thief, record));
    return client.publishAsync(topic, payload, { qos: 1, retain: leaf === "status" });
  };
  let commands = 0;
  client.on("message", (_topic, payload) => {
    const command = parseRecord(new Uint8Array(payload));
    assert.ok(!isRefused(command));
    commands += 1;
    const reply = encoded(proto.v1.Reply, {
      ...{ signer: command.body.signer, seq: command.body.seq, text: EVIL },
      result: commands === 1 ? Result.RESULT_OK : Result.RESULT_INVALID,
      log: new TextEncoder().encode(`1 ${EVIL}\n2 \x1b[2K\n`),
    });
    void say(Kind.KIND_REPLY, "rsp", { secret: reply });
  });
  await client.subscribeAsync(topicName(thief.tenant, thief.camera, "cmd"), { qos: 1 });
  const plain = encoded(proto.v1.StatusPublic, {
    ...{ monotonicUs: 1e6, build: EVIL, board: EVIL, image: EVIL, pairing: Pairing.PAIRING_PAIRED },
  });
  const stage = { name: StageName.STAGE_UPLOAD, state: StageState.STAGE_TROUBLE };
  const stages = [{ ...stage, reason: EVIL, cause: EVIL }];
  const secret = encoded(proto.v1.StatusPrivate, { startReason: EVIL, stages });
  await say(Kind.KIND_STATUS, "status", { plain, secret });
  return client;
}

function assertShown({ stdout, stderr }: Ended): void {
  assert.doesNotMatch(stdout, RAW);
  assert.doesNotMatch(stderr, RAW);
  assert.doesNotMatch(`${stdout}${stderr}`, /^ocellus: fine/m);
}

test("a stolen camera and a store of odd names cannot steer their owner's terminal", async (t) => {
  const directory = await makeDirectory();
  t.after(() => removeDirectory(directory));
  await withCloud({}, async (cloud) => {
    const keys = makeKeys(cloud.tenant, undefined);
    const unpaired = { ...keys, list: signList(keys, 1, 1), access: await cloud.owner() };
    const thief = { ...makeSealer(newestVault(unpaired)), tenant: cloud.tenant };
    const expected = {
      name: "door",
      id: thief.camera,
      state: "expected",
      token: random(32),
    } as const;
    const pinned = { signingKey: thief.signing.publicKey, boxKey: thief.box.publicKey };
    const paired = signCameraRecord({ ...unpaired, cameras: [] }, expected, pinned, 1);
    const home = join(directory, "owner");
    const store = { home, askPassphrase: async () => new Uint8Array() };
    await createOwner(store, { owner: { ...unpaired, cameras: [paired] } });
    const options: RunOptions = { home, env: { XDG_CACHE_HOME: join(directory, "cache") } };
    const access = await cloud.addCamera({ tenant: thief.tenant, camera: toHex(thief.camera) });
    const client = await startThief(access, thief);
    try {
      const status = await ocellus(["status"], options);
      assertShown(status);
      assert.ok(status.stdout.includes(`  upload   trouble: ${SHOWN}\n`), status.stdout);
      assert.ok(status.stdout.includes(` boot 1 (${SHOWN})\n`), status.stdout);
      const told = Object(await json(["status"], options));
      assert.equal(told[0].status.stages[0].reason, EVIL);
      const log = await ocellus(["send", "door", "log"], options);
      // A line break in a log is one, whoever wrote it.
      assert.equal(log.stdout, `1 ${SHOWN.replace("\\u{a}", "\n")}\n2 \\u{1b}[2K\n`);
      const refused = await ocellus(["send", "door", "ping"], options);
      assert.ok(refused.stderr.endsWith(`(invalid): ${SHOWN}\n`), refused.stderr);

      // S3 takes names with any of these; the development store has none with the first 32.
      const name = `${cameraPrefix(cloud.tenant, thief.camera)}boot/${EVIL}`;
      const key = `<Contents><Key>${encodeURIComponent(name)}</Key><Size>9</Size></Contents>`;
      const listing = `<ListBucketResult><EncodingType>url</EncodingType>${key}</ListBucketResult>`;
      cloud.store.faults = () => ({ reply: { status: 200, body: listing } });
      const listed = await ocellus(["ls", "door"], options);
      assertShown(listed);
      assert.match(listed.stderr, /^ocellus: [^\n]*\/boot\/\\u\{1b\}[^\n]* is refused: [^\n]*\n$/);
      const listedJson = await ocellus(["ls", "door", "--json"], options);
      assertShown(listedJson);
      assert.equal(Object(JSON.parse(listedJson.stdout)).refused[0].object, name);

      const body = "<Error><Code>Bad\u202e\u009b2J&#10;ocellus: fine.</Code></Error>";
      cloud.store.faults = () => ({ reply: { status: 400, body } });
      const failed = await ocellus(["ls", "door"], options);
      assertSentence(failed, 1, /answered 400 \(Bad\\u\{202e\}\\u\{9b\}2J/);
    } finally {
      await client.endAsync(true);
    }
  });
});
