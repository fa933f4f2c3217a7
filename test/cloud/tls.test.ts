import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request as plainRequest } from "node:http";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import type { StoreAccess } from "../../agent/identity/access.ts";
import {
  issueServerCertificate,
  type KeyedCertificate,
  makeAuthority,
  stillServes,
} from "../../scripts/cloud/ca.ts";
import { type Cloud, startCloud } from "../../scripts/cloud/cloud.ts";
import { openCertificates } from "../../scripts/cloud/state.ts";
import { sign } from "./conformance/raw.ts";
import { connectMqtt, makeDirectory, removeDirectory, withCloud } from "./support.ts";

const DAY_MS = 86_400_000;

describe("TLS", { timeout: 120_000 }, () => {
  it("is all there is: the ports take no plain text", async () => {
    await withCloud({}, async (cloud) => {
      for (const port of [cloud.store.port, cloud.broker.mqttPort, cloud.broker.webSocketPort]) {
        const answer = new Promise((resolve, reject) => {
          const asked = plainRequest({ host: "127.0.0.1", port, timeout: 3000 }, resolve);
          asked.once("error", reject);
          asked.once("timeout", () => asked.destroy(new Error("silent")));
          asked.end();
        });
        await assert.rejects(answer);
      }
    });
  });

  it("is 1.2 or 1.3, with ChaCha20 where the client puts it first", async () => {
    await withCloud({}, async (cloud) => {
      const ca = cloud.authority.certPem;
      const ports = [cloud.store.port, cloud.broker.mqttPort, cloud.broker.webSocketPort];
      const chacha = "TLS_CHACHA20_POLY1305_SHA256";
      const ecdheChacha = "ECDHE-ECDSA-CHACHA20-POLY1305";
      const ecdheAes = "ECDHE-ECDSA-AES128-GCM-SHA256";
      for (const port of ports) {
        const first = { port, ca, ciphers: `${chacha}:TLS_AES_128_GCM_SHA256` };
        assert.deepEqual(await handshake(first), ["TLSv1.3", chacha]);
        const older = { ...first, maxVersion: "TLSv1.2", ciphers: ecdheChacha } as const;
        assert.deepEqual(await handshake(older), ["TLSv1.2", ecdheChacha]);
        const old = { port, ca, minVersion: "TLSv1.1", maxVersion: "TLSv1.1" } as const;
        // OpenSSL's own security level must not be what refuses.
        await assert.rejects(handshake({ ...old, ciphers: "DEFAULT@SECLEVEL=0" }));
      }
      const preferring = (ciphers: string) =>
        handshake({ port: cloud.store.port, ca, maxVersion: "TLSv1.2", ciphers });
      assert.equal((await preferring(`${ecdheChacha}:${ecdheAes}`))[1], ecdheChacha);
      assert.equal((await preferring(`${ecdheAes}:${ecdheChacha}`))[1], ecdheAes);
    });
  });

  it("shows a certificate of its own authority for the names a client uses", async () => {
    await withCloud({ names: ["camera-cloud.lan", "192.0.2.7"] }, async (cloud) => {
      assert.equal(new URL(cloud.endpoint).hostname, "camera-cloud.lan");
      const ca = cloud.authority.certPem;
      for (const port of [cloud.store.port, cloud.broker.mqttPort, cloud.broker.webSocketPort]) {
        for (const servername of ["localhost", "camera-cloud.lan"]) {
          await handshake({ port, ca, servername });
        }
        await assert.rejects(handshake({ port, ca, servername: "other.lan" }), hasCode("ALTNAME"));
        await assert.rejects(handshake({ port }), /self-signed|unable to/);
      }
    });
  });

  it("can be made wrong for tests, at the start and while running", async () => {
    const other = await makeAuthority("another");
    const localhost = { names: ["localhost"] };
    const state = await makeDirectory();
    const wrong = await issueServerCertificate(other, localhost);
    const cloud = await startCloud({ state, tls: { store: wrong, broker: wrong } });
    try {
      const { authority } = cloud;
      const shown = async (certificate: KeyedCertificate, code: RegExp): Promise<void> => {
        cloud.store.setCertificate(certificate);
        await cloud.broker.setCertificate(certificate);
        await refused(cloud, code);
      };
      await refused(cloud, /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED/);
      const expired = { notBefore_ms: Date.now() - 3 * DAY_MS, notAfter_ms: Date.now() - DAY_MS };
      await shown(await issueServerCertificate(authority, { ...localhost, ...expired }), /EXPIRED/);
      const early = { notBefore_ms: Date.now() + DAY_MS };
      await shown(await issueServerCertificate(authority, { ...localhost, ...early }), /NOT_YET/);
      await shown(await issueServerCertificate(authority, { names: ["other.lan"] }), /ALTNAME/);
      const right = await issueServerCertificate(authority, localhost);
      cloud.store.setCertificate(right);
      await cloud.broker.setCertificate(right);
      await handshake({ port: cloud.store.port, ca: authority.certPem });
      const client = await connectMqtt((await cloud.owner()).broker);
      await client.endAsync();
    } finally {
      await cloud.stop();
      await removeDirectory(state);
    }
  });

  it("keeps its certificate while it is good, and renews one near its end or short of a name", async () => {
    const state = await makeDirectory();
    try {
      const first = await openCertificates(state, ["localhost"]);
      const again = await openCertificates(state, ["localhost"]);
      assert.deepEqual(again, first);
      const named = await openCertificates(state, ["localhost", "new.lan"]);
      assert.deepEqual(named.authority, first.authority);
      assert.ok(new X509Certificate(named.server.certPem).checkHost("new.lan"));
      const { authority, server } = named;
      const end_ms = Date.parse(new X509Certificate(server.certPem).validTo);
      assert.equal(stillServes(authority, server, ["new.lan"], end_ms - 31 * DAY_MS), true);
      assert.equal(stillServes(authority, server, ["new.lan"], end_ms - 29 * DAY_MS), false);
      assert.equal(stillServes(await makeAuthority("x"), server, ["new.lan"], Date.now()), false);
      const mixed = { ...server, keyPem: first.server.keyPem };
      assert.equal(stillServes(authority, mixed, ["new.lan"], Date.now()), false);
      const onDisk = await readFile(join(state, "ca/server.pem"), "utf8");
      assert.equal(onDisk, server.certPem);
    } finally {
      await removeDirectory(state);
    }
  });

  it("a connection is kept for the next request, and a session resumed on the next connection", async () => {
    await withCloud({}, async (cloud) => {
      const { store } = await cloud.owner();
      const agent = new Agent({ keepAlive: true, ca: store.caPem, maxCachedSessions: 1 });
      const put = (name: string) => putWith(agent, store, `/ocellus-home/v1/home/${name}`);
      await put("one");
      await put("two");
      for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
      await put("three");
      agent.destroy();
      const [one, two, three] = cloud.store.log.entries;
      assert.deepEqual(
        [one, two, three].map((entry) => [
          ...[entry?.connection, entry?.requestOnConnection, entry?.tls.resumed],
        ]),
        [
          [1, 1, false],
          [1, 2, false],
          [2, 1, true],
        ],
      );
      assert.ok(one && two && three);
      // The body, the heads of request and reply, and what TLS adds: all are seen.
      assert.equal(two.bodyIn_bytes, 100_000);
      assert.ok(two.httpIn_bytes > 100_000 && two.httpIn_bytes < 101_500, `${two.httpIn_bytes}`);
      assert.ok(two.wireIn_bytes > two.httpIn_bytes && two.wireIn_bytes < two.httpIn_bytes + 1000);
      assert.ok(one.wireIn_bytes > two.wireIn_bytes, "the handshake counts for the first");
      assert.ok(
        three.wireOut_bytes < one.wireOut_bytes,
        "a resumed handshake sends no certificate",
      );
      console.log(
        `per put beside the body: HTTP ${two.httpIn_bytes - 100_000 + two.httpOut_bytes} B both ways, ` +
          `TLS ${two.wireIn_bytes - two.httpIn_bytes + two.wireOut_bytes - two.httpOut_bytes} B`,
      );
    });
  });

  it("a client that waits for 100 Continue is refused without its body, and must reconnect", async () => {
    await withCloud({}, async (cloud) => {
      const { store } = await cloud.owner();
      const path = "/ocellus-home/v1/home/waiting";
      const headers = await sign(
        { ...store, secretAccessKey: "wrong" },
        { method: "PUT", path, payload: "UNSIGNED-PAYLOAD" },
      );
      const { hostname, port } = new URL(store.endpoint);
      const agent = new Agent({ keepAlive: true, ca: store.caPem });
      const asked = request({
        ...{ hostname, port, path, method: "PUT", agent },
        headers: { ...headers, expect: "100-continue", "content-length": 1000 },
      });
      asked.once("continue", () => assert.fail("was told to go on"));
      asked.flushHeaders();
      const [status, connection] = await new Promise<[number | undefined, string | undefined]>(
        (resolve) =>
          asked.once("response", (reply) => {
            reply.resume();
            resolve([reply.statusCode, reply.headers.connection]);
          }),
      );
      assert.deepEqual([status, connection], [403, "close"]);
      asked.destroy();
      agent.destroy();
    });
  });
});

