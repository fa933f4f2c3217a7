import assert from "node:assert/strict";
import { test } from "node:test";
import { generate } from "mqtt-packet";
import { ocellus } from "#proto";
import { PACKET_BYTES } from "../../agent/control/inbound.ts";
import { COMMAND_ACCESS_BYTES } from "../../scripts/cli/send.ts";
import { makeCommand } from "../../scripts/owner/command.ts";
import { boxPairOf, random, signingPairOf } from "../../scripts/owner/crypto.ts";

test("the largest access that is sent comes in a packet that a camera takes", () => {
  const access: ocellus.v1.Access.$Properties = { broker: { caPem: "" } };
  const bytes = () => ocellus.v1.Access.encode(access).finish().length;
  assert.ok(access.broker);
  while (bytes() < COMMAND_ACCESS_BYTES) {
    access.broker.caPem += "x".repeat(Math.max(1, COMMAND_ACCESS_BYTES - bytes() - 8));
  }
  assert.equal(bytes(), COMMAND_ACCESS_BYTES);
  const now_us = Date.now() * 1000;
  const to = {
    tenant: "t".repeat(32),
    camera: random(16),
    boxKey: boxPairOf(random(32)).publicKey,
    boot: 2 ** 32 - 1,
    monotonic_us: 2 ** 50,
  };
  const { topic, payload } = makeCommand(to, signingPairOf(random(32)), now_us, { access });
  const packet = generate(
    {
      ...{ cmd: "publish", topic, payload: Buffer.from(payload), qos: 1, messageId: 65_535 },
      ...{ dup: false, retain: false },
    },
    { protocolVersion: 5 },
  );
  assert.ok(packet.length <= PACKET_BYTES, `${packet.length} bytes`);
  assert.ok(packet.length > PACKET_BYTES - 256, "the rest is not guessed far too large");
});
