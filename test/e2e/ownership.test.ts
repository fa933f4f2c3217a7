/**
 * Whose camera it is: claiming, adoption, who can open footage and who cannot, new keys, backups, reset and a new owner.
 */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ocellus } from "#proto";
import { toHex } from "../../agent/identity/encoding.ts";
import { topicName } from "../../agent/seal/names.ts";
import { parseRecord } from "../../agent/seal/record.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { makeBackup, openBackup } from "../../scripts/owner/backup.ts";
import { connectBroker } from "../../scripts/owner/broker.ts";
import { checkClaim } from "../../scripts/owner/claim.ts";
import { openReply } from "../../scripts/owner/command.ts";
import { random } from "../../scripts/owner/crypto.ts";
import { fetchFootage } from "../../scripts/owner/fetch.ts";
import { signList } from "../../scripts/owner/lists.ts";
import { openObject, Refusal } from "../../scripts/owner/open.ts";
import { accessOf, makeKeys, withCamera } from "../../scripts/owner/owner.ts";
import { HeldOwner, pairCamera } from "../../scripts/owner/pairing.ts";
import { makePhrase, recoveryKeys, recoveryPublic } from "../../scripts/owner/phrase.ts";
import { expectCamera, provisioningFile } from "../../scripts/owner/provision.ts";
import { rotateVault, sendList } from "../../scripts/owner/revoke.ts";
import { openStore } from "../../scripts/owner/store.ts";
import { startTalk } from "../../scripts/owner/talk.ts";
import { openingKeys } from "../../scripts/owner/trust.ts";
import { decodedFrames } from "../owner/support/ffmpeg.ts";
import { nowUs, type Rig, until, withRig } from "./support/rig.ts";

const whole = { stream: 0, from_us: 0, to_us: Number.MAX_SAFE_INTEGER };
const fetchOptions = { stretchGaps: true, withoutRefused: false };

/** Fetches the boot that runs. */
async function fetchAll(rig: Rig, view = rig.view, name = "out.mp4"): Promise<string> {
  const path = join(rig.directory, name);
  await fetchFootage(view, { ...whole, boot: rig.status()?.boot ?? 1 }, path, fetchOptions);
  return path;
}

test("a camera without a provisioning file says so, and neither connects nor sends", async () => {
  await withRig({}, async (rig) => {
    await rig.host.startAgent();
    await until("the word", () => rig.lines.some((line) => line.includes("not paired")), 20_000);
    await rig.play();
    await sleep(3_000);
    assert.equal(rig.cloud.store.log.connections, 0);
    assert.ok(!rig.lines.some((line) => line.includes("Connected")));
  });
});

test("a claiming camera records nothing until it is adopted, and from then on everything", async () => {
  await withRig({}, async (rig) => {
    const expected = expectCamera("door");
    const access = await rig.cloud.addCamera({ camera: toHex(expected.id) });
    await rig.host.provision(provisioningFile(rig.owner, expected, access));
    await rig.play();
    await rig.host.startAgent();
    const messages: Uint8Array[] = [];
    const broker = await connectBroker(accessOf(rig.owner).broker, (_topic, payload) =>
      messages.push(payload),
    );
    await broker.subscribe(topicName(rig.owner.tenant, expected.id, "status"));
    const claim = await until("a claim", () => messages[0], 20_000);
    await sleep(3_000);
    const store = openStore(accessOf(rig.owner).store);
    assert.deepEqual(await store.list(`v1/${rig.owner.tenant}/`), []);

    // Only the right token, the right camera and the right owner make a good claim.
    assert.ok(!("why" in checkClaim(rig.owner, expected, claim)));
    const why = (over: object) => {
      const result = checkClaim(rig.owner, { ...expected, ...over }, claim);
      return "why" in result ? result.why : "";
    };
    assert.match(why({ token: random(32) }), /token/);
    assert.match(why({ id: random(16) }), /another camera/);
    const stranger = { ...rig.owner, root: makeKeys("home", undefined).root };
    const claimed = checkClaim(stranger, expected, claim);
    assert.match("why" in claimed ? claimed.why : "", /another owner/);
    const altered = claim.slice();
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
    assert.ok("why" in checkClaim(rig.owner, expected, altered));

    const { change } = new HeldOwner(withCamera(rig.owner, expected));
    await pairCamera(rig.owner, expected, 30_000, { change, tell: () => {} });
    await until(
      "footage",
      async () => (await store.list(`v1/${rig.owner.tenant}/${toHex(expected.id)}/0/`)).length > 0,
      30_000,
    );
    store.close();
    await broker.close();
  });
});

