/** The camera and a broker that misbehaves: it keeps running, says why, and recovers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { PACKET_BYTES } from "../../../agent/control/inbound.ts";
import { SEGMENTS_MAX } from "../../../agent/control/outbox.ts";
import type { NativeErrorCode } from "../../../agent/runtime/native.d.ts";
import { CameraRig } from "../main/rig.ts";
import type { ScriptedBroker } from "./scripted-broker.ts";

const { StageState } = ocellus.v1;

/** Paired, and connected anew since it knows the time. */
async function paired(): Promise<CameraRig> {
  const rig = new CameraRig();
  await rig.pair();
  await rig.advance(1_000);
  return rig;
}

/** Waits until the status of a new connection tells `cause` of the one before. */
async function tells(rig: CameraRig, cause: string): Promise<void> {
  await rig.until(() => rig.broker.isConnected && rig.control().cause === cause, 180_000);
  assert.equal(rig.control().state, StageState.STAGE_OK);
  assert.match(rig.control().reason ?? "", /Connected again after \d+ s\. Before: \S/);
}

test("CONNECT carries what the design says: will on link, a session as long as its delay, bounds, keep-alive", async () => {
  const rig = await paired();
  const [connect] = rig.broker.connects;
  assert.ok(connect);
  assert.match(connect.clientId, /^[0-9a-f]{22}$/);
  assert.equal(connect.protocolVersion, 5);
  // An earlier process's session is not gone on with, its own is: the second connection knows the time.
  assert.deepEqual(
    rig.broker.connects.map(({ clean }) => clean),
    [true, false],
  );
  assert.equal(connect.keepalive, 60);
  assert.equal(connect.username, "cam");
  assert.equal(connect.password?.toString(), "broker password");
  assert.deepEqual(
    { ...connect.properties },
    { sessionExpiryInterval: 10, receiveMaximum: 8, maximumPacketSize: PACKET_BYTES },
  );
  const { will } = connect;
  assert.ok(will);
  assert.equal(will.topic, rig.owner.topic("link"));
  assert.equal(will.retain, true);
  assert.equal(will.qos, 1);
  assert.equal(will.properties?.willDelayInterval, 10);
  const dead = ocellus.v1.Link.decode(Buffer.from(will.payload));
  assert.deepEqual([dead.boot, dead.connection, dead.up], [1, 1, false]);
  const [greeting] = rig.broker.published;
  assert.ok(greeting?.topic === rig.owner.topic("link") && greeting.retain && greeting.qos === 1);
  const alive = ocellus.v1.Link.decode(greeting.payload);
  assert.deepEqual([alive.boot, alive.connection, alive.up], [1, 1, true]);
  assert.deepEqual(
    rig.broker.subscribed.slice(0, 1).map((options) => ({ ...options })),
    [{ topic: rig.owner.topic("cmd"), qos: 1, nl: false, rap: false, rh: 2 }],
  );
});

test("status is retained, records and replies are not", async () => {
  const rig = await paired();
  await rig.order({ ping: {} });
  await rig.feed(6);
  for (const { topic, retain, qos } of rig.broker.published) {
    const leaf = topic.split("/").at(-1) ?? "";
    assert.equal(retain, leaf === "status" || leaf === "link", leaf);
    assert.equal(qos, 1);
  }
});

test("status numbers rise, the longest silence is kept, and the clock in it runs", async () => {
  const rig = await paired();
  await rig.feed(6);
  const before = rig.statuses().length;
  await rig.feed(185);
  const statuses = rig.statuses();
  assert.equal(statuses.length - before, 3, "one a minute");
  for (const [i, status] of statuses.entries()) {
    const next = statuses[i + 1];
    if (next) assert.ok(next.seq > status.seq && next.open.monotonicUs > status.open.monotonicUs);
  }
});

