/** Who may do what in a camera of host processes: agent and encoder are kept from each other and from others. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ensure } from "../../scripts/build/ensure.mjs";
import { AGENT, ENCODER } from "../../scripts/camera/accounts.ts";
import { HostCamera } from "../../scripts/camera/host.ts";
import { userIdsOf } from "../../scripts/camera/observe.ts";
import type { Account } from "../../scripts/cloud/system.ts";
import { isRoot, scratch } from "./support/camera.ts";

/** Some other unprivileged user. */
const OTHER: Account = { uid: 61_103, gid: 61_103 };

/** Whether that user may do what the shell's command does, in the camera's directory. */
function may(account: Account, directory: string, command: string): boolean {
  const as = ["--reuid", `${account.uid}`, "--regid", `${account.gid}`, "--clear-groups"];
  try {
    execFileSync("setpriv", [...as, "sh", "-c", command], { cwd: directory, stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

if (isRoot) {
  test("agent and encoder are two users; only the agent gets through the door, and only it at its state", async (t) => {
    const directory = join(scratch(t), "camera");
    // A state directory that was another user's before.
    mkdirSync(join(directory, "state"), { recursive: true });
    writeFileSync(join(directory, "state", "seed"), new Uint8Array(32), { mode: 0o600 });
    for (const path of ["", "state", "state/seed"])
      chownSync(join(directory, path), 65_534, 65_534);
    const said: string[] = [];
    const host = await HostCamera.create({
      ...{ directory, variant: "host" },
      onLine: (from, line) => said.push(`${from}: ${line}`),
    });
    t.after(() => host.stop());
    await host.provision("{}");
    const clip = join(await ensure("clip-default"), "clip.h264");
    await host.startEncoder({ clip, args: [], loops: 0 });
    await host.startAgent();
    const until = async (what: string, there: () => boolean) => {
      while (!there()) {
        host.check();
        assert.ok(host.agent && host.encoder, what);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await until("a door", () => existsSync(join(directory, "encoder/door")));
    // Read with the rights it has: it complains of what is in it.
    await until("provisioning", () => said.some((line) => /agent: .*"format"/.test(line)));

    const users = await Promise.all(host.pids.map((pid) => userIdsOf(pid)));
    assert.deepEqual(users, [
      [AGENT.uid, AGENT.uid, AGENT.uid, AGENT.uid],
      [ENCODER.uid, ENCODER.uid, ENCODER.uid, ENCODER.uid],
    ]);
    const door = statSync(join(directory, "encoder/door"));
    assert.deepEqual([door.uid, door.gid, door.mode & 0o777], [ENCODER.uid, AGENT.gid, 0o660]);
    const state = statSync(join(directory, "state"));
    assert.deepEqual([state.uid, state.gid, state.mode & 0o7777], [AGENT.uid, AGENT.gid, 0o700]);

    const [agent = 0, encoder = 0] = host.pids;
    // test(1): -w on a socket is what connect(2) asks for.
    for (const [command, whoMay] of [
      ["test -w encoder/door", [AGENT, ENCODER]],
      ["cat state/seed", [AGENT]],
      ["ls state", [AGENT]],
      ["cat provision.json", [AGENT]],
      ["cat clip.h264", [ENCODER]],
      ["touch clip.h264", []],
      ["touch bin/agent.bin", []],
      ["touch new", []],
      ["rm -f bin/ocellus-camera", []],
      [`kill -0 ${agent}`, [AGENT]],
      [`kill -0 ${encoder}`, [ENCODER]],
    ] as const) {
      const allowed = [AGENT, ENCODER, OTHER].filter((who) => may(who, directory, command));
      assert.deepEqual(allowed, whoMay, command);
    }
  });
}
