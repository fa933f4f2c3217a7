import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { EPOCH_US, Epochs } from "../../../agent/seal/epochs.ts";
import { bootRecordTopic, topicName } from "../../../agent/seal/names.ts";
import { openBody, parseRecord, verifyRecord } from "../../../agent/seal/record.ts";
import { isRefused } from "../../../agent/seal/refusal.ts";
import { RecordWriter } from "../../../agent/seal/writer.ts";
import { createDouble } from "../double/double.ts";

const { Kind } = ocellus.v1;

function rig() {
  const double = createDouble();
  const { native, crypto } = double;
  const signing = crypto.signKeypair();
  const owner = crypto.boxKeypair();
  const recovery = crypto.boxKeypair();
  const camera = crypto.random(16);
  const identity = {
    camera,
    tenant: "home",
    boot: 5,
    signingPublic: signing.publicKey,
    signingSecret: signing.secretKey,
  };
  const epochs = new Epochs(native);
  const writer = new RecordWriter(native, identity, epochs);
  const recipients = { version: 1, boxKeys: [owner.publicKey, recovery.publicKey] };
  /** Verifies and opens an envelope; the private part is `null` where there is none. */
  const read = (bytes: Uint8Array | null, topic: string, key = owner) => {
    assert.ok(bytes);
    const record = parseRecord(bytes);
    if (isRefused(record)) throw new Error(record.refused);
    const wrong = verifyRecord(crypto, record, { topic, camera, boot: 5 }, signing.publicKey);
    assert.equal(wrong, null);
    const { sealed, seq } = record.body;
    const secret = sealed && openBody(crypto, "record", { boot: 5, seq }, sealed, [key]);
    if (isRefused(secret)) throw new Error(secret.refused);
    return { body: record.body, secret };
  };
  return { double, epochs, writer, owner, recovery, camera, recipients, read };
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

test("a record carries its public and its private part, and every recipient opens it", () => {
  const { epochs, writer, recovery, camera, recipients, read } = rig();
  epochs.setRecipients(recipients);
  const topic = topicName("home", camera, "status");
  const made = writer.write({
    kind: Kind.KIND_STATUS,
    topic,
    plain: bytes("open"),
    secret: bytes("secret"),
  });
  for (const { body, secret } of [read(made, topic), read(made, topic, recovery)]) {
    assert.deepEqual(new Uint8Array(body.plain), bytes("open"));
    assert.deepEqual(secret, bytes("secret"));
    assert.equal(body.sealed?.epoch, 1);
    assert.equal(body.notAfterUs, 0);
  }
});

test("records are counted from 1, whatever their kind", () => {
  const { epochs, writer, camera, recipients, read } = rig();
  epochs.setRecipients(recipients);
  const status = topicName("home", camera, "status");
  const boot = bootRecordTopic("home", camera, 5);
  assert.equal(writer.lastSeq, 0);
  const first = writer.write({ kind: Kind.KIND_STATUS, topic: status, plain: bytes("a") });
  const second = writer.write({ kind: Kind.KIND_BOOT, topic: boot, secret: bytes("b") });
  assert.deepEqual([read(first, status).body.seq, read(second, boot).body.seq], [1, 2]);
  assert.equal(writer.lastSeq, 2);
});

test("before there are recipients nothing private is said, and no number is used up", () => {
  const { writer, camera, read } = rig();
  const topic = topicName("home", camera, "status");
  assert.equal(writer.write({ kind: Kind.KIND_STATUS, topic, secret: bytes("x") }), null);
  const made = writer.write({ kind: Kind.KIND_STATUS, topic, plain: bytes("x") });
  assert.equal(read(made, topic).body.seq, 1);
  assert.equal(read(made, topic).secret, null);
});

test("no two records share a key, a nonce or a box", () => {
  const { epochs, writer, camera, recipients, read } = rig();
  epochs.setRecipients(recipients);
  const topic = topicName("home", camera, "evt");
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const made = writer.write({ kind: Kind.KIND_EVENT, topic, secret: bytes("the same") });
    const { sealed } = read(made, topic).body;
    assert.ok(sealed);
    for (const part of [sealed.commitment, sealed.box, sealed.wraps[0]?.sealed])
      seen.add(Buffer.from(part ?? []).toString("hex"));
  }
  assert.equal(seen.size, 60);
});

test("an epoch is kept for fifteen minutes, and then replaced", async () => {
  const { double, epochs, recipients } = rig();
  epochs.setRecipients(recipients);
  const first = epochs.current();
  await double.clock.advance(EPOCH_US / 1000 - 1);
  assert.equal(epochs.current(), first);
  await double.clock.advance(1);
  const at = { stream: 0, boot: 5, epoch: 1, seq: 9 };
  assert.ok(first);
  // Wiped by the clock, not by whoever asks for the next.
  assert.throws(() => double.native.sealRecord(first.handle, at, bytes("x")), /closed/);
  const second = epochs.current();
  assert.equal(second?.number, 2);
  assert.notDeepEqual(second?.ephemeral, first.ephemeral);
  epochs.close();
  assert.equal(double.clock.timers, 0);
});

test("each list begins an epoch of its own, the same list too", () => {
  const { epochs, recipients } = rig();
  epochs.setRecipients(recipients);
  epochs.setRecipients(recipients);
  assert.equal(epochs.current()?.number, 2);
  assert.equal(epochs.lastNumber, 2);
});

test("a list with a low-order key leaves the one before in force", () => {
  const { epochs, recipients } = rig();
  epochs.setRecipients(recipients);
  const before = epochs.current();
  const bad = { version: 2, boxKeys: [new Uint8Array(32)] };
  assert.equal(epochs.setRecipients(bad)?.error, "low-order-key");
  assert.equal(epochs.current(), before);
  assert.equal(epochs.recipients?.version, 1);
});

test("a replaced or closed epoch has no keys left", () => {
  const { epochs, recipients, double } = rig();
  epochs.setRecipients(recipients);
  const first = epochs.current();
  assert.ok(first);
  epochs.setRecipients(recipients);
  const at = { stream: 0, boot: 5, epoch: 1, seq: 9 };
  assert.throws(() => double.native.sealRecord(first.handle, at, bytes("x")), /closed/);
  const second = epochs.current();
  assert.ok(second);
  epochs.close();
  assert.equal(epochs.current(), null);
  assert.throws(() => double.native.sealRecord(second.handle, at, bytes("x")), /closed/);
});
