import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { toHex } from "../../../agent/identity/encoding.ts";
import { files } from "../../../agent/identity/files.ts";
import { checkRecipients, loadRecipients, mayAct } from "../../../agent/identity/recipients.ts";
import { createDouble } from "../double/double.ts";
import { Owner } from "../owner.ts";

const { ROLE_VIEW, ROLE_CONTROL, ROLE_ADMIN, ROLE_OPERATOR } = ocellus.v1.Role;
const owner = new Owner("recipients");
const { native } = createDouble();
const camera = native.boxKeypair();
const judge = { rootKey: owner.root.publicKey, tenant: "home", boxSecret: camera.secretKey };

type List = Partial<ocellus.v1.RecipientsList.$Properties>;

function mistake(over: List): string {
  const checked = checkRecipients(owner.list(over), judge, native);
  assert.ok("mistake" in checked, "the list was taken");
  return checked.mistake;
}

test("a good list gives its keys in order and its signers with roles", () => {
  const other = native.boxKeypair();
  const list = owner.list({
    version: 4,
    recipients: [{ boxKey: owner.vault.publicKey, vaultVersion: 2 }, { boxKey: other.publicKey }],
  });
  const checked = checkRecipients(list, judge, native);
  assert.ok(!("mistake" in checked), JSON.stringify(checked));
  assert.equal(checked.version, 4);
  assert.deepEqual(checked.boxKeys.map(toHex), [owner.vault.publicKey, other.publicKey].map(toHex));
  const [device] = checked.signers;
  assert.deepEqual(device?.signingKey, owner.device.publicKey);
  assert.deepEqual(device?.id, native.sha256(owner.device.publicKey).slice(0, 8));
  assert.deepEqual([...(device?.roles ?? [])], [ROLE_VIEW, ROLE_CONTROL, ROLE_ADMIN]);
});

test("a list that the root key did not sign is not even parsed", () => {
  const by = (signed: ocellus.v1.SignedRecipients.$Properties) =>
    checkRecipients(signed, judge, native);
  const good = owner.list();
  const stranger = owner.list({}, owner.device);
  assert.ok("mistake" in by(stranger));
  const altered = {
    ...good,
    list: Uint8Array.from(good.list ?? [], (b, i) => (i === 3 ? b ^ 1 : b)),
  };
  assert.ok("mistake" in by(altered));
  assert.ok("mistake" in by({ list: good.list ?? null }));
  assert.ok("mistake" in by({}));
  // The signature of a camera record does not serve for a list.
  const record = owner.cameraRecord({
    camera: owner.camera,
    signingKey: owner.device.publicKey,
    boxKey: camera.publicKey,
  });
  const crossed = { list: record.cameraRecord ?? null, signature: record.signature ?? null };
  assert.match(JSON.stringify(by(crossed)), /not signed/);
});

test("another tenant, no version, no or too many recipients are refused", () => {
  const many = (count: number) =>
    Array.from({ length: count }, () => ({ boxKey: native.boxKeypair().publicKey }));
  assert.match(mistake({ tenant: "neighbour" }), /another tenant/);
  assert.match(mistake({ version: 0 }), /no version/);
  assert.match(mistake({ recipients: [] }), /1 to 16/);
  assert.match(mistake({ recipients: many(17) }), /1 to 16/);
  assert.ok(!("mistake" in checkRecipients(owner.list({ recipients: many(16) }), judge, native)));
});

test("malformed, repeated and low-order keys are refused", () => {
  const { publicKey } = owner.vault;
  assert.match(mistake({ recipients: [{ boxKey: publicKey.slice(1) }] }), /32 bytes/);
  assert.match(mistake({ recipients: [{ boxKey: publicKey }, { boxKey: publicKey }] }), /twice/);
  for (const first of [0, 1]) {
    const lowOrder = new Uint8Array(32);
    lowOrder[0] = first;
    assert.match(mistake({ recipients: [{ boxKey: lowOrder }] }), /low order/);
  }
});

test("malformed and repeated signers and more than 32 of them are refused", () => {
  const entry = { signingKey: owner.device.publicKey, roles: [ROLE_VIEW] };
  assert.match(mistake({ signers: [{ ...entry, signingKey: new Uint8Array(31) }] }), /32 bytes/);
  assert.match(mistake({ signers: [entry, entry] }), /twice/);
  const many = Array.from({ length: 33 }, () => ({ signingKey: native.random(32) }));
  assert.match(mistake({ signers: many }), /at most 32/);
});

test("admin includes control, control includes view, operator stands apart", () => {
  const all = [ROLE_VIEW, ROLE_CONTROL, ROLE_ADMIN, ROLE_OPERATOR];
  const allowed = (role: ocellus.v1.Role) =>
    all.filter((needed) => mayAct(new Set([role]), needed));
  assert.deepEqual(allowed(ROLE_VIEW), [ROLE_VIEW]);
  assert.deepEqual(allowed(ROLE_CONTROL), [ROLE_VIEW, ROLE_CONTROL]);
  assert.deepEqual(allowed(ROLE_ADMIN), [ROLE_VIEW, ROLE_CONTROL, ROLE_ADMIN]);
  assert.deepEqual(allowed(ROLE_OPERATOR), [ROLE_OPERATOR]);
  assert.deepEqual(
    all.filter((needed) => mayAct(new Set(), needed)),
    [],
  );
});

test("a list on flash that is older than one ever taken is refused", () => {
  const double = createDouble();
  files.recipients.save(double.native, owner.list({ version: 2 }));
  const load = (newest: number) => loadRecipients(double.native, judge, newest);
  assert.ok(!("mistake" in load(2)));
  assert.ok(!("mistake" in load(1)), "a cut between list and counter is no rollback");
  assert.match(JSON.stringify(load(3)), /version 2, but 3/);
  double.state.delete("recipients");
  assert.match(JSON.stringify(load(0)), /missing/);
  double.state.set("recipients", new Uint8Array(30));
  assert.match(JSON.stringify(load(0)), /damaged/);
});
