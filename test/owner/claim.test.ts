/** A claim is good only if all of it is: each check has a claim that fails by nothing else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { topicName } from "../../agent/seal/names.ts";
import { signRecord } from "../../agent/seal/record.ts";
import { checkClaim } from "../../scripts/owner/claim.ts";
import {
  boxPairOf,
  crypto,
  encoded,
  hmacSha256,
  inDomain,
  keyId,
  random,
  signingPairOf,
} from "../../scripts/owner/crypto.ts";
import { expectCamera } from "../../scripts/owner/provision.ts";
import { fullOwner } from "./support/owners.ts";

const { Claim, Kind, Pairing, StatusPublic } = ocellus.v1;
const owner = fullOwner();
const expected = expectCamera("door");
const signing = signingPairOf(random(32));
const box = boxPairOf(random(32));

interface Spoils {
  readonly claim?: ocellus.v1.Claim.$Properties;
  readonly token?: Uint8Array;
  readonly domain?: string;
  readonly pairing?: ocellus.v1.Pairing;
  /** Who signs the status; by default the key that is claimed. */
  readonly secretKey?: Uint8Array;
  readonly signer?: Uint8Array;
  /** The camera that the status is of. */
  readonly camera?: Uint8Array;
  readonly topic?: string;
}

/** The status of a claiming camera, as provisioned by `owner`, but for what is spoilt. Everything else fits it. */
function status(spoils: Spoils = {}): Uint8Array {
  const claim = encoded(Claim, {
    ...{ camera: expected.id, signingKey: signing.publicKey, boxKey: box.publicKey },
    rootKey: owner.root.publicKey,
    ...spoils.claim,
  });
  const domain = spoils.domain ?? "ocellus/v1/claim\0";
  const plain = encoded(StatusPublic, {
    ...{ monotonicUs: 77, pairing: spoils.pairing ?? Pairing.PAIRING_CLAIMING },
    ...{ claim, claimMac: hmacSha256(spoils.token ?? expected.token, inDomain(domain, claim)) },
  });
  const camera = spoils.camera ?? expected.id;
  const topic = spoils.topic ?? topicName(owner.tenant, camera, "status");
  const signer = keyId(spoils.signer ?? signing.publicKey);
  const body = { kind: Kind.KIND_STATUS, camera, boot: 3, seq: 1, signer, plain };
  const secretKey = spoils.secretKey ?? signing.secretKey;
  return signRecord(crypto, topic, { ...body, sealed: null, notAfterUs: 0 }, secretKey);
}

function why(payload: Uint8Array): string {
  const result = checkClaim(owner, expected, payload);
  return "why" in result ? result.why : "good";
}

test("an honest claim is good, and gives the keys that are claimed", () => {
  const claimed = checkClaim(owner, expected, new Uint8Array(status()));
  assert.ok(!("why" in claimed), JSON.stringify(claimed));
  assert.deepEqual(Buffer.from(claimed.signingKey), Buffer.from(signing.publicKey));
  assert.deepEqual(Buffer.from(claimed.boxKey), Buffer.from(box.publicKey));
  assert.deepEqual([claimed.boot, claimed.monotonic_us], [3, 77]);
});

test("without the token that was given to the camera no claim is good", () => {
  assert.match(why(status({ token: random(32) })), /token/);
  assert.match(why(status({ domain: "ocellus/v1/other\0" })), /token/);
});

test("a claim for another camera is not this one's, though made with its token", () => {
  assert.match(why(status({ claim: { camera: random(16) } })), /another camera/);
});

test("a claim that names another owner's root key is refused: that camera would obey him", () => {
  assert.match(why(status({ claim: { rootKey: random(32) } })), /another owner/);
});

test("keys of another length are refused", () => {
  assert.match(why(status({ claim: { signingKey: random(31) } })), /malformed keys/);
  assert.match(why(status({ claim: { boxKey: random(33) } })), /malformed keys/);
});

test("the status must be signed by the claimed key, for this camera and topic", () => {
  const other = signingPairOf(random(32));
  assert.match(why(status({ secretKey: other.secretKey })), /claimed key \(signature\)/);
  assert.match(why(status({ signer: other.publicKey })), /claimed key \(signer\)/);
  assert.match(why(status({ camera: random(16) })), /claimed key \(camera\)/);
  const topic = topicName("away", expected.id, "status");
  assert.match(why(status({ topic })), /claimed key \(signature\)/);
});

test("a camera that does not claim is not adopted again", () => {
  assert.match(why(status({ pairing: Pairing.PAIRING_PAIRED })), /not claiming/);
});

test("junk is malformed", () => {
  assert.match(why(random(100)), /malformed/);
  assert.match(why(new Uint8Array()), /malformed/);
});
