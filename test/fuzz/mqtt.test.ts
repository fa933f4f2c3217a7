/**
 * Fuzzing of MQTT packets that reach the agent. Many runs over the edge alone, in Node; fewer over the whole bundle in
 * QuickJS, paired, where memory can be counted. Nothing may throw, memory stays bounded, the camera comes back each time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Broker } from "../../agent/control/mqtt.ts";
import { ScriptedBroker } from "../agent/control/scripted-broker.ts";
import { createDouble } from "../agent/double/double.ts";
import { CameraRig } from "../agent/main/rig.ts";
import { fuzz } from "./fuzzing.ts";

/** From source; the camera's own limit is 4 MB. */
const HEAP_BYTES = 4 << 20;
/** Longer than any back-off. */
const RECONNECTED_MS = 65_000;

/** The edge to a broker, with messages on the way. */
function edge() {
  const { native, clock, network } = createDouble();
  const server = new ScriptedBroker(network);
  const heard = { up: 0, causes: new Set<string>(), commands: 0 };
  const broker = new Broker(
    native,
    {
      clientId: "fuzz",
      linkTopic: "link",
      commandTopic: "cmd",
      access: () => ({ url: "mqtts://broker.test", username: "u", password: "p", caPem: "" }),
      will: () => Uint8Array.of(1),
    },
    {
      up: () => {
        heard.up += 1;
        broker.publish("status", new Uint8Array(10), true, () => {});
      },
      down: ({ cause, reason }) => {
        assert.match(cause, /^[a-z0-9-]+$/);
        assert.match(reason, /\.$/);
        heard.causes.add(cause);
      },
      command: (payload) => {
        assert.ok(payload.length <= 16_384);
        heard.commands += 1;
      },
    },
  );
  broker.start();
  return { server, clock, heard, broker };
}

test("the edge takes any packets on a connection, and reconnects after those it cannot take", async () => {
  const { server, clock, heard, broker } = edge();
  // An unacknowledged message is there for acknowledgements to hit.
  server.manners.puback = () => "silence";
  await clock.settle();
  await fuzz("mqtt", async (input) => {
    server.sendRaw(input);
    await clock.settle();
    if (!server.isConnected) await clock.advance(RECONNECTED_MS);
    broker.giveUpIfStalled();
  });
  await clock.advance(RECONNECTED_MS);
  server.cut();
  await clock.advance(RECONNECTED_MS);
  assert.ok(broker.up);
  assert.ok(heard.causes.has("broker-malformed-packet"), `${[...heard.causes]}`);
  assert.ok(heard.up > 10);
});

test("the edge takes any answer to CONNECT", async () => {
  const { server, clock, heard, broker } = edge();
  await clock.settle();
  server.manners.connack = "silence";
  await fuzz("mqtt", async (input) => {
    server.cut();
    await clock.advance(RECONNECTED_MS);
    server.sendRaw(input);
    await clock.settle();
  });
  server.manners.connack = 0;
  server.cut();
  await clock.advance(RECONNECTED_MS);
  await clock.advance(RECONNECTED_MS);
  assert.ok(broker.up);
  assert.ok(heard.causes.has("broker-malformed-packet"), `${[...heard.causes]}`);
});

test("in the engine mutated packets cost at most the connection", async () => {
  const rig = new CameraRig();
  await rig.pair("quickjs");
  let runs = 0;
  let cuts = 0;
  await fuzz("mqtt", async (input) => {
    runs += 1;
    const before = rig.broker.connects.length;
    rig.broker.sendRaw(input);
    await rig.double.clock.settle();
    // A half packet waits for its rest; the next input would then be read as its tail, which is worth trying too.
    if (runs % 7 === 0) rig.broker.cut();
    await rig.advance(rig.broker.isConnected ? 50 : RECONNECTED_MS);
    cuts += rig.broker.connects.length - before;
    assert.deepEqual(rig.engine?.defects, []);
    assert.ok((rig.engine?.heapBytes() ?? 0) < HEAP_BYTES, `${rig.engine?.heapBytes()} bytes`);
  });
  await rig.advance(RECONNECTED_MS);
  await rig.until(() => rig.broker.isConnected, 120_000);
  const reply = await rig.order({ ping: {} }, { seq: 1_000_000 });
  assert.equal(reply.result, 1);
  assert.ok(cuts > 3, `${cuts} connections were cut`);
  rig.end();
});

test("in the engine a mutated answer to CONNECT ends in a connection or in a reason", async () => {
  const rig = new CameraRig();
  await rig.pair("quickjs");
  await fuzz("mqtt", async (input) => {
    rig.broker.manners.connack = "silence";
    rig.broker.cut();
    await rig.until(() => rig.broker.isConnected, RECONNECTED_MS);
    await rig.double.clock.settle();
    rig.broker.sendRaw(input);
    await rig.double.clock.settle();
    assert.deepEqual(rig.engine?.defects, []);
    assert.ok((rig.engine?.heapBytes() ?? 0) < HEAP_BYTES, `${rig.engine?.heapBytes()} bytes`);
  });
  rig.broker.manners.connack = 0;
  rig.broker.cut();
  await rig.advance(RECONNECTED_MS);
  await rig.until(() => rig.broker.isConnected && rig.control().cause !== "", 120_000);
  const reply = await rig.order({ ping: {} }, { seq: 1_000_000 });
  assert.equal(reply.result, 1);
  rig.end();
});
