import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { connectCloud } from "../../scripts/cloud/control.ts";
import { send } from "./conformance/raw.ts";
import { cameraId, makeDirectory, removeDirectory } from "./support.ts";

const OCELLUS = fileURLToPath(new URL("../../scripts/ocellus.mjs", import.meta.url));
const ANY_PORTS = ["--s3-port", "0", "--mqtt-port", "0", "--ws-port", "0"];

describe("ocellus cloud", { timeout: 120_000 }, () => {
  let state: string;
  before(async () => {
    state = await makeDirectory();
  });
  after(() => removeDirectory(state));

  const start = (...flags: string[]) =>
    spawn(process.execPath, [OCELLUS, "cloud", "--state", state, ...ANY_PORTS, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
    });

  it("says where everything is, without a secret, and stops in order on Ctrl-C", async () => {
    const child = start("--json");
    const ended = end(child);
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    const told: Record<string, string> = JSON.parse(String(line));
    assert.match(told.store ?? "", /^https:\/\/localhost:\d+$/);
    assert.match(told.broker ?? "", /^mqtts:\/\/localhost:\d+$/);
    assert.match(told.broker_web_socket ?? "", /^wss:\/\/localhost:\d+$/);
    assert.equal(told.state, state);
    assert.match(await readFile(told.ca_file ?? "", "utf8"), /BEGIN CERTIFICATE/);

    const control = await connectCloud(state);
    const { store, broker } = await control.addCamera({ camera: cameraId("a") });
    assert.equal(store.endpoint, told.store);
    const path = `/${store.bucket}/v1/home/${cameraId("a")}/0/all/0000000001/x`;
    const headers = { "if-none-match": "*" };
    assert.equal((await send(store, { method: "PUT", path, headers })).status, 200);

    child.kill("SIGINT");
    const { status, output } = await ended;
    assert.equal(status, 0, output);
    for (const secret of [store.secretAccessKey, broker.password]) {
      assert.ok(!output.includes(secret));
    }
    await assert.rejects(connectCloud(state), /no cloud is running/);
  });

  it("tells a busy port in one sentence, with status 1", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const address = blocker.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const { status, output } = await end(start("--mqtt-port", String(port)));
    blocker.close();
    assert.equal(status, 1);
    const sentences = output.split("\n").filter((line) => line.startsWith("ocellus:"));
    assert.deepEqual(sentences, [
      `ocellus: port ${port} is taken; stop what uses it, or choose another with --mqtt-port.`,
    ]);
    assert.doesNotMatch(output, /\n\s+at /);
  });

  it("tells wrong usage with status 2", async () => {
    for (const flags of [["--s3-port", "70000"], ["--s3-port", "x"], ["--nothing"]]) {
      const { status, output } = await end(start(...flags));
      assert.equal(status, 2, output);
    }
  });
});

/** Waits for a child's end. @returns its status and all it wrote. */
async function end(child: ChildProcess): Promise<{ status: number | null; output: string }> {
  let output = "";
  const keep = (piece: Buffer) => {
    output += piece.toString();
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  const [status]: (number | null)[] = await once(child, "close");
  return { status: status ?? null, output };
}