test("a camera that was provisioned with another token is not adopted", async () => {
  await withRig({}, async (rig) => {
    const expected = expectCamera("door");
    const access = await rig.cloud.addCamera({ camera: toHex(expected.id) });
    const impostor = { ...expected, token: random(32) };
    await rig.host.provision(provisioningFile(rig.owner, impostor, access));
    await rig.host.startAgent();
    const told: string[] = [];
    const { change } = new HeldOwner(withCamera(rig.owner, expected));
    await assert.rejects(
      pairCamera(rig.owner, expected, 6_000, { change, tell: (text) => told.push(text) }),
      /did not claim in time.*npx --no ocellus pair door --finish/,
    );
    assert.ok(
      told.some((text) => text.includes("token")),
      told.join(),
    );
  });
});

test("nobody but its owner opens footage: not the store, not the camera, not another owner", async () => {
  await withRig({}, async (rig) => {
    await rig.record();
    const [name] = await rig.untilStored(1);
    assert.ok(name);
    const { store, trusted, keys } = rig.view;
    const bytes = await store.get(name.object);
    assert.ok(bytes);
    assert.ok(openObject(trusted, keys, name, bytes).plain.length > 0);
    const refusal = (theirs: typeof keys) => {
      try {
        openObject(trusted, theirs, name, bytes);
        return "opened";
      } catch (error) {
        assert.ok(error instanceof Refusal);
        return error.reason;
      }
    };
    const other = makeKeys("home", recoveryPublic(makePhrase()));
    assert.equal(refusal(openingKeys({ ...rig.owner, ...other })), "no-wrap");
    // Whoever has the store's disk has the owner's store and broker credentials and all objects; no key opens.
    assert.equal(refusal([]), "no-wrap");
    // What lies on the camera's own disk holds neither of the recipients' secrets.
    const state = join(rig.host.options.directory, "state");
    const [vault] = rig.owner.vaults;
    assert.ok(vault);
    for (const file of await readdir(state)) {
      assert.ok(!(await readFile(join(state, file))).includes(Buffer.from(vault.secretKey)), file);
    }
  });
});

test("a backup and the phrase alone bring everything back: the restored owner opens old footage", async () => {
  await withRig({}, async (rig) => {
    const phrase = makePhrase();
    const keys = makeKeys(rig.owner.tenant, recoveryPublic(phrase));
    rig.owner = {
      ...keys,
      list: signList(keys, 1, nowUs()),
      access: await rig.cloud.owner(),
    };
    await rig.record();
    await rig.untilStored(2);
    const expected = await decodedFrames(await fetchAll(rig));
    const backup = makeBackup(rig.owner, nowUs());

    const { owner: restored } = openBackup(backup, "backup", phrase);
    rig.owner = restored;
    const frames = await decodedFrames(await fetchAll(rig, rig.view, "restored.mp4"));
    assert.deepEqual(frames.slice(0, expected.length), expected);

    // Even without a backup the phrase is a recipient: its key alone opens the footage.
    const recovery = recoveryKeys(phrase).box;
    const byPhrase = await fetchAll(rig, { ...rig.view, keys: [recovery] }, "phrase.mp4");
    assert.deepEqual((await decodedFrames(byPhrase)).slice(0, expected.length), expected);
  });
});

test("after a rotation only the new vault key opens what is new, and both together everything", async () => {
  await withRig({}, async (rig) => {
    await rig.record();
    await rig.untilStored(1);
    const old = openingKeys(rig.owner);
    rig.owner = (await rotateVault(rig.owner, nowUs())).owner;
    assert.deepEqual(await sendList(rig.owner), [{ camera: "door", trouble: null }]);
    // Status is sealed to the new key from now on.
    await rig.talkAgain();
    await rig.untilStatus("version 2 in force", ({ open }) => open.recipientsVersion === 2);
    const newer = (await rig.segments()).length;
    await rig.untilStored(2);
    const all = await rig.segments();
    const versions = all.map(({ head }) => head.header.recipientsVersion);
    assert.equal(versions.at(-1), 2);
    assert.equal(versions[0], 1);
    assert.ok(newer > 0);
    const last = all.at(-1);
    assert.ok(last);
    const bytes = await rig.view.store.get(last.name.object);
    assert.ok(bytes);
    const openWith = (keys: typeof old) => () =>
      openObject(rig.view.trusted, keys, last.name, bytes);
    assert.throws(openWith(old), (error) => error instanceof Refusal && error.reason === "no-wrap");
    assert.ok(openWith(openingKeys(rig.owner))().plain.length > 0);
    await fetchAll(rig);
  });
});

