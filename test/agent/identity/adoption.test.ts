import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { ocellus } from "#proto";
import { mistakeInAdoption } from "../../../agent/identity/adoption.ts";
import { makeClaim } from "../../../agent/identity/claim.ts";
import { toHex } from "../../../agent/identity/encoding.ts";
import { files } from "../../../agent/identity/files.ts";
import type { Identity } from "../../../agent/identity/identity.ts";
import { boxPublicKey, loadOwnership } from "../../../agent/identity/ownership.ts";
import { foreignProvisioning, provision, saveIdentity } from "../../../agent/identity/provision.ts";
import { parseProvisioning } from "../../../agent/identity/provisioning.ts";
import { createDouble, type Double } from "../double/double.ts";
import { Owner } from "../owner.ts";

const owner = new Owner("adoption");

function provisioned(double: Pick<Double, "native">, by: Owner = owner): Identity {
  const parsed = parseProvisioning(by.provisioningFile(), (b) => double.native.utf8Decode(b));
  assert.ok(!("mistakes" in parsed));
  const identity = provision(double.native, parsed);
  assert.ok(!("error" in identity));
  return identity;
}

const claimed = ({ camera, signing, box }: Identity) => ({
  camera,
  signingKey: signing.publicKey,
  boxKey: box.publicKey,
});

test("the claim is the HMAC of the token over id, both keys and the root key", () => {
  const double = createDouble();
  const identity = provisioned(double);
  const claim = makeClaim(identity, double.native);
  assert.ok(claim);
  const mac = createHmac("sha256", owner.token).update("ocellus/v1/claim\0").update(claim.claim);
  assert.deepEqual(Buffer.from(claim.mac), mac.digest());
  const { camera, signingKey, boxKey, rootKey } = ocellus.v1.Claim.decode(claim.claim);
  assert.deepEqual(
    [camera, signingKey, boxKey, rootKey].map(toHex),
    [...Object.values(claimed(identity)), owner.root.publicKey].map(toHex),
  );
  assert.ok(!Buffer.from(claim.claim).includes(Buffer.from(owner.token)), "the token is sent");
  assert.equal(makeClaim({ ...identity, token: null }, double.native), null);
});

test("only the root's record of exactly this camera is taken", () => {
  const double = createDouble();
  const identity = provisioned(double);
  const by = (adoption: ocellus.v1.Adoption.$Properties) =>
    mistakeInAdoption(adoption, identity, double.native);
  const keys = claimed(identity);
  assert.equal(by(owner.cameraRecord(keys)), null);
  const other = double.native.random(32);
  assert.match(by(owner.cameraRecord(keys, {}, owner.device)) ?? "", /not signed/);
  assert.match(by(owner.cameraRecord(keys, { camera: other.slice(16) })) ?? "", /another camera/);
  assert.match(by(owner.cameraRecord(keys, { tenant: "x" })) ?? "", /another tenant/);
  assert.match(by(owner.cameraRecord(keys, { signingKey: other })) ?? "", /another signing key/);
  assert.match(by(owner.cameraRecord(keys, { boxKey: other })) ?? "", /another box key/);
  assert.match(by(owner.cameraRecord(keys, { rootKey: other })) ?? "", /another root key/);
  assert.match(by({}) ?? "", /not signed/);
  const list = owner.list();
  const crossed = { cameraRecord: list.list ?? null, signature: list.signature ?? null };
  assert.match(by(crossed) ?? "", /not signed/, "a list's signature serves for a record");
});

test("ownership goes from unpaired over claiming to paired", () => {
  const double = createDouble();
  const { native } = double;
  assert.deepEqual(loadOwnership(native), { is: "unpaired" });
  const identity = provisioned(double);
  const claiming = loadOwnership(native);
  assert.ok(claiming.is === "claiming");
  assert.deepEqual(claiming.identity, identity, "what is read is what was made");
  files.adoption.save(native, owner.cameraRecord(claimed(identity)));
  saveIdentity(native, { ...identity, token: null });
  const paired = loadOwnership(native);
  assert.ok(paired.is === "paired");
  assert.deepEqual(paired.identity, { ...identity, token: null });
});

test("the identity is written last, and a cut before it starts again", () => {
  const double = createDouble();
  const order: string[] = [];
  const native = {
    ...double.native,
    writeState: (name: string, bytes: Uint8Array) => {
      order.push(name);
      return double.native.writeState(name, bytes);
    },
  };
  provisioned({ native });
  assert.equal(order.at(-1), "identity");
  assert.deepEqual(order.slice(0, -1).sort(), ["access", "counters"]);
  double.state.delete("identity");
  assert.deepEqual(loadOwnership(double.native), { is: "unpaired" });
});

test("an identity or adoption that is damaged or not ours says so and makes nothing anew", () => {
  const cases: [string, (double: Double, identity: Identity) => void][] = [
    ["identity", ({ state }) => state.set("identity", new Uint8Array(40))],
    [
      "adoption",
      ({ native, state }, identity) => {
        saveIdentity(native, { ...identity, token: null });
        state.set("adoption", new Uint8Array(40));
      },
    ],
    ["adoption", ({ native }, identity) => void saveIdentity(native, { ...identity, token: null })],
    [
      "root key",
      ({ native }, identity) => {
        files.adoption.save(native, owner.cameraRecord(claimed(identity), {}, owner.device));
      },
    ],
    [
      "signing key",
      ({ native }, identity) => {
        const signingKey = native.random(32);
        files.adoption.save(native, owner.cameraRecord(claimed(identity), { signingKey }));
      },
    ],
  ];
  for (const [named, spoil] of cases) {
    const double = createDouble();
    const identity = provisioned(double);
    spoil(double, identity);
    const before = [...double.state];
    const ownership = loadOwnership(double.native);
    assert.ok(ownership.is === "broken", named);
    assert.ok(ownership.why.includes(named), ownership.why);
    assert.deepEqual([...double.state], before);
  }
});

test("a public key is computed from its secret as NaCl does", () => {
  const { publicKey, secretKey } = createDouble().native.boxKeypair();
  assert.deepEqual(boxPublicKey(secretKey), publicKey);
});

test("a provisioning file for another camera is refused by name, the same one ignored", () => {
  const double = createDouble();
  const identity = provisioned(double);
  const parse = (by: Owner) => {
    const parsed = parseProvisioning(by.provisioningFile(), (b) => double.native.utf8Decode(b));
    assert.ok(!("mistakes" in parsed));
    return parsed;
  };
  assert.equal(foreignProvisioning(identity, parse(owner)), null);
  assert.match(foreignProvisioning(identity, parse(new Owner("other"))) ?? "", /is refused/);
});
