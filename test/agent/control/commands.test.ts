import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import {
  COMMAND_BYTES,
  CommandGate,
  VALIDITY_US,
  type Verdict,
} from "../../../agent/control/commands.ts";
import { openCrypto } from "../../../agent/control/crypto.ts";
import { keyId } from "../../../agent/identity/encoding.ts";
import type { Signer } from "../../../agent/identity/recipients.ts";
import { createDouble } from "../double/double.ts";
import { type CommandSpoils, Owner, type SignPair } from "../owner.ts";

const { Result, Kind, Role } = ocellus.v1;
const { native } = createDouble();
const BOOT = 7;
const NOW = 1_000_000_000;

interface World {
  readonly owner: Owner;
  readonly gate: CommandGate;
  readonly verified: () => number;
  /** Sends a command and judges it. `ahead`: how long it is valid. */
  send(
    command: ocellus.v1.Command.$Properties,
    spoils?: CommandSpoils,
    at?: { now?: number; ahead?: number },
  ): Verdict;
}

function signer(pair: SignPair, ...roles: ocellus.v1.Role[]): Signer {
  const id = keyId((bytes) => native.sha256(bytes), pair.publicKey);
  return { id, signingKey: pair.publicKey, roles: new Set(roles) };
}

function world(adopted = true): World {
  const owner = new Owner();
  const box = native.boxKeypair();
  const self = { camera: owner.camera, boot: BOOT, topic: owner.topic("cmd"), box };
  let verified = 0;
  const crypto = {
    ...openCrypto(native),
    verify: (...args: Parameters<typeof native.verify>) => {
      verified += 1;
      return native.verify(...args);
    },
  };
  const gate = new CommandGate(crypto, self, signer(owner.root, Role.ROLE_ADMIN), NOW);
  if (adopted) gate.setAdopted();
  gate.setSigners([signer(owner.device, Role.ROLE_VIEW, Role.ROLE_CONTROL, Role.ROLE_ADMIN)]);
  return {
    owner,
    gate,
    verified: () => verified,
    send(command, spoils = {}, { now = NOW, ahead = 60_000_000 } = {}) {
      const to = { boxKey: box.publicKey, boot: BOOT, notAfterUs: now + ahead };
      return gate.judge(owner.command(to, command, spoils), now);
    },
  };
}

const PING = { ping: { payload: Uint8Array.of(1, 2, 3) } };

function assertIgnored(verdict: Verdict, why: string): void {
  assert.deepEqual(verdict, { is: "ignored", why });
}

function assertRefused(verdict: Verdict, result: ocellus.v1.Result, text: RegExp): void {
  assert.ok(verdict.is === "refused", JSON.stringify(verdict));
  assert.equal(verdict.result, result);
  assert.match(verdict.text, text);
}

test("a good command is accepted with its action, signer and counter", () => {
  const { owner, send } = world();
  const verdict = send(PING, { seq: 9 });
  assert.ok(verdict.is === "accepted", JSON.stringify(verdict));
  assert.equal(verdict.to.seq, 9);
  assert.deepEqual(verdict.to.signer, native.sha256(owner.device.publicKey).slice(0, 8));
  assert.ok(verdict.action.does === "ping");
  assert.deepEqual([...(verdict.action.ping.payload ?? [])], [1, 2, 3]);
});

test("before the signature: each defect is ignored, counted, and costs no verification", () => {
  const { owner, gate, verified, send } = world();
  assertIgnored(gate.judge(new Uint8Array(COMMAND_BYTES + 1), NOW), "size");
  assertIgnored(gate.judge(new Uint8Array(0), NOW), "malformed");
  assertIgnored(gate.judge(Uint8Array.of(0xff, 1, 2, 3), NOW), "malformed");
  assertIgnored(send(PING, { kind: Kind.KIND_REPLY, unsealed: true }), "kind");
  assertIgnored(send(PING, { camera: native.random(16) }), "camera");
  assertIgnored(send(PING, { boot: BOOT - 1 }), "boot");
  assertIgnored(send(PING, { boot: BOOT + 1 }), "boot");
  assertIgnored(send(PING, { signer: native.signKeypair() }), "unknown-signer");
  assert.equal(verified(), 0);
  assert.equal(gate.ignored, 8);
  assertIgnored(
    send(PING, { signer: native.signKeypair(), claimedSigner: owner.device }),
    "signature",
  );
  assertIgnored(send(PING, { topic: owner.topic("rsp") }), "signature");
  assert.equal(verified(), 2);
});