test("a list that is older, of another owner or altered is refused by the camera", async () => {
  await withRig({}, async (rig) => {
    await rig.pair();
    const send = async (list: Uint8Array, signature: Uint8Array) => {
      const reply = await rig.talk.send(
        rig.paired,
        { action: "recipients", recipients: { list, signature } },
        15_000,
      );
      return reply.text;
    };
    const { list, signature } = rig.owner.list;
    assert.match(await send(list, signature), /version 1, but 1 was taken/);
    const newer = signList(rig.owner, 2, nowUs());
    const altered = newer.list.slice();
    altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
    assert.match(await send(altered, newer.signature), /not signed by the owner's root key/);
    const stranger = signList({ ...rig.owner, root: makeKeys("home", undefined).root }, 3, nowUs());
    assert.match(await send(stranger.list, stranger.signature), /not signed/);
    assert.equal(rig.status()?.open.recipientsVersion, 1);
  });
});

test("commands: settings change segments, who is in no list is not answered, replays do nothing", async () => {
  // Room for long segments at the clip's 4 Mbit/s: one may take a quarter of the queue.
  await withRig({ host: { queue_bytes: 32 << 20 } }, async (rig) => {
    await rig.record();
    await rig.untilStored(1);
    const { RESULT_OK, RESULT_INVALID } = ocellus.v1.Result;
    const settings = (patch: ocellus.v1.Settings.$Properties) =>
      rig.talk.send(rig.paired, { action: "settings", settings: { schema: 1, ...patch } }, 15_000);
    const before = (await rig.segments()).map(({ duration_us }) => duration_us);
    assert.ok(Math.max(...before) < 5e6);
    const changed = await settings({ segmentS: 8, nameClasses: false });
    assert.equal(changed.result, RESULT_OK);
    assert.equal(changed.settings?.segmentS, 8);
    const refused = await settings({ segmentS: 3 });
    assert.equal(refused.result, RESULT_INVALID);
    assert.match(refused.text, /4 to 30/);
    const [, , long] = await rig.untilStored(3);
    assert.ok(long);
    assert.equal(long.footageClass, "all");
    const segment = (await rig.segments()).find(({ name }) => name.seq === long.seq);
    assert.ok(segment && segment.duration_us > 6e6, `${segment?.duration_us}`);

    const log = await rig.talk.send(rig.paired, { action: "log", log: { bytes: 500 } }, 15_000);
    assert.match(new TextDecoder().decode(log.log), /settings/);

    // A key that is in no list gets no answer, because nobody knows who asks.
    const { signer } = makeKeys("home", undefined);
    const stranger = await startTalk({ ...rig.owner, signer }, [rig.paired]);
    await assert.rejects(
      stranger.send(rig.paired, { action: "reboot", reboot: {} }, 3_000),
      /did not answer/,
    );
    await stranger.close();

    // A command that is sent again, bit for bit, is refused by its counter.
    const topic = topicName(rig.owner.tenant, rig.paired.id, "cmd");
    const commands: Uint8Array[] = [];
    const answers: Uint8Array[] = [];
    const broker = await connectBroker(accessOf(rig.owner).broker, (from, payload) => {
      (from === topic ? commands : answers).push(payload);
    });
    await broker.subscribe(topic, topicName(rig.owner.tenant, rig.paired.id, "rsp"));
    await settings({ segmentS: 9 });
    const captured = await until("the command", () => commands[0], 5_000);
    assert.equal((await settings({ segmentS: 10 })).settings?.segmentS, 10);
    const command = parseRecord(captured);
    assert.ok(!isRefused(command));
    const sent = { topic, payload: captured, signer: command.body.signer, seq: command.body.seq };
    await broker.publish(topic, captured);
    const refusal = await until(
      "the answer to the replay",
      () =>
        answers
          .map((answer) => openReply(rig.view.trusted, rig.view.keys, sent, answer))
          .find((answer) => answer?.result === RESULT_INVALID),
      10_000,
    );
    assert.match(refusal.text, /Counter \d+ is used up/);
    await broker.close();
    assert.equal((await settings({})).settings?.segmentS, 10);
    rig.assertNeverRestarted();
  });
});

test("reset erases the camera's keys; a new owner pairs it anew under a new id and sees nothing of the old", async () => {
  await withRig({}, async (rig) => {
    await rig.record();
    await rig.untilStored(1);
    const [first] = await rig.segments();
    assert.ok(first);
    const state = join(rig.host.options.directory, "state");
    const identity = await readFile(join(state, "identity"));
    await rig.host.stop();
    await rig.host.startAgent(true);
    await until("the end of the reset", () => rig.host.agent?.over, 20_000);
    assert.deepEqual(await readdir(state), []);

    const fresh = makeKeys("home", recoveryPublic(makePhrase()));
    rig.owner = { ...fresh, list: signList(fresh, 1, nowUs()), access: await rig.cloud.owner() };
    const old = rig.paired;
    await rig.record();
    assert.notDeepEqual(rig.paired.id, old.id);
    assert.notDeepEqual(rig.paired.record, old.record);
    assert.notDeepEqual(await readFile(join(state, "identity")), identity);
    const [name] = await rig.untilStored(1);
    assert.ok(name);
    assert.equal(rig.status()?.boot, 1);
    const bytes = await rig.view.store.get(first.name.object);
    assert.ok(bytes);
    assert.throws(
      () => openObject({ ...rig.view.trusted, camera: old.id }, rig.view.keys, first.name, bytes),
      (error) => error instanceof Refusal && error.reason === "signature",
    );
  });
});
