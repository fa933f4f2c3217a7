/**
 * Brokers that are gone, refuse, hang up or flood: footage goes on into the store, memory stays bounded, the reason is
 * told once somebody can hear it, and the camera comes back by itself.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { createServer, type TLSSocket } from "node:tls";
import { generate, parser } from "mqtt-packet";
import { ocellus } from "#proto";
import { topicName } from "../../agent/seal/names.ts";
import { memoryOf } from "../../scripts/camera/observe.ts";
import { issueServerCertificate } from "../../scripts/cloud/ca.ts";
import { connectBroker } from "../../scripts/owner/broker.ts";
import { random } from "../../scripts/owner/crypto.ts";
import { Rig, until, withRig } from "./support/rig.ts";

let rig: Rig;

before(async () => {
  rig = await Rig.create();
  await rig.record();
});
// A camera that lost its broker a moment ago waits longer the next time: each test has a fresh one.
beforeEach(() => rig.restartAgent());
after(() => rig.stop());

/** Waits until the broker stage is well again and tells `cause` as what was before. */
async function recovered(cause: string): Promise<void> {
  const reason = await rig.untilStatus(
    `control to tell ${cause}`,
    () =>
      rig.stages().control?.ok &&
      rig.stages().control?.cause === cause &&
      rig.stages().control?.reason,
    90_000,
  );
  assert.match(reason, /^Connected again after \d+ s\. Before: /);
  rig.assertNeverRestarted();
}

/** What the camera writes of the connection from here on. */
function saidLater(pattern: RegExp): () => boolean {
  const before = rig.lines.length;
  return () => rig.lines.slice(before).some((line) => pattern.test(line));
}

test("a broker that is down: footage is stored all the same, and the reason is told later", async () => {
  await rig.cloud.broker.stop();
  await rig.untilStored(2);
  await rig.cloud.broker.start();
  await recovered("refused");
});

test("a broker that crashes: the camera is back within its back-off", async () => {
  await rig.cloud.broker.stop("SIGKILL");
  await rig.cloud.broker.start();
  await rig.untilStatus("control well", () => rig.stages().control?.ok, 60_000);
  rig.assertNeverRestarted();
});

/** A server in the broker's place that answers every CONNECT with what `answer` says. */
async function inPlaceOfBroker(answer: (socket: TLSSocket) => void, use: () => Promise<void>) {
  const port = rig.cloud.broker.mqttPort;
  const { certPem: cert, keyPem: key } = await issueServerCertificate(rig.cloud.authority, {
    names: ["localhost", "127.0.0.1"],
  });
  await rig.cloud.broker.stop();
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert, key }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    const packets = parser({ protocolVersion: 5 });
    packets.on("packet", ({ cmd }) => {
      if (cmd === "connect") answer(socket);
    });
    socket.on("data", (bytes) => packets.parse(bytes));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  try {
    await use();
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rig.cloud.broker.start();
  }
}

const connack = (reasonCode: number) =>
  generate({ cmd: "connack", reasonCode, sessionPresent: false }, { protocolVersion: 5 });

test("a broker that refuses the credentials is told as such", async () => {
  const said = saidLater(/user name or password/);
  await inPlaceOfBroker(
    (socket) => socket.end(connack(0x86)),
    async () => {
      await until("the refusal in the log", said, 40_000);
      await rig.untilStored(1);
    },
  );
  await recovered("broker-bad-credentials");
});

test("a broker that says it is busy is told as such", async () => {
  const said = saidLater(/busy/);
  await inPlaceOfBroker(
    (socket) => socket.end(connack(0x89)),
    () => until("the refusal in the log", said, 40_000).then(() => undefined),
  );
  await recovered("broker-busy");
});

test("a broker that talks no MQTT is hung up on", async () => {
  const said = saidLater(/No connection to the broker/);
  await inPlaceOfBroker(
    (socket) => socket.end(random(60_000)),
    () => until("the trouble in the log", said, 40_000).then(() => undefined),
  );
  await rig.untilStatus("control well", () => rig.stages().control?.ok, 90_000);
  rig.assertNeverRestarted();
});

test("a flood of commands that are none neither stops footage nor fills memory", async () => {
  // Without sanitizers, whose allocator keeps what was freed.
  await withRig({ variant: "host" }, async (flooded) => {
    await flooded.record();
    await flooded.untilStored(1);
    const { owner, paired } = flooded;
    assert.ok(owner.access);
    const pid = flooded.host.agent?.pid ?? 0;
    const flooder = await connectBroker(owner.access.broker, () => undefined);
    const topic = topicName(owner.tenant, paired.id, "cmd");
    const stored = flooded.untilStored(2);
    // The last is larger than a camera lets in at all.
    const junk = [random(100), random(16_000), random(100_000)];
    for (let round = 0; round < 40; round++) {
      const some = Array.from({ length: 20 }, (_one, i) => junk[i % 3] ?? random(1));
      await Promise.all(some.map((payload) => flooder.publish(topic, payload)));
    }
    await flooder.close();
    await stored;
    const reply = await until(
      "an answer to a good command after the flood",
      () => flooded.talk.send(paired, { action: "ping", ping: {} }, 5_000).catch(() => null),
      60_000,
    );
    assert.equal(reply.result, ocellus.v1.Result.RESULT_OK);
    // The design's budget: 10 MB and 3 MB of it heap, beside the queue (8 MB) and the ring (4 MB).
    const memory = await memoryOf(pid);
    assert.ok(memory && memory.peak_kb < (10 + 8 + 4) * 1024, `peak of ${memory?.peak_kb} kB`);
    const heap_kb = await flooded.untilStatus("the heap", (_status, { heapKb }) => heapKb);
    assert.ok(heap_kb < 3 * 1024, `heap of ${heap_kb} kB`);
    flooded.assertNeverRestarted();
  });
});

test("a flood is survived under sanitizers too", async () => {
  const { owner, paired } = rig;
  assert.ok(owner.access);
  const flooder = await connectBroker(owner.access.broker, () => undefined);
  const topic = topicName(owner.tenant, paired.id, "cmd");
  for (let round = 0; round < 20; round++) {
    const some = Array.from({ length: 20 }, (_one, i) => random(1 + ((i * 997) % 20_000)));
    await Promise.all(some.map((payload) => flooder.publish(topic, payload)));
  }
  await flooder.close();
  await rig.untilStored(1);
  rig.assertNeverRestarted();
});