test("a broker that is away for long is tried ever more rarely, with jitter, at most a minute apart", async () => {
  const rig = await paired();
  rig.broker.vanish();
  const tries: number[] = [];
  let seen = rig.double.network.attempts.length;
  for (let ms = 0; ms < 900_000; ms += 250) {
    await rig.advance(250);
    const count = rig.double.network.attempts.filter((at) => at.startsWith("broker")).length;
    if (count !== seen) tries.push(ms);
    seen = count;
  }
  const waits = tries.slice(1).map((at, i) => at - (tries[i] ?? 0));
  assert.ok(Math.max(...waits) <= 60_250, `${waits}`);
  assert.ok(waits.slice(-8).every((wait) => wait >= 29_750));
  assert.ok(new Set(waits.slice(-8)).size > 2, `no jitter: ${waits}`);
  rig.broker.serve();
  await tells(rig, "refused");
});

test("each way to be refused has its cause", async () => {
  const codes: [number, string][] = [
    [0x86, "broker-bad-credentials"],
    [0x87, "broker-not-authorized"],
    [0x88, "broker-unavailable"],
    [0x89, "broker-busy"],
    [0x8a, "broker-banned"],
    [0x84, "broker-no-mqtt5"],
    [0x9c, "broker-refused"],
  ];
  for (const [code, cause] of codes) {
    const rig = await paired();
    rig.broker.manners.connack = code;
    rig.broker.cut();
    await rig.advance(10_000);
    assert.match(rig.double.log, /No connection to the broker: The broker/);
    rig.broker.manners.connack = 0;
    await tells(rig, cause);
  }
});

test("each fault of TLS and of the network has its cause", async () => {
  const certificates: [ScriptedBroker["manners"]["certificate"], NativeErrorCode][] = [
    [{ ca: "other" }, "tls-certificate-untrusted"],
    [{ names: ["other.test"] }, "tls-certificate-name"],
    [{ notAfterS: 1_700_000_000 }, "tls-certificate-expired"],
  ];
  for (const [certificate, cause] of certificates) {
    const rig = await paired();
    rig.broker.manners.certificate = certificate;
    rig.broker.cut();
    await rig.advance(10_000);
    rig.broker.manners.certificate = {};
    await tells(rig, cause);
  }
  for (const fails of [
    "dns",
    "unreachable",
    "timeout",
    "tls-protocol",
  ] satisfies NativeErrorCode[]) {
    const rig = await paired();
    rig.broker.vanish();
    rig.double.network.serve("broker.test", 8883, { fails });
    await rig.advance(10_000);
    rig.broker.serve();
    await tells(rig, fails);
  }
});

test("a refused subscription is trouble: without it no command would arrive", async () => {
  const rig = await paired();
  rig.broker.manners.suback = 0x87;
  rig.broker.cut();
  await rig.advance(10_000);
  rig.broker.manners.suback = 0;
  await tells(rig, "broker-not-authorized");
});

test("a broker that says why it disconnects is quoted", async () => {
  const rig = await paired();
  rig.broker.send({ cmd: "disconnect", reasonCode: 0x8e });
  await rig.until(() => !rig.broker.isConnected);
  await tells(rig, "broker-taken-over");
});

test("refused messages are said, and not repeated without end", async () => {
  const rig = await paired();
  await rig.advance(5_000);
  const connects = rig.broker.connects.length;
  rig.broker.manners.puback = (topic) => (topic.endsWith("/seg") ? 0x97 : 0);
  await rig.feed(10);
  const records = rig.broker.on(rig.owner.topic("seg")).length;
  assert.equal(records, rig.segments.length);
  assert.equal(rig.control().cause, "broker-quota");
  assert.equal(rig.broker.connects.length, connects, "the connection stays");
  rig.broker.manners.puback = () => 0x87;
  const published = rig.broker.published.length;
  await rig.advance(60_000);
  assert.ok(rig.broker.published.length - published < 10, "a refused status is not sent in a loop");
});

test("a broker that acknowledges nothing is given up after half a minute", async () => {
  const rig = await paired();
  rig.broker.manners.puback = () => "silence";
  await rig.feed(30);
  await rig.advance(70_000);
  assert.ok(rig.broker.connects.length > 1);
  rig.broker.manners.puback = () => 0;
  await tells(rig, "broker-silent");
  await rig.until(() => rig.segmentRecords().length >= rig.segments.length);
});