test("eight verifications at once, then two a second, whoever asks", () => {
  const { owner, send } = world();
  const forged = { signer: native.signKeypair(), claimedSigner: owner.device };
  for (let i = 0; i < 8; i++) assertIgnored(send(PING, forged), "signature");
  assertIgnored(send(PING), "rate");
  assertIgnored(send(PING, {}, { now: NOW + 499_999 }), "rate");
  assert.equal(send(PING, {}, { now: NOW + 500_000 }).is, "accepted");
  assertIgnored(send(PING, {}, { now: NOW + 500_000 }), "rate");
  assert.equal(send(PING, {}, { now: NOW + 1_500_000 }).is, "accepted");
  assert.equal(send(PING, {}, { now: NOW + 1_500_000 }).is, "accepted");
  assertIgnored(send(PING, {}, { now: NOW + 1_500_000 }), "rate");
});

test("a counter is good once, and only above all before it, for each signer apart", () => {
  const { owner, send } = world();
  assert.equal(send(PING, { seq: 5 }).is, "accepted");
  assertRefused(send(PING, { seq: 5 }), Result.RESULT_INVALID, /Counter 5 is used up.* is 5/);
  assertRefused(send(PING, { seq: 4 }), Result.RESULT_INVALID, /used up/);
  assert.equal(send(PING, { seq: 1, signer: owner.root }).is, "accepted");
  assert.equal(send(PING, { seq: 100 }).is, "accepted");
  assertRefused(send(PING, { seq: 99 }), Result.RESULT_INVALID, /used up/);
});

test("the very bytes of an accepted command are refused", () => {
  const { owner, gate } = world();
  const box = native.boxKeypair();
  const self = { camera: owner.camera, boot: BOOT, topic: owner.topic("cmd"), box };
  const own = new CommandGate(openCrypto(native), self, signer(owner.root, Role.ROLE_ADMIN), NOW);
  own.setAdopted();
  const to = { boxKey: box.publicKey, boot: BOOT, notAfterUs: NOW + 1 };
  const bytes = owner.command(to, PING, { signer: owner.root });
  assert.equal(own.judge(bytes, NOW).is, "accepted");
  assertRefused(own.judge(bytes, NOW), Result.RESULT_INVALID, /used up/);
  // Another camera of the same owner, to whom it is not addressed, cannot open it.
  assertRefused(gate.judge(bytes, NOW), Result.RESULT_INVALID, /no-wrap/);
});

test("validity is measured on the camera's clock and bounded to ten minutes", () => {
  const { send } = world();
  assert.equal(send(PING, {}, { ahead: 0 }).is, "accepted");
  assertRefused(send(PING, {}, { ahead: -1 }), Result.RESULT_INVALID, /too late/);
  assert.equal(send(PING, {}, { ahead: VALIDITY_US }).is, "accepted");
  assertRefused(send(PING, {}, { ahead: VALIDITY_US + 1 }), Result.RESULT_INVALID, /ten minutes/);
});

test("a command refused for its time does not become good by waiting", () => {
  const { send } = world();
  assertRefused(send(PING, { seq: 3 }, { ahead: 2 * VALIDITY_US }), Result.RESULT_INVALID, /ten/);
  const later = NOW + VALIDITY_US + 1_000_000;
  assertRefused(send(PING, { seq: 3 }, { now: later }), Result.RESULT_INVALID, /used up/);
});

