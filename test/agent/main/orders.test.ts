import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ocellus } from "#proto";
import { toHex } from "../../../agent/identity/encoding.ts";
import { files } from "../../../agent/identity/files.ts";
import { ScriptedBroker } from "../control/scripted-broker.ts";
import { CA_PEM, Owner } from "../owner.ts";
import { CameraRig, exitOf, type Host } from "./rig.ts";

const { Result, Role, StageName } = ocellus.v1;

async function paired(): Promise<CameraRig> {
  const rig = new CameraRig();
  await rig.pair();
  return rig;
}

test("settings are checked, kept, obeyed, and told", async () => {
  const rig = await paired();
  const reply = await rig.order({
    settings: { segmentS: 8, bitrateKbps: 512, nameClasses: false, statusMaxSilenceS: 30 },
  });
  assert.equal(reply.result, Result.RESULT_OK);
  assert.equal(reply.settings?.segmentS, 8);
  assert.equal(reply.settings?.generation, 1);
  await rig.feed(20);
  assert.ok(
    rig.segments.every((name) => name.includes("/all/")),
    `${rig.segments}`,
  );
  assert.equal(rig.segments.length, 3, "the first is short, the others have 8 s");
  assert.equal(rig.status().secret?.settingsGeneration, 1);
  assert.equal(rig.status().secret?.settings?.bitrateKbps, 512);

  const wrong = await rig.order({ settings: { segmentS: 3 } });
  assert.equal(wrong.result, Result.RESULT_INVALID);
  assert.match(wrong.text, /segment_s must be 4 to 30/);
  const again = await rig.reboot();
  await again.until(() => again.statuses().length > 0);
  assert.equal(again.status().boot, 2);
  assert.equal(again.status().secret?.settings?.segmentS, 8);
});

test("settings that cannot be kept are not obeyed", async () => {
  const rig = await paired();
  rig.double.stateError = { error: "io", text: "no space left on device" };
  const reply = await rig.order({ settings: { segmentS: 9 } });
  assert.equal(reply.result, Result.RESULT_FAILED);
  assert.match(reply.text, /no space left/);
  rig.double.stateError = null;
  assert.equal((await rig.order({ settings: {} })).settings?.segmentS, 4);
});

test("the log comes in a reply, bounded, from a line's start", async () => {
  const rig = await paired();
  for (let i = 0; i < 400; i++) rig.double.native.log("info", `line ${i} ${"x".repeat(40)}`);
  const all = await rig.order({ log: {} });
  assert.equal(all.result, Result.RESULT_OK);
  assert.ok(all.log.length > 7_900 && all.log.length <= 8_192, `${all.log.length}`);
  assert.match(Buffer.from(all.log).toString(), /^info: line \d+ x+\n/);
  const few = await rig.order({ log: { bytes: 200 } });
  assert.ok(few.log.length <= 200 && few.log.length > 100);
  assert.equal((await rig.order({ log: { bytes: 8_193 } })).result, Result.RESULT_INVALID);
  const ping = (bytes: number) => rig.order({ ping: { payload: new Uint8Array(bytes) } });
  assert.equal((await ping(64)).result, Result.RESULT_OK);
  assert.equal((await ping(65)).result, Result.RESULT_INVALID);
});

test("reboot answers, says goodbye, and ends with 76", async () => {
  const rig = await paired();
  await rig.feed(5);
  rig.send({ reboot: {} });
  assert.equal(await exitOf(rig), 76);
  assert.equal(rig.replies().at(-1)?.result, Result.RESULT_OK);
  assert.equal(rig.control().cause, "reboot");
  const link = rig.broker.on(rig.owner.topic("link")).at(-1) ?? new Uint8Array(0);
  assert.equal(ocellus.v1.Link.decode(link).up, false);
});