test("a broker that never acknowledges the subscription is given up within a minute or so", async () => {
  const rig = await paired();
  rig.broker.manners.suback = "silence";
  rig.broker.cut();
  await rig.until(() => rig.broker.connects.length > 3, 180_000);
  rig.broker.manners.suback = 0;
  await tells(rig, "broker-silent");
});

test("a broker that answers no pings is given up", async () => {
  const rig = await paired();
  rig.broker.manners.pongs = false;
  // Acknowledgements of statuses count as life, so there are none for longer than a keep-alive.
  await rig.order({ settings: { statusMaxSilenceS: 3600 } });
  await rig.advance(120_000);
  rig.broker.manners.pongs = true;
  await tells(rig, "broker-silent");
});

test("garbage of every kind costs the connection and nothing else", async () => {
  const publish = (topicBytes: number[]) => Uint8Array.of(0x30, topicBytes.length, ...topicBytes);
  const garbage: [string, Uint8Array, string][] = [
    [
      "nothing like MQTT",
      new Uint8Array(Buffer.from("HTTP/1.1 400\r\n")),
      "broker-malformed-packet",
    ],
    ["a second CONNACK", Uint8Array.of(0x20, 3, 0, 0, 0), "broker-malformed-packet"],
    ["CONNECT from a server", Uint8Array.of(0x10, 2, 0, 0), "broker-malformed-packet"],
    ["QoS 2", Uint8Array.of(0x34, 5, 0, 1, 0x61, 0, 1), "broker-malformed-packet"],
    ["a topic longer than its packet", publish([0xff, 0xff, 0x61]), "broker-malformed-packet"],
    ["an unknown property", publish([0, 1, 0x61, 2, 0x7f, 0]), "broker-malformed-packet"],
    ["properties longer than the packet", publish([0, 1, 0x61, 0x7f]), "broker-malformed-packet"],
    ["an empty PUBACK", Uint8Array.of(0x40, 0), "broker-malformed-packet"],
    ["a packet of 256 MB", Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f), "broker-oversized-packet"],
    ["a topic alias", publish([0, 0, 3, 0x23, 0, 1]), "broker-malformed-packet"],
  ];
  for (const [name, bytes, cause] of garbage) {
    const rig = await paired();
    await rig.feed(2);
    const connects = rig.broker.connects.length;
    rig.broker.sendRaw(bytes);
    await rig.advance(200);
    await rig
      .until(() => rig.broker.connects.length === connects + 1, 10_000)
      .catch(() => {
        assert.fail(`${name} was taken`);
      });
    await rig.until(() => rig.control().cause !== "", 10_000);
    assert.equal(rig.control().cause, cause, name);
    await rig.feed(3);
    assert.ok(rig.segments.length > 0, name);
  }
});

test("a command above 16 KiB never reaches the agent", async () => {
  const rig = await paired();
  const connects = rig.broker.connects.length;
  rig.broker.publish(rig.owner.topic("cmd"), new Uint8Array(PACKET_BYTES), 1);
  await rig.until(() => rig.broker.connects.length === connects + 1);
  await tells(rig, "broker-oversized-packet");
});

test("messages on other topics are not commands", async () => {
  const rig = await paired();
  const ping = { ping: {} };
  const bytes = rig.owner.command(
    { boxKey: rig.claimed?.boxKey ?? new Uint8Array(32), boot: 1, notAfterUs: 60_000_000 },
    ping,
  );
  const replies = rig.replies().length;
  rig.broker.publish(rig.owner.topic("rsp"), bytes);
  await rig.advance(2_000);
  assert.equal(rig.replies().length, replies);
});

