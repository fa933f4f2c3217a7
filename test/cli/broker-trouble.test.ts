/** A broker that hangs up, or says nothing, in the middle: commands end with a sentence, none waits for ever. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { generate, parser } from "mqtt-packet";
import { toHex } from "../../agent/identity/encoding.ts";
import { issueServerCertificate } from "../../scripts/cloud/ca.ts";
import { type Cloud, startCloud } from "../../scripts/cloud/cloud.ts";
import { connectBroker } from "../../scripts/owner/broker.ts";
import { signList } from "../../scripts/owner/lists.ts";
import { makeKeys, withCamera } from "../../scripts/owner/owner.ts";
import { HeldOwner, pairCamera } from "../../scripts/owner/pairing.ts";
import { expectCamera, provisioningFile } from "../../scripts/owner/provision.ts";
import { RealCamera } from "../agent/main/real.ts";
import { Owner as NoOwner } from "../agent/owner.ts";
import { connectMqtt, makeDirectory, removeDirectory } from "../cloud/support.ts";
import { assertSentence, ocellus, succeeds } from "./support/ocellus.ts";

let directory: string;
let cloud: Cloud;
let camera: RealCamera;
const place = (name: string) => join(directory, name);
const home = () => place("owner");

before(async () => {
  directory = await makeDirectory();
  cloud = await startCloud({ state: place("cloud") });
  await succeeds(["keys", "init", "--phrase-out", place("phrase")], { home: home() });
  const from = ["--cloud-state", cloud.state, "--out", place("front.json"), "--no-wait"];
  await succeeds(["pair", "front", ...from], { home: home() });
  const provisioning = new Uint8Array(await readFile(place("front.json")));
  camera = new RealCamera(new NoOwner(), await cloud.owner(), { provisioning });
  await succeeds(["pair", "front", "--finish"], { home: home() });
});
after(async () => {
  camera.kill();
  await cloud.stop();
  await removeDirectory(directory);
});

/** What becomes of a connection once its client has sent a packet of this kind. */
interface Trouble {
  readonly at: "connect" | "subscribe" | "publish";
  readonly by: "hanging up" | "saying nothing" | "saying too much";
}

const TOO_MUCH = generate(
  {
    ...{ cmd: "publish", topic: "v1", payload: Buffer.alloc(65_536) },
    ...{ qos: 0, dup: false, retain: false },
  },
  { protocolVersion: 5 },
);

/** Runs `use` with a way to the real broker on which that happens. @param use gets its URL. */
async function withTrouble({ at, by }: Trouble, use: (url: string) => Promise<void>) {
  const { certPem, keyPem } = await issueServerCertificate(cloud.authority, {
    names: ["localhost"],
  });
  const sockets = new Set<TLSSocket>();
  const keep = (socket: TLSSocket) => sockets.add(socket.on("error", () => undefined));
  const server = createServer({ cert: certPem, key: keyPem }, (client) => {
    const ca = cloud.authority.certPem;
    const broker = connect({ host: "localhost", port: cloud.broker.mqttPort, ca });
    keep(client);
    keep(broker);
    let over = false;
    const packets = parser({ protocolVersion: 5 });
    packets.on("packet", ({ cmd }) => {
      over ||= cmd === at;
    });
    client.on("data", (bytes) => {
      packets.parse(bytes);
      if (!over) broker.write(bytes);
      else if (by === "hanging up") client.destroy();
      else if (by === "saying too much") client.write(TOO_MUCH);
    });
    broker.on("data", (bytes) => {
      if (!over) client.write(bytes);
    });
    client.on("close", () => broker.destroy());
    broker.on("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const { port }: Pick<AddressInfo, "port"> = Object(server.address());
  try {
    await use(`mqtts://localhost:${port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const WORDS = {
  "hanging up": "it hung up",
  "saying nothing": "it does not acknowledge",
  "saying too much": "it sends packets of more than 65536 bytes",
};
for (const by of ["hanging up", "saying nothing", "saying too much"] as const) {
  for (const at of ["connect", "subscribe", "publish"] as const) {
    test(`send ends in a sentence at a broker ${by} after ${at}`, { timeout: 90_000 }, async () => {
      await withTrouble({ at, by }, async (url) => {
        const file = join(home(), "owner.json");
        const good = await readFile(file, "utf8");
        const changed = JSON.parse(good);
        changed.owner.access.broker.url = url;
        await writeFile(file, JSON.stringify(changed));
        try {
          const why = at === "connect" ? ".+" : WORDS[by];
          const sentence = new RegExp(`the broker ${url} cannot be used \\(${why}\\); check`);
          assertSentence(await ocellus(["send", "front", "ping"], { home: home() }), 1, sentence);
        } finally {
          await writeFile(file, good);
        }
      });
    });
  }
}

test("the real broker is told to send no more", async () => {
  const access = (await cloud.owner()).broker;
  const got: number[] = [];
  let last = () => {};
  const all = new Promise<void>((resolve) => {
    last = resolve;
  });
  const broker = await connectBroker(access, (_topic, payload) => {
    got.push(payload.length);
    if (payload.length === 1) last();
  });
  const publisher = await connectMqtt(access);
  try {
    const topic = `v1/${cloud.tenant}/${"0".repeat(32)}/cmd`;
    await broker.subscribe(topic);
    for (const length of [65_000, 65_536, 1]) {
      await publisher.publishAsync(topic, Buffer.alloc(length), { qos: 1 });
    }
    await all;
    assert.deepEqual(got, [65_000, 1]);
  } finally {
    await publisher.endAsync(true);
    await broker.close();
  }
});

test("pairing with a broker that does not acknowledge takes no longer than it may", {
  timeout: 90_000,
}, async () => {
  await withTrouble({ at: "publish", by: "saying nothing" }, async (url) => {
    const { store, broker } = await cloud.owner();
    const keys = makeKeys(cloud.tenant, undefined);
    const access = { store, broker: { ...broker, url } };
    const unpaired = { ...keys, list: signList(keys, 1, Date.now() * 1000), access };
    const expected = expectCamera("door");
    const own = await cloud.addCamera({ camera: toHex(expected.id) });
    const provisioning = new TextEncoder().encode(provisioningFile(unpaired, expected, own));
    const claiming = new RealCamera(new NoOwner(), own, { provisioning });
    try {
      const held = new HeldOwner(withCamera(unpaired, expected));
      const told: string[] = [];
      const pairing = { change: held.change, tell: (sentence: string) => void told.push(sentence) };
      const message = /^the broker \S+ cannot be used \(it does not acknowledge\); /;
      await assert.rejects(pairCamera(held.owner, expected, 20_000, pairing), {
        name: "Problem",
        message,
      });
      assert.deepEqual(told, ["waiting for the camera's claim"]);
    } finally {
      claiming.kill();
    }
  });
});