test("a newer recipients' list is taken, an older or equal one refused, and it outlives a boot", async () => {
  const rig = await paired();
  const second = new Owner("second device");
  const { ROLE_VIEW } = Role;
  const list = (version: number) =>
    rig.owner.list({
      version,
      signers: rig.owner.signers({ key: second.device.publicKey, roles: [ROLE_VIEW] }),
    });
  const reply = await rig.order({ recipients: list(3) });
  assert.equal(reply.result, Result.RESULT_OK, reply.text);
  await rig.until(() => rig.status().open.recipientsVersion === 3);
  const hash = createHash("sha256")
    .update(list(3).list ?? "")
    .digest("hex");
  assert.equal(toHex(rig.status().open.recipientsHash), hash);
  const root = { signer: rig.owner.root };
  for (const version of [3, 2]) {
    const older = await rig.order({ recipients: list(version) }, { ...root, seq: 100 - version });
    assert.equal(older.result, Result.RESULT_INVALID);
    assert.match(older.text, /3 was taken already/);
  }
  // The old signer is gone, the new one may look but not change.
  const replies = rig.replies().length;
  rig.send({ ping: {} });
  await rig.advance(2_000);
  assert.equal(rig.replies().length, replies);
  const viewer = { signer: second.device };
  assert.equal((await rig.order({ ping: {} }, viewer)).result, Result.RESULT_OK);
  assert.equal((await rig.order({ reboot: {} }, viewer)).result, Result.RESULT_FORBIDDEN);

  const again = await rig.reboot();
  await again.until(() => again.statuses().length > 0);
  assert.equal(again.status().boot, 2);
  assert.equal(again.status().open.recipientsVersion, 3);
  assert.equal(toHex(again.status().open.recipientsHash), hash);
});

test("a power cut after any write of a new recipients' list leaves a camera that records for a list it was given", async () => {
  const rig = await paired();
  const { state } = rig.double;
  const cuts: Map<string, Uint8Array>[] = [new Map(state)];
  const write = state.set.bind(state);
  state.set = (name, bytes) => {
    write(name, bytes);
    cuts.push(new Map(state));
    return state;
  };
  const reply = await rig.order({ recipients: rig.owner.list({ version: 2 }) });
  assert.equal(reply.result, Result.RESULT_OK, reply.text);
  assert.ok(cuts.length >= 3, `${cuts.length} states of flash`);
  for (const [i, cut] of cuts.entries()) {
    const again = await rig.reboot("node", { state: cut });
    await again.feed(6);
    assert.ok(again.segments.length > 0, `after ${i} writes`);
    await again.until(() => again.statuses().length > 0);
    assert.ok([1, 2].includes(again.status().open.recipientsVersion ?? 0));
  }
});

test("what is sealed after a new list opens for its recipients, and no longer for those taken off", async () => {
  const rig = await paired();
  const next = new Owner("next vault");
  const reply = rig.order({
    recipients: rig.owner.list({
      version: 2,
      recipients: [{ boxKey: next.vault.publicKey, vaultVersion: 2 }],
    }),
  });
  await assert.rejects(reply, /no-wrap/, "the reply itself is sealed to the new list");
  const payload = rig.broker.on(rig.owner.topic("rsp")).at(-1) ?? new Uint8Array(0);
  Object.assign(next, { camera: rig.owner.camera });
  const { secret } = next.read("rsp", payload, rig.claimed?.signingKey ?? new Uint8Array(0));
  assert.ok(secret);
  assert.equal(ocellus.v1.Reply.decode(secret).result, Result.RESULT_OK);
});

test("new access is used at once, and the old one forgotten when broker and store have worked", async () => {
  const rig = await paired();
  const elsewhere = new ScriptedBroker(rig.double.network, "new-broker.test", 8883);
  const { store, broker } = accessOf(rig, { url: "mqtts://new-broker.test", username: "new" });
  const reply = await rig.order({ access: { store, broker } });
  assert.equal(reply.result, Result.RESULT_OK, reply.text);
  const kept = files.access.load(rig.double.native);
  assert.ok(kept.is === "ok" && !kept.value.proven);
  assert.equal(kept.value.previous?.broker?.url, "mqtts://broker.test:8883");
  await rig.until(() => elsewhere.connects.length === 1);
  assert.equal(elsewhere.connects[0]?.username, "new");
  assert.equal(rig.broker.isConnected, false);
  await rig.feed(6);
  const proven = files.access.load(rig.double.native);
  assert.ok(proven.is === "ok" && proven.value.proven, "proven by a connection and an upload");
  const said = elsewhere.on(rig.owner.topic("status")).at(-1) ?? new Uint8Array(0);
  assert.equal(accessSaid(rig, said)?.state, ocellus.v1.AccessTrialState.ACCESS_PROVEN);
  assert.equal(proven.value.previous ?? null, null);
});