test("a flooding broker is held back, then cut off; recording goes on and the reason is told", async () => {
  const rig = await paired();
  await rig.feed(3);
  const topic = rig.owner.topic("cmd");
  const burst = () => {
    for (let i = 0; i < 50; i++) rig.broker.publish(topic, new Uint8Array(100), 0);
  };
  const connects = rig.broker.connects.length;
  let floodedMs = 0;
  while (rig.broker.connects.length === connects && floodedMs < 60_000) {
    if (rig.broker.isConnected) burst();
    await rig.feed(0.2);
    floodedMs += 200;
  }
  assert.ok(floodedMs > 10_000 && floodedMs < 20_000, `cut off after ${floodedMs} ms`);
  await tells(rig, "broker-flooding");
  const before = rig.segments.length;
  await rig.feed(6);
  assert.ok(rig.segments.length > before);
  const reply = await rig.order({ ping: {} });
  assert.equal(reply.result, ocellus.v1.Result.RESULT_OK);
});

test("without a broker footage is uploaded, and the newest records come later", async () => {
  const rig = await paired();
  await rig.order({ settings: { segmentS: 4 } });
  rig.broker.vanish();
  await rig.feed(300);
  const uploaded = rig.segments.length;
  assert.ok(uploaded > SEGMENTS_MAX + 5, `${uploaded} segments`);
  rig.broker.serve();
  await rig.until(() => rig.broker.isConnected, 70_000);
  await rig.until(() => rig.segmentRecords().length === SEGMENTS_MAX, 70_000);
  const records = rig.segmentRecords();
  assert.equal(records.at(-1)?.object, rig.segments.at(-1));
  assert.match(rig.double.log, /\d+ messages gave way/);
  assert.ok((rig.status().secret?.streams[0]?.uploaded ?? 0) >= uploaded, "status tells of all");
});

test("no more is on the way than the broker takes, and no more than eight", async () => {
  for (const [receiveMaximum, most] of [
    [undefined, 8],
    [1, 1],
    [3, 3],
    [65_535, 8],
  ] as const) {
    const rig = await paired();
    rig.broker.vanish();
    await rig.feed(60);
    let unanswered = 0;
    let seen = 0;
    rig.broker.manners.puback = () => {
      unanswered += 1;
      return "silence";
    };
    rig.broker.manners.properties = receiveMaximum === undefined ? {} : { receiveMaximum };
    rig.broker.serve();
    await rig.until(() => rig.broker.isConnected, 70_000);
    const before = rig.broker.published.length;
    await rig.advance(2_000);
    seen = rig.broker.published.length - before;
    assert.equal(Math.max(unanswered, seen), most, `${receiveMaximum}`);
    // Answered at last, all of it comes.
    rig.broker.manners.puback = () => 0;
    const records = () => rig.broker.on(rig.owner.topic("seg")).length;
    await rig.until(() => records() >= rig.segments.length, 120_000);
  }
});

test("hostile properties of CONNACK cost neither memory nor the connection", async () => {
  const rig = new CameraRig();
  rig.broker.manners.properties = {
    topicAliasMaximum: 65_535,
    receiveMaximum: 1,
    assignedClientIdentifier: "x".repeat(10_000),
  };
  rig.provision();
  await rig.start("quickjs");
  await rig.adopt();
  const heap = rig.engine?.heapBytes() ?? 0;
  // A connection leaves 10 kB for the engine to collect, at a time of its own: what counts is what stays after it has.
  let kept = Number.POSITIVE_INFINITY;
  for (let i = 1; i <= 20; i++) {
    rig.broker.cut();
    await rig.until(() => rig.broker.isConnected && rig.control().cause !== "", 60_000);
    if (i > 10) kept = Math.min(kept, (rig.engine?.heapBytes() ?? 0) - heap);
  }
  assert.ok(kept < 80_000, `${kept} bytes kept after more than ten connections`);
  rig.end();
});

test("a broker that never answers CONNECT is given up, in the engine", async () => {
  const rig = new CameraRig();
  rig.provision();
  await rig.start("quickjs");
  await rig.adopt();
  rig.broker.manners.connack = "silence";
  rig.broker.cut();
  await rig.advance(40_000);
  rig.broker.manners.connack = 0;
  await tells(rig, "broker-silent");
  rig.end();
});
