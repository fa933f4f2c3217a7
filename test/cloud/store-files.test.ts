import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { StoreAccess } from "../../agent/identity/access.ts";
import { type Cloud, startCloud } from "../../scripts/cloud/cloud.ts";
import { BodyCheck, readClaims } from "../../scripts/cloud/store/checksums.ts";
import { ObjectFiles } from "../../scripts/cloud/store/objects.ts";
import { send, sign } from "./conformance/raw.ts";
import { cameraId, makeDirectory, removeDirectory, until } from "./support.ts";

const OBJECT_MAX_BYTES = 1_000_000;

/** A body for which there is no room: the device itself says so. */
async function* fullDisk(): AsyncGenerator<Uint8Array> {
  await writeFile("/dev/full", "x");
  yield randomBytes(1);
}

async function* one(): AsyncGenerator<Uint8Array> {
  yield randomBytes(1);
}

describe("the store's files", { timeout: 120_000 }, () => {
  let state: string;
  let cloud: Cloud;
  let owner: StoreAccess;
  before(async () => {
    state = await makeDirectory();
    cloud = await startCloud({ state, objectMax_bytes: OBJECT_MAX_BYTES });
    owner = (await cloud.owner()).store;
  });
  after(async () => {
    await cloud.stop();
    await removeDirectory(state);
  });
  const put = (key: string, body: Uint8Array | string, headers = {}) =>
    send(owner, { method: "PUT", path: `/${owner.bucket}/${key}`, body, headers });
  const get = (key: string) => send(owner, { method: "GET", path: `/${owner.bucket}/${key}` });
  const temporary = () => readdir(join(state, "store", "tmp"));

  it("objects and credentials are there again after a restart", async () => {
    const camera = cameraId("a");
    const access = await cloud.addCamera({ camera });
    await put("v1/home/kept", "kept");
    const { port } = cloud.store;
    await cloud.stop();
    await writeFile(join(state, "store", "tmp", "half"), "a body that was cut off by a power cut");
    cloud = await startCloud({ state, s3Port: port, objectMax_bytes: OBJECT_MAX_BYTES });
    assert.equal((await get("v1/home/kept")).text, "kept");
    assert.deepEqual(await temporary(), []);
    const again = await cloud.addCamera({ camera });
    assert.deepEqual(again.store, access.store);
    assert.equal(again.broker.password, access.broker.password);
  });

  it("no key leaves the bucket's directory, or meets another's file", async () => {
    const keys = [
      // Up to the state directory, and beyond it.
      "v1/home/../../../../../escape",
      "v1/home/../../../../../../escape",
      "v1/home/%2e%2e/%2E%2E/escape",
      "v1/home/..%2f..%2fescape",
      "v1/home//etc/passwd",
      "v1/home/a%40",
      "v1/home/a",
      "v1/home/a/b",
      "v1/home/.",
      "v1/home/%25",
      "v1/home/",
    ];
    const canonical = keys.map((key) =>
      key
        .split("/")
        .map((segment) => encodeURIComponent(decodeURIComponent(segment)))
        .join("/")
        .replaceAll("%2F", "/"),
    );
    for (const key of new Set(canonical)) {
      const reply = await put(key, key);
      assert.equal(reply.status, 200, `${key}: ${reply.text}`);
    }
    for (const key of new Set(canonical)) assert.equal((await get(key)).text, key);
    const listed = await readdir(state, { recursive: true });
    const outside = listed.filter((path) => !path.startsWith("store/objects/ocellus-home"));
    assert.deepEqual(
      outside.filter((path) => /escape|passwd@/.test(path)),
      [],
    );
    assert.deepEqual((await readdir(join(state, "store", "objects"))).sort(), ["ocellus-home"]);
  });

  it("a key that no file name or listing can hold is refused", async () => {
    const long = `v1/home/${"s".repeat(255)}`;
    assert.equal((await put(long, "x")).code, "KeyTooLongError");
    assert.equal((await put(`v1/home/${"s/".repeat(600)}`, "x")).code, "KeyTooLongError");
    assert.equal((await put("v1/home/%00", "x")).code, "InvalidArgument");
    assert.equal((await put("v1/home/%0A", "x")).code, "InvalidArgument");
    assert.equal((await put("v1/home/%FF", "x")).code, "InvalidURI");
    assert.equal((await put(`v1/home/${"s".repeat(254)}`, "x")).status, 200);
  });

  it("an object beyond the bound, or of unknown length, is refused", async () => {
    const large = randomBytes(OBJECT_MAX_BYTES + 1);
    assert.equal((await put("v1/home/large", large)).code, "EntityTooLarge");
    assert.equal((await put("v1/home/large", large.subarray(1))).status, 200);
    const unsized = await put("v1/home/unsized", "", { "transfer-encoding": "chunked" });
    assert.deepEqual([unsized.status, unsized.code], [411, "MissingContentLength"]);
  });

  it("a body that is cut off leaves nothing", async () => {
    const path = `/${owner.bucket}/v1/home/cut`;
    const headers = await sign(owner, { method: "PUT", path, payload: "UNSIGNED-PAYLOAD" });
    const { hostname, port } = new URL(owner.endpoint);
    const sending = request({
      ...{ hostname, port, path, method: "PUT", ca: owner.caPem, agent: false },
      headers: { ...headers, "content-length": 500_000 },
    });
    const ended = new Promise((resolve) => sending.once("error", resolve));
    sending.write(randomBytes(200_000));
    await until(async () => (await temporary()).length > 0);
    sending.destroy();
    await ended;
    await until(async () => (await temporary()).length === 0);
    assert.equal((await get("v1/home/cut")).status, 404);
    const { log } = cloud.store;
    const cut = () =>
      log.entries.find(({ key, method }) => key === "v1/home/cut" && method === "PUT");
    await until(() => cut() !== undefined);
    assert.deepEqual([cut()?.status, cut()?.operation, cut()?.answered], [0, "PutObject", false]);
  });

  it("a full disk is told once, again after something could be stored, and the camera is answered", async () => {
    const told: string[] = [];
    const directory = await makeDirectory();
    const files = await ObjectFiles.open(directory, (sentence) => told.push(sentence));
    const keep = async (body: AsyncIterable<Uint8Array>) =>
      files.put({
        ...{ bucket: "b", key: "k", body, onlyIfAbsent: false, modified_ms: 0 },
        ...{ headers: {}, checksums: {}, check: new BodyCheck(readClaims(new Map(), undefined)) },
      });
    const fails = () => assert.rejects(keep(fullDisk()), { code: "ServiceUnavailable" });
    await fails();
    await fails();
    const sentence = `the disk that holds ${directory} is full: the store refuses footage until some space is free.`;
    assert.deepEqual(told, [sentence]);
    await keep(one());
    await fails();
    assert.deepEqual(told, [sentence, sentence]);
    await removeDirectory(directory);
  });

  it("deleting leaves no empty directories behind", async () => {
    await put("v1/home/deep/er/est/object", "x");
    const path = `/${owner.bucket}/v1/home/deep/er/est/object`;
    assert.equal((await send(owner, { method: "DELETE", path })).status, 204);
    const names = await readdir(join(state, "store/objects/ocellus-home/v1/home"));
    assert.ok(!names.includes("deep"), names.join());
  });

  it("nobody else may read the state directory or its secrets", async () => {
    const mode = async (path: string) => (await stat(join(state, path))).mode & 0o777;
    for (const path of ["", "ca", "broker", "store", "store/objects"]) {
      assert.equal(await mode(path), 0o700, path);
    }
    for (const path of ["identities.json", "ca/ca.key", "ca/server.key", "broker/server.key"]) {
      assert.equal(await mode(path), 0o600, path);
    }
    const { broker } = await cloud.owner();
    const passwords = await readFile(join(state, "broker/passwd"), "utf8");
    assert.ok(!passwords.includes(broker.password));
    const config = await readFile(join(state, "broker/mosquitto.conf"), "utf8");
    assert.match(config, /^allow_anonymous false$/m);
  });
});
