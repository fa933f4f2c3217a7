/**
 * Writes the kept inputs of the agent's control path: `node --import tsx test/fuzz/make-agent-corpus.ts`. Everything comes
 * from fixed seeds. Inputs that once showed a fault stand beside these under names of their own and are not touched.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate, type Packet } from "mqtt-packet";
import { FUZZ_CAMERA, FuzzWorld } from "./command-world.ts";

function write(target: string, name: string, bytes: Uint8Array): void {
  const folder = join(import.meta.dirname, "corpus", target);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), bytes);
}

const packet = (given: Packet) => generate(given, { protocolVersion: 5 });
const topic = `v1/home/${FUZZ_CAMERA}/cmd`;
const message = { cmd: "publish", topic, dup: false, retain: false } as const;

const packets: Record<string, Uint8Array> = {
  "connack.bin": packet({
    cmd: "connack",
    reasonCode: 0,
    sessionPresent: false,
    properties: {
      sessionExpiryInterval: 0,
      receiveMaximum: 20,
      maximumQoS: 1,
      retainAvailable: true,
      maximumPacketSize: 131_072,
      assignedClientIdentifier: "x",
      topicAliasMaximum: 10,
      reasonString: "fine",
      userProperties: { a: "b", c: "d" },
      serverKeepAlive: 60,
    },
  }),
  "connack-refused.bin": packet({ cmd: "connack", reasonCode: 0x87, sessionPresent: false }),
  "publish-qos0.bin": packet({ ...message, qos: 0, payload: "hello" }),
  "publish-qos1.bin": packet({
    ...message,
    qos: 1,
    messageId: 5,
    payload: Buffer.alloc(200, 7),
    properties: {
      payloadFormatIndicator: false,
      messageExpiryInterval: 60,
      responseTopic: "r",
      correlationData: Buffer.from("c"),
      userProperties: { name: ["one", "two"] },
      subscriptionIdentifier: 1,
      contentType: "t",
    },
  }),
  "puback.bin": packet({ cmd: "puback", messageId: 1, reasonCode: 0x87 }),
  "suback.bin": packet({ cmd: "suback", messageId: 1, granted: [1] }),
  "pingresp.bin": packet({ cmd: "pingresp" }),
  "disconnect.bin": packet({
    cmd: "disconnect",
    reasonCode: 0x8e,
    properties: { reasonString: "bye", userProperties: { k: "v" } },
  }),
  "user-property-proto.bin": packet({
    ...message,
    qos: 0,
    payload: "x",
    properties: { userProperties: { __proto__: "a", constructor: "b", toString: "c" } },
  }),
};
for (const [name, bytes] of Object.entries(packets)) write("mqtt", name, bytes);

const world = new FuzzWorld();
for (const [name, bytes] of Object.entries(world.commands())) write("command", name, bytes);
for (const [name, bytes] of Object.entries(world.plaintexts())) write("command-plain", name, bytes);

const file = world.owner.provisioning({
  store: {
    path_style: false,
    session_token: "token",
  },
});
write(
  "provisioning",
  "full.json",
  Buffer.from(JSON.stringify({ ...file, wifi: { ssid: "home", passphrase: "12345678" } })),
);
write(
  "provisioning",
  "plain.json",
  Buffer.from(JSON.stringify(world.owner.provisioning(), null, 2)),
);
write("provisioning", "empty.json", Buffer.from("{}"));
