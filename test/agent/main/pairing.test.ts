import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { files } from "../../../agent/identity/files.ts";
import { Owner } from "../owner.ts";
import { CameraRig, type Host } from "./rig.ts";

const { Pairing, Result, TimeQuality } = ocellus.v1;

for (const host of ["node", "quickjs"] satisfies Host[]) {
  test(`${host}: from unpaired over claim and adoption to footage, commands and refused replays`, async () => {
    const rig = new CameraRig();
    const { owner, broker, double } = rig;
    await rig.start(host);
    await rig.advance(60_000);
    assert.match(double.log, /not paired/);
    assert.deepEqual(double.network.attempts, [], "an unpaired camera sends nothing");
    assert.equal(double.state.size, 0);

    rig.provision();
    await rig.until(() => broker.on(owner.topic("status")).length > 0);
    const claim = rig.status();
    assert.equal(claim.open.pairing, Pairing.PAIRING_CLAIMING);
    assert.equal(claim.secret, null, "before adoption nothing private is said");
    await rig.feed(10);
    assert.deepEqual(rig.store.requests, [], "a claiming camera uploads nothing");

    await rig.adopt();
    const paired = rig.status();
    assert.equal(paired.open.claim.length, 0);
    assert.equal(paired.open.recipientsVersion, 1);
    assert.equal(rig.replies().at(-1)?.result, Result.RESULT_OK);
    const identity = files.identity.load(double.native);
    assert.ok(identity.is === "ok" && identity.value.token.length === 0, "the token is wiped");

    await rig.feed(10);
    assert.ok(rig.segments.length >= 2, `${rig.segments.length} segments`);
    const [record] = rig.segmentRecords();
    assert.equal(record?.object, rig.segments[0]);
    assert.equal(record?.objectBytes, rig.store.objects.get(record?.object ?? "")?.length);
    assert.equal(record?.timeQuality, TimeQuality.TIME_STORE);

    const ping = { ping: { payload: Uint8Array.of(7, 8) } };
    const sent = rig.send(ping);
    await rig.until(() => rig.replies().length === 2);
    assert.deepEqual([...(rig.replies()[1]?.ping ?? [])], [7, 8]);
    broker.publish(owner.topic("cmd"), sent);
    await rig.until(() => rig.replies().length === 3);
    assert.equal(rig.replies()[2]?.result, Result.RESULT_INVALID);
    assert.match(rig.replies()[2]?.text ?? "", /used up/);
    rig.end();
  });
}

test("a bad provisioning file is complained about once for each version of it, a good one is taken later", async () => {
  const rig = new CameraRig();
  await rig.start();
  rig.double.provisioning = new Uint8Array(Buffer.from(`{"format": "x"}`));
  await rig.advance(30_000);
  const complaints = () => rig.double.logged.filter(({ level }) => level === "error").length;
  assert.equal(complaints(), 1);
  const { token: _t, seed: _s, ...rest } = rig.owner.provisioning();
  rig.double.provisioning = new Uint8Array(Buffer.from(JSON.stringify(rest)));
  await rig.advance(30_000);
  assert.equal(complaints(), 3, "a sentence for each mistake");
  assert.match(rig.double.log, /"token" is missing/);
  assert.equal(rig.double.state.size, 0);
  rig.provision();
  await rig.adopt();
});

for (const host of ["node", "quickjs"] satisfies Host[]) {
  test(`${host}: a file that may not be read is told once, and held no longer than until it was taken`, async () => {
    const rig = new CameraRig();
    await rig.start(host);
    const text = "cannot read the provisioning file: let user id 7 read it";
    rig.double.provisioning = { error: "io", text };
    await rig.advance(30_000);
    const errors = rig.double.logged.filter(({ level }) => level === "error");
    assert.deepEqual(
      errors.map(({ line }) => line),
      [`Still not paired: ${text}.`],
    );
    assert.equal(rig.double.provisioningClosed, false);
    rig.provision();
    await rig.adopt();
    assert.equal(rig.double.provisioningClosed, true);
    const again = await rig.reboot(host);
    assert.equal(again.double.provisioningClosed, true);
    again.end();
    rig.end();
  });
}

test("no secret of the provisioning file or of the identity is in the log or in what is sent", async () => {
  const rig = new CameraRig();
  await rig.pair();
  await rig.feed(6);
  const identity = files.identity.load(rig.double.native);
  assert.ok(identity.is === "ok");
  const secrets = [
    ...[rig.owner.token, rig.owner.seed, identity.value.signingSecret, identity.value.boxSecret],
    ...["secret/key+example", "broker password"].map((text) => Buffer.from(text)),
  ].map((secret) => Buffer.from(secret));
  const sent = [
    ...rig.broker.published.map(({ payload }) => payload),
    ...rig.store.requests.map(({ headers, path }) =>
      Buffer.from(JSON.stringify([...headers, path])),
    ),
    Buffer.from(rig.double.log),
  ];
  for (const secret of secrets) {
    for (const bytes of sent) assert.ok(!Buffer.from(bytes).includes(secret));
    for (const text of ["hex", "base64"] as const) {
      assert.ok(!rig.double.log.includes(secret.toString(text)));
    }
  }
});