test("with new access that does not work the camera comes back by the old one and says so", async () => {
  const rig = await paired();
  const { store, broker } = accessOf(rig, { url: "mqtts://nowhere.test" });
  await rig.order({ access: { store, broker } });
  await rig.until(() => !rig.broker.isConnected);
  await rig.until(() => rig.broker.isConnected, 60_000);
  await rig.until(() => rig.control().cause === "refused");
  const told = rig.status().secret?.access;
  assert.equal(told?.state, ocellus.v1.AccessTrialState.ACCESS_REJECTED);
  assert.match(told?.reason ?? "", /^The broker cannot be reached: .*\.$/);
  const attempts = rig.double.network.attempts.filter((at) => at.startsWith("nowhere.test"));
  assert.equal(attempts.length, 3);
  const kept = files.access.load(rig.double.native);
  assert.ok(kept.is === "ok" && !kept.value.proven && kept.value.previous);
  // It is still obeyed there, and access that works ends the trial.
  await rig.order({ access: accessOf(rig, {}) });
  await rig.until(() => rig.broker.connects.length >= 3);
  await rig.feed(6);
  const proven = files.access.load(rig.double.native);
  assert.ok(proven.is === "ok" && proven.value.proven);
});

test("a store that refuses new access is told within seconds, and the old one serves", async () => {
  const rig = await paired();
  await rig.feed(5);
  const { store, broker } = accessOf(rig, {});
  rig.store.answer = (request) =>
    request.headers.get("authorization")?.includes("unknownkey")
      ? { status: 403, code: "InvalidAccessKeyId" }
      : null;
  await rig.order({ access: { store: { ...store, accessKeyId: "unknownkey" }, broker } });
  const { ACCESS_TRYING, ACCESS_REJECTED } = ocellus.v1.AccessTrialState;
  await rig.until(() => rig.status().secret?.access?.state === ACCESS_TRYING);
  await rig.feed(8);
  assert.deepEqual(
    { ...rig.status().secret?.access },
    {
      state: ACCESS_REJECTED,
      reason: "The store does not know the camera's access key.",
    },
  );
});

test("two orders that wait for their replies both take effect as soon as these have left", async () => {
  const rig = await paired();
  await rig.advance(1_000);
  const connects = rig.broker.connects.length;
  const startUs = rig.double.clock.nowUs();
  const replies = rig.replies().length;
  rig.broker.manners.puback = (topic) => (topic.endsWith("/rsp") ? "silence" : 0);
  rig.send({ reboot: {} });
  rig.send({ access: accessOf(rig, { username: "next" }) });
  await rig.until(() => rig.replies().length === replies + 2);
  await rig.advance(100);
  assert.equal(rig.broker.connects.length, connects);
  rig.broker.manners.puback = () => 0;
  rig.broker.acknowledge();
  assert.equal(await exitOf(rig), 76);
  const tookMs = (rig.double.clock.nowUs() - startUs) / 1_000;
  assert.ok(tookMs < 1_900, `${tookMs} ms`);
});

test("access of the wrong shape is refused by field and changes nothing", async () => {
  const rig = await paired();
  const before = rig.double.state.get("access");
  const { store, broker } = accessOf(rig, { url: "mqtt://broker.test" });
  const reply = await rig.order({ access: { store, broker } });
  assert.equal(reply.result, Result.RESULT_INVALID);
  assert.match(reply.text, /"broker.url"/);
  assert.equal((await rig.order({ access: { store } })).result, Result.RESULT_INVALID);
  const blind = await rig.order({ access: accessOf(rig, { caPem: "" }) });
  assert.equal(blind.result, Result.RESULT_INVALID);
  assert.match(blind.text, /"broker.ca_pem" is missing: a camera trusts no authority/);
  assert.deepEqual(rig.double.state.get("access"), before);
  assert.ok(rig.broker.isConnected);
});

