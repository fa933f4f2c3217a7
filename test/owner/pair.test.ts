/** `ocellus pair` as its user runs it, against a real cloud and a camera. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Cloud, startCloud } from "../../scripts/cloud/cloud.ts";
import { accessJson } from "../../scripts/owner/access.ts";
import { RealCamera } from "../agent/main/real.ts";
import { Owner } from "../agent/owner.ts";
import { makeDirectory, removeDirectory } from "../cloud/support.ts";

const OCELLUS = fileURLToPath(new URL("../../scripts/ocellus.mjs", import.meta.url));
let directory: string;
let cloud: Cloud;

before(async () => {
  directory = await makeDirectory();
  cloud = await startCloud({ state: join(directory, "cloud") });
  const made = await ocellus("keys", "init", "--phrase-out", join(directory, "phrase"));
  assert.equal(made.status, 0, made.output);
});
after(async () => {
  await cloud.stop();
  await removeDirectory(directory);
});

/** Runs the command with the owner's state in the test's directory. */
function ocellus(...args: string[]): Promise<{ status: number | null; output: string }> {
  const env = { ...process.env, OCELLUS_HOME: join(directory, "owner") };
  const child = spawn(process.execPath, [OCELLUS, ...args], { cwd: directory, env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  return new Promise((resolve) => child.on("close", (status) => resolve({ status, output })));
}

const exists = (name: string) =>
  stat(join(directory, name)).then(
    () => true,
    () => false,
  );

/** A camera that was given the file. */
async function cameraWith(name: string): Promise<RealCamera> {
  const provisioning = new Uint8Array(await readFile(join(directory, name)));
  return new RealCamera(new Owner(), await cloud.owner(), { provisioning });
}

/** Provisions to `file` and ends. */
async function provision(camera: string, file: string): Promise<void> {
  const from = ["--cloud-state", cloud.state];
  const { status, output } = await ocellus("pair", camera, ...from, "--out", file, "--no-wait");
  assert.equal(status, 0, output);
  assert.match(output, /holds secrets: that command deletes it here, but not the copies you make/);
  assert.ok(await exists(file));
}

test("--finish deletes every provisioning file of this camera that --no-wait left, and no other", async () => {
  await provision("front", "first.json");
  await provision("front", "second.json");
  await provision("front", "other.json");
  await writeFile(join(directory, "other.json"), `{"format": "something of the user's"}`);
  const camera = await cameraWith("second.json");
  try {
    const { status, output } = await ocellus("pair", "front", "--finish");
    assert.equal(status, 0, output);
    assert.match(output, /Camera "front" is paired\.\nDeleted \S+first\.json, \S+second\.json\./);
    assert.match(output, /Delete the copy that the camera was given, too/);
    assert.equal(await exists("first.json"), false);
    assert.equal(await exists("second.json"), false);
    assert.ok(await exists("other.json"), "what stands there now is not ours");
  } finally {
    camera.kill();
  }
});

test("where the file was moved, --finish says that it is still somewhere", async () => {
  await provision("back", "back.json");
  const camera = await cameraWith("back.json");
  try {
    await removeDirectory(join(directory, "back.json"));
    const { status, output } = await ocellus("pair", "back", "--finish");
    assert.equal(status, 0, output);
    assert.match(output, /paired\.\nDelete the provisioning file wherever it lies/);
  } finally {
    camera.kill();
  }
});

test("access without ca_pem to servers that no public authority vouches for is a problem, and no file", async () => {
  const id = "0".repeat(32);
  const access = accessJson(await cloud.addCamera({ camera: id }));
  const { ca_pem: _s, ...store } = access.store;
  const { ca_pem: _b, ...broker } = access.broker;
  const parties = { owner: { store, broker }, camera: { store, broker } };
  const file = { format: "ocellus-access-1", tenant: cloud.tenant, ...parties };
  await writeFile(join(directory, "access.json"), JSON.stringify(file));
  const args = ["--access", "access.json", "--out", "side.json", "--no-wait"];
  const { status, output } = await ocellus("pair", "side", ...args);
  assert.equal(status, 1);
  assert.match(
    output,
    /certificate of the store localhost is not good by the public authorities .*give "store\.ca_pem"/,
  );
  assert.equal(await exists("side.json"), false);
});

/** An access file for both parties at `endpoint`. @returns its name. */
async function accessAt(endpoint: string, name: string): Promise<string> {
  const whole = accessJson(await cloud.owner());
  const party = { ...whole, store: { ...whole.store, endpoint } };
  const file = { format: "ocellus-access-1", tenant: cloud.tenant, owner: party, camera: party };
  await writeFile(join(directory, name), JSON.stringify(file));
  return name;
}

test("while pair waits for a store that does not answer, other commands change the keys", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address();
  assert.ok(typeof address === "object" && address !== null);
  const access = await accessAt(`https://127.0.0.1:${address.port}`, "silent-access.json");
  const args = ["pair", "slow", "--access", access, "--out", "slow.json", "--no-wait"];
  const env = { ...process.env, OCELLUS_HOME: join(directory, "owner") };
  const waiting = spawn(process.execPath, [OCELLUS, ...args], { cwd: directory, env });
  try {
    const [socket] = await once(silent, "connection");
    const { status, output } = await ocellus("pair", "quick", "--reserve");
    assert.equal(status, 0, output);
    assert.doesNotMatch(output, /waiting for another/);
    assert.equal(waiting.exitCode, null, "it still waits");
    socket.destroy();
  } finally {
    waiting.kill("SIGKILL");
    silent.close();
  }
});

test("a name is not taken for an access file that is no good, and where the cloud fails it is said that it is", async () => {
  const names = async () => (await ocellus("keys", "show")).output;
  const args = ["--access", "bad.json", "--out", "unwritten.json", "--no-wait"];
  await writeFile(join(directory, "bad.json"), "{}");
  assert.equal((await ocellus("pair", "nowhere", ...args)).status, 1);
  assert.doesNotMatch(await names(), /nowhere/);

  await accessAt("https://127.0.0.1:9", "bad.json");
  const failed = await ocellus("pair", "nowhere", ...args);
  assert.equal(failed.status, 1);
  const [, id] = /camera "nowhere" keeps the id ([0-9a-f]{32})/.exec(failed.output) ?? [];
  assert.ok(id, failed.output);
  assert.match(
    failed.output,
    /\nocellus: the store https:\/\/127\.0\.0\.1:9 cannot be reached .*\n$/,
  );
  assert.match(await names(), new RegExp(`nowhere +${id} +expected`));
  assert.equal(await exists("unwritten.json"), false);
});

test("the broker is tried with the access of both before a file is written", async () => {
  const id = "1".repeat(32);
  const [owner, camera] = [await cloud.owner(), await cloud.addCamera({ camera: id })].map(
    accessJson,
  );
  assert.ok(owner && camera);
  const args = ["--access", "tried.json", "--out", "tried-out.json", "--no-wait"];
  for (const whose of ["camera", "owner"] as const) {
    // The owner's store access serves the camera here, whose own prefix is another.
    const parties = { owner, camera: { ...camera, store: owner.store } };
    const { broker } = parties[whose];
    const spoilt = { ...parties[whose], broker: { ...broker, password: "wrong" } };
    const file = { format: "ocellus-access-1", tenant: cloud.tenant, ...parties, [whose]: spoilt };
    await writeFile(join(directory, "tried.json"), JSON.stringify(file), { mode: 0o600 });
    const { status, output } = await ocellus("pair", "tried", ...args);
    assert.equal(status, 1, output);
    const sentence = `ocellus: with the ${whose}'s access, the broker \\S+ refuses these credentials; .*`;
    assert.match(output, new RegExp(`\n${sentence}\n$`));
    assert.equal(await exists("tried-out.json"), false);
    assert.doesNotMatch(output, /chmod/);
  }
});

test("an access file that others can read is told, with what to run", async () => {
  const file = join(directory, "open access.json");
  await writeFile(file, "{}");
  const told = async (mode: number) => {
    await chmod(file, mode);
    const args = ["--access", file, "--out", "none.json", "--no-wait"];
    const { output } = await ocellus("pair", "nobody", ...args);
    return output.split("\n").filter((line) => line.includes("chmod"));
  };
  const sentence = `ocellus: warning: ${file} holds secrets, and others on this machine can read it; run \`chmod 600 '${file}'\`.`;
  for (const mode of [0o640, 0o604]) assert.deepEqual(await told(mode), [sentence]);
  for (const mode of [0o600, 0o400]) assert.deepEqual(await told(mode), []);
});