test("an adoption that is not for this camera changes nothing and the right one still comes", async () => {
  const rig = new CameraRig();
  const { owner } = rig;
  rig.provision();
  await rig.start();
  await rig.until(() => rig.broker.on(owner.topic("status")).length > 0);
  rig.status();
  assert.ok(rig.claimed);
  const camera = { camera: owner.camera, ...rig.claimed };
  const recipients = owner.list();
  const wrong: ocellus.v1.Adopt.$Properties[] = [
    { ...owner.cameraRecord(camera, {}, owner.device), recipients },
    { ...owner.cameraRecord(camera, { tenant: "other" }), recipients },
    { ...owner.cameraRecord(camera), recipients: owner.list({ tenant: "other" }) },
    { ...owner.cameraRecord(camera), recipients: owner.list({}, owner.device) },
    { ...owner.cameraRecord(camera) },
  ];
  for (const adopt of wrong) {
    rig.send({ adopt }, { signer: owner.root });
    await rig.advance(1_000);
  }
  // Neither another key, nor anything but adopt.
  rig.send({ adopt: { ...owner.cameraRecord(camera), recipients } });
  rig.send({ reboot: {} }, { signer: owner.root });
  await rig.advance(1_000);
  assert.deepEqual([...rig.double.state.keys()].sort(), ["access", "counters", "identity", "seed"]);
  assert.deepEqual(rig.replies(), [], "there is nobody to seal a reply to");
  assert.deepEqual(rig.double.exits, []);
  await rig.adopt();
});

test("a power cut after any write of an adoption leaves a camera that can be adopted or is", async () => {
  let between = 0;
  for (let writes = 0; ; writes++) {
    const rig = new CameraRig(new Owner(`cut ${writes}`));
    const { state } = rig.double;
    rig.provision();
    await rig.start();
    await rig.until(() => rig.broker.on(rig.owner.topic("status")).length > 0);
    // What flash holds when the power goes after so many more writes.
    const cut = new Map(state);
    let left = writes;
    const set = state.set.bind(state);
    state.set = (name, bytes) => {
      if (left-- > 0) cut.set(name, bytes);
      return set(name, bytes);
    };
    await rig.adopt();
    const after = new CameraRig(rig.owner, { state: cut, startUs: 900_000_000 });
    after.claimed = rig.claimed;
    const tokenOnFlash = () => {
      const identity = files.identity.load(after.double.native);
      return identity.is === "ok" && identity.value.token.length > 0;
    };
    if (cut.has("adoption") && tokenOnFlash()) between += 1;
    await after.start();
    await after.until(() => after.broker.on(rig.owner.topic("status")).length > 0);
    const { pairing } = after.status().open;
    if (pairing === Pairing.PAIRING_CLAIMING) await after.adopt();
    else assert.equal(pairing, Pairing.PAIRING_PAIRED);
    assert.equal(tokenOnFlash(), false, `after ${writes} writes the used token stays`);
    await after.feed(6);
    assert.ok(after.segments.length > 0, `after ${writes} writes it does not record`);
    if (left > 0) {
      assert.ok(writes > 4, `adoption took only ${writes - left} writes`);
      assert.equal(between, 1, "one cut falls between the adoption and the wiping of the token");
      return;
    }
  }
});

test("a used token that cannot be wiped is told, and wiped at a later start", async () => {
  const rig = new CameraRig();
  await rig.pair();
  const identity = files.identity.load(rig.double.native);
  assert.ok(identity.is === "ok");
  files.identity.save(rig.double.native, { ...identity.value, token: rig.owner.token });
  const written = rig.double.state.get("identity");
  // Flash that takes everything but this file.
  const again = await rig.reboot("node", {}, ({ double }) => {
    const { writeState } = double.native;
    double.native.writeState = (name, bytes) =>
      name === "identity" ? { error: "io", text: "worn out" } : writeState(name, bytes);
  });
  assert.match(again.double.log, /The used token stays on flash: worn out/);
  assert.deepEqual(again.double.state.get("identity"), written);
  const last = await again.reboot();
  const wiped = files.identity.load(last.double.native);
  assert.ok(wiped.is === "ok" && wiped.value.token.length === 0);
  assert.deepEqual(wiped.value.deviceSeed, identity.value.deviceSeed);
});