test("what is not sealed, or sealed for another place, cannot be opened", () => {
  const { send } = world();
  assertRefused(send(PING, { unsealed: true }), Result.RESULT_INVALID, /not sealed/);
  assertRefused(send(PING, { sealedAtBoot: BOOT + 1 }), Result.RESULT_INVALID, /cannot be opened/);
  assertRefused(send(PING, { sealedAtSeq: 1 }), Result.RESULT_INVALID, /cannot be opened/);
  const garbage = { secret: Uint8Array.of(0xff, 0xff) };
  assertRefused(send(PING, garbage), Result.RESULT_INVALID, /cannot be read/);
  // Field 64 of Command.
  const critical = { secret: Uint8Array.of(0x0a, 0, 0x82, 0x04, 0) };
  assertRefused(send(PING, critical), Result.RESULT_INVALID, /critical-field/);
});

test("an action that this version does not know is unsupported", () => {
  const { send } = world();
  assertRefused(send({}), Result.RESULT_UNSUPPORTED, /does not know/);
  // Field 20 of Command, an empty message.
  const later = { secret: Uint8Array.of(0xa2, 0x01, 0) };
  assertRefused(send(PING, later), Result.RESULT_UNSUPPORTED, /does not know/);
});

test("roles decide who may do what", () => {
  const { VIEW, CONTROL, ADMIN, OPERATOR } = {
    VIEW: Role.ROLE_VIEW,
    CONTROL: Role.ROLE_CONTROL,
    ADMIN: Role.ROLE_ADMIN,
    OPERATOR: Role.ROLE_OPERATOR,
  };
  const actions: [ocellus.v1.Command.$Properties, ocellus.v1.Role[]][] = [
    [{ ping: {} }, [VIEW, CONTROL, ADMIN]],
    [{ settings: { segmentS: 5 } }, [CONTROL, ADMIN]],
    [{ log: {} }, [CONTROL, ADMIN]],
    [{ reboot: {} }, [CONTROL, ADMIN]],
    [{ access: {} }, [ADMIN]],
    [{ recipients: {} }, [ADMIN]],
  ];
  for (const [command, allowed] of actions) {
    for (const role of [VIEW, CONTROL, ADMIN, OPERATOR]) {
      const { owner, gate, send } = world();
      gate.setSigners([signer(owner.device, role)]);
      const verdict = send(command);
      const name = `${JSON.stringify(command)} by ${Role[role]}`;
      if (allowed.includes(role)) assert.equal(verdict.is, "accepted", name);
      else assertRefused(verdict, Result.RESULT_FORBIDDEN, /roles/);
    }
    const { owner, gate, send } = world();
    gate.setSigners([signer(owner.device)]);
    assertRefused(send(command), Result.RESULT_FORBIDDEN, /roles/);
    assert.equal(send(command, { signer: owner.root }).is, "accepted", "root may do all");
  }
});

test("before adoption only adopt by the root key, after it never", () => {
  const before = world(false);
  const { root } = before.owner;
  assertRefused(before.send(PING, { signer: root }), Result.RESULT_FORBIDDEN, /not adopted/);
  assertRefused(before.send({ adopt: {} }), Result.RESULT_FORBIDDEN, /Only the owner's root/);
  assert.equal(before.send({ adopt: {} }, { signer: root, seq: 50 }).is, "accepted");
  const after = world(true);
  const again = after.send({ adopt: {} }, { signer: after.owner.root });
  assertRefused(again, Result.RESULT_FORBIDDEN, /adopted already/);
});

test("a signer taken off the list is unknown at once, one that stays keeps its counter", () => {
  const { owner, gate, send } = world();
  assert.equal(send(PING, { seq: 10 }).is, "accepted");
  gate.setSigners([]);
  assertIgnored(send(PING, { seq: 11 }), "unknown-signer");
  gate.setSigners([signer(owner.device, Role.ROLE_VIEW)]);
  assertRefused(send(PING, { seq: 10 }), Result.RESULT_INVALID, /used up/);
});