for (const host of ["node", "quickjs"] satisfies Host[]) {
  test(`${host}: SIGTERM seals and uploads what is open, says goodbye, and ends with 0 within five seconds`, async () => {
    const rig = new CameraRig();
    await rig.pair(host);
    await rig.feed(6.5);
    const before = rig.segments.length;
    const startUs = rig.double.clock.nowUs();
    rig.double.askToStop();
    assert.equal(await exitOf(rig), 0);
    assert.ok(rig.double.clock.nowUs() - startUs < 5_000_000);
    assert.equal(rig.segments.length, before + 1);
    assert.equal(rig.segmentRecords().at(-1)?.object, rig.segments.at(-1));
    assert.equal(rig.control().cause, "shutdown");
    const upload = rig.status().secret?.streams.find(({ stream }) => stream === 0);
    assert.equal(upload?.uploaded, before + 1);
    const heads = files.chain.load(rig.double.native);
    assert.ok(heads.is === "ok" && heads.value.heads[0]?.seq === before);
    const link = rig.broker.on(rig.owner.topic("link")).at(-1) ?? new Uint8Array(0);
    assert.equal(ocellus.v1.Link.decode(link).up, false);
    // In Node the library's own timers are real, and virtual time does not wait for them.
    if (host === "quickjs") assert.deepEqual(rig.broker.disconnects, [0], "it cancels the will");
    rig.end();
  });
}

test("SIGTERM ends in time with neither store nor broker there", async () => {
  const rig = await paired();
  await rig.feed(5);
  rig.broker.vanish();
  rig.double.network.remove("store.test", 9000);
  rig.store.peer?.fail("reset");
  await rig.feed(5);
  const startUs = rig.double.clock.nowUs();
  rig.double.askToStop();
  assert.equal(await exitOf(rig), 0);
  assert.ok(rig.double.clock.nowUs() - startUs < 5_000_000);
});

test("an unpaired camera stops at once", async () => {
  const rig = new CameraRig();
  await rig.start();
  rig.double.askToStop();
  assert.equal(await exitOf(rig), 0);
});

test("the stages of the pipeline stand in the status beside control", async () => {
  const rig = await paired();
  await rig.feed(5);
  const names = rig.status().secret?.stages.map(({ name }) => name);
  assert.deepEqual([...(names ?? [])].sort(), [
    ...[StageName.STAGE_CAPTURE, StageName.STAGE_SEAL, StageName.STAGE_UPLOAD],
    ...[StageName.STAGE_CONTROL, StageName.STAGE_CLOCK],
  ]);
});

/** What a status that came to another broker says of the access. */
function accessSaid(rig: CameraRig, status: Uint8Array) {
  const { secret } = rig.owner.read("status", status, rig.claimed?.signingKey ?? new Uint8Array(0));
  assert.ok(secret);
  return ocellus.v1.StatusPrivate.decode(secret).access;
}

/** The rig's access with another broker. */
function accessOf(
  rig: CameraRig,
  broker: ocellus.v1.BrokerAccess.$Properties,
): { store: ocellus.v1.StoreAccess.$Properties; broker: ocellus.v1.BrokerAccess.$Properties } {
  const kept = files.access.load(rig.double.native);
  const store = kept.is === "ok" ? kept.value.current?.store : null;
  assert.ok(store);
  const same = { url: "mqtts://broker.test:8883", username: "cam", password: "broker password" };
  return { store, broker: { ...same, caPem: CA_PEM, ...broker } };
}

for (const host of ["node", "quickjs"] satisfies Host[]) {
  test(`a command that a stranger signed in the owner's name changes nothing and is not answered (${host})`, async () => {
    const rig = new CameraRig();
    await rig.pair(host);
    const stranger = new Owner().root;
    const forged = { signer: stranger, claimedSigner: rig.owner.device };
    await rig.order({ ping: {} });
    const answered = rig.replies().length;
    rig.send({ settings: { segmentS: 30 } }, forged);
    await rig.advance(3_000);
    assert.equal(rig.replies().length, answered);
    const { settings } = await rig.order({ settings: {} });
    assert.equal(settings?.segmentS, 4);
    assert.equal(rig.replies().length, answered + 1);
    rig.end();
  });
}