/** Shakes hands and hangs up. @returns protocol and cipher. */
function handshake(options: ConnectionOptions & { port: number }): Promise<[string, string]> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect(
      { host: "127.0.0.1", servername: "localhost", ...options },
      () => {
        resolve([socket.getProtocol() ?? "", socket.getCipher().name]);
        socket.end();
      },
    );
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed within the handshake")));
  });
}

async function refused(cloud: Cloud, code: RegExp): Promise<void> {
  const ca = cloud.authority.certPem;
  for (const port of [cloud.store.port, cloud.broker.mqttPort, cloud.broker.webSocketPort]) {
    await assert.rejects(handshake({ port, ca }), hasCode(code.source), `${port} ${code.source}`);
  }
}

function hasCode(pattern: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof Error && "code" in error && new RegExp(pattern).test(String(error.code));
}

async function putWith(agent: Agent, store: StoreAccess, path: string): Promise<void> {
  const body = Buffer.alloc(100_000);
  const headers = await sign(store, { method: "PUT", path, payload: "UNSIGNED-PAYLOAD" });
  const { hostname, port } = new URL(store.endpoint);
  await new Promise<void>((resolve, reject) => {
    const asked = request({ hostname, port, path, method: "PUT", headers, agent }, (reply) => {
      assert.equal(reply.statusCode, 200);
      reply.resume();
      // The agent has the connection back only after the end has been seen.
      reply.once("end", () => setImmediate(resolve));
    });
    asked.once("error", reject);
    asked.end(body);
  });
}
