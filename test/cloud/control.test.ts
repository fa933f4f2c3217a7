import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { Problem } from "../../scripts/build/problem.mjs";
import { startCloud } from "../../scripts/cloud/cloud.ts";
import { connectCloud } from "../../scripts/cloud/control.ts";
import { findProgram } from "../../scripts/cloud/system.ts";
import { send } from "./conformance/raw.ts";
import {
  cameraId,
  connectMqtt,
  makeDirectory,
  removeDirectory,
  until,
  withCloud,
} from "./support.ts";

const CAMERA = cameraId("a");
const PATH = `/ocellus-home/v1/home/${CAMERA}/0/all/0000000001/`;

describe("managing a cloud", { timeout: 120_000 }, () => {
  it("another process gives a camera access that works at once", async () => {
    await withCloud({}, async (cloud) => {
      const control = await connectCloud(cloud.state);
      const { store, broker } = await control.addCamera({ camera: CAMERA });
      const headers = { "if-none-match": "*" };
      const put = await send(store, { method: "PUT", path: `${PATH}x`, body: "x", headers });
      assert.equal(put.status, 200, put.text);
      await (await connectMqtt(broker)).endAsync();
      assert.deepEqual(await control.cameras(), [CAMERA]);
      const owner = await control.owner();
      assert.equal((await send(owner.store, { method: "GET", path: `${PATH}x` })).text, "x");
      assert.deepEqual(await cloud.owner(), owner);
      await assert.rejects(control.addCamera({ camera: "short" }), problem(/camera id/));
      await assert.rejects(control.addCamera({ camera: CAMERA, tenant: "A" }), problem(/tenant/));
      await assert.rejects(control.rotateCamera({ camera: cameraId("f") }), problem(/no camera f/));
      await control.removeCamera({ camera: CAMERA });
      const late = await send(store, { method: "PUT", path: `${PATH}y`, headers });
      assert.deepEqual([late.status, late.code], [403, "InvalidAccessKeyId"]);
    });
  });

  it("renewed store credentials work beside the old ones until those are retired", async () => {
    await withCloud({}, async (cloud) => {
      const put = async (store: Parameters<typeof send>[0], name: string) =>
        (await send(store, { method: "PUT", path: PATH + name, headers: { "if-none-match": "*" } }))
          .status;
      const { store: old } = await cloud.addCamera({ camera: CAMERA });
      const { store: renewed } = await cloud.rotateCamera({ camera: CAMERA });
      assert.deepEqual([await put(old, "1"), await put(renewed, "2")], [200, 200]);
      await cloud.retireCamera({ camera: CAMERA });
      assert.deepEqual([await put(old, "3"), await put(renewed, "4")], [403, 200]);
      assert.deepEqual((await cloud.addCamera({ camera: CAMERA })).store, renewed);
    });
  });

  it("a directory serves one cloud, and none that was killed keeps the next off", async () => {
    const state = await makeDirectory();
    try {
      await assert.rejects(connectCloud(state), problem(/no cloud is running/));
      const killed = spawn(
        process.execPath,
        [
          ...["--import", "tsx", "--input-type=module", "--eval"],
          `import { startCloud } from "./scripts/cloud/cloud.ts";
           const { store, broker } = await startCloud({ state: process.argv[1] });
           console.log(JSON.stringify([store.port, broker.mqttPort, broker.webSocketPort]));`,
          state,
        ],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      const [line] = await once(createInterface({ input: killed.stdout }), "line");
      const [s3Port = 0, mqttPort = 0, webSocketPort = 0]: number[] = JSON.parse(String(line));
      await assert.rejects(startCloud({ state }), problem(/is running on .* already/));
      killed.kill("SIGKILL");
      await once(killed, "close");
      // The same ports: so the broker of the killed one must be gone too.
      const cloud = await startWhenFree({ state, s3Port, mqttPort, webSocketPort });
      await cloud.stop();
    } finally {
      await removeDirectory(state);
    }
  });

  it("trouble at the start is one sentence, and leaves nothing running", async () => {
    const state = await makeDirectory();
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const address = blocker.address();
    const taken = typeof address === "object" && address ? address.port : 0;
    try {
      for (const [options, sentence] of [
        [{ s3Port: taken }, /^port \d+ is taken; .* --s3-port\.$/],
        [{ mqttPort: taken }, /^port \d+ is taken; .* --mqtt-port\.$/],
        [{ webSocketPort: taken }, /^port \d+ is taken; .* --ws-port\.$/],
        [{ bind: "192.0.2.1" }, /^this machine has no address 192\.0\.2\.1; .* --bind\.$/],
        [{ bind: "localhost" }, /no IP address/],
        [{ tenant: "No!" }, /cannot be a tenant/],
        [{ names: ["no host"] }, /no host name/],
        [{ state: join(state, "x".repeat(100)) }, /too long a path/],
      ] as const) {
        await assert.rejects(
          startCloud({ state, ...options }).then((cloud) => cloud.stop()),
          problem(sentence),
          JSON.stringify(options),
        );
      }
      const path = process.env.PATH;
      process.env.PATH = state;
      try {
        const fresh = { state: join(state, "fresh") };
        await assert.rejects(startCloud(fresh), problem(/^openssl is not installed; apt-get/));
      } finally {
        process.env.PATH = path;
      }
      const missing = findProgram("mosquitto-from-nowhere", "mosquitto");
      await assert.rejects(missing, problem(/is not installed; apt-get install mosquitto\.$/));
      const cloud = await startCloud({ state });
      await cloud.stop();
      await writeFile(join(state, "identities.json"), "{");
      await assert.rejects(startCloud({ state }), problem(/identities\.json is damaged/));
    } finally {
      blocker.close();
      await removeDirectory(state);
    }
  });

  it("listens where it was told to, and nowhere else", async () => {
    await withCloud({}, async (cloud) => {
      const ports = [cloud.store.port, cloud.broker.mqttPort, cloud.broker.webSocketPort];
      const listening = (
        await Promise.all(["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8")))
      )
        .flatMap((table) => table.trim().split("\n").slice(1))
        .map((line) => line.trim().split(/\s+/))
        .filter(([, , , socketState]) => socketState === "0A")
        .map(([, local = ""]) => local.split(":"))
        .filter(([, port = ""]) => ports.includes(Number.parseInt(port, 16)));
      assert.equal(listening.length, 3);
      for (const [host] of listening) assert.equal(host, "0100007F");
    });
  });

  it("the broker runs without root's rights, and out of reach of the terminal's Ctrl-C", async () => {
    await withCloud({}, async (cloud) => {
      const status = await readFile(`/proc/${cloud.broker.pid}/status`, "utf8");
      assert.match(status, /^Name:\s+mosquitto$/m);
      const [, uid] = /^Uid:\s+(\d+)/m.exec(status) ?? [];
      assert.notEqual(Number(uid), 0);
      assert.match(status, /^NoNewPrivs:\s+1$/m);
      // proc(5): the process group is the third field after the name.
      const [, , group] = (await readFile(`/proc/${cloud.broker.pid}/stat`, "utf8"))
        .replace(/^.*\) /, "")
        .split(" ");
      assert.equal(Number(group), cloud.broker.pid);
    });
  });

  it("a broker that ends by itself is told of", async () => {
    const told: string[] = [];
    await withCloud({ onDeath: (sentence) => told.push(sentence) }, async (cloud) => {
      const { pid } = cloud.broker;
      assert.ok(pid);
      process.kill(pid, "SIGKILL");
      await until(() => told.length > 0);
      assert.match(told[0] ?? "", /^mosquitto ended unasked/);
      await cloud.broker.start();
      await (await connectMqtt((await cloud.owner()).broker)).endAsync();
    });
    assert.equal(told.length, 1);
  });
});

function problem(sentence: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Problem && sentence.test(error.message);
}

/** The kernel ends the killed cloud's broker a moment after it. */
async function startWhenFree(options: Parameters<typeof startCloud>[0]) {
  const end_ms = Date.now() + 5000;
  for (;;) {
    try {
      return await startCloud(options);
    } catch (error) {
      if (!problem(/is taken/)(error) || Date.now() > end_ms) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
