/** `make run` of a user without root's rights, whose build cache root has filled. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { cacheRoot } from "../../scripts/build/cache.mjs";
import { checkout, ensure } from "../../scripts/build/ensure.mjs";
import { userIdsOf } from "../../scripts/camera/observe.ts";
import { freePort } from "../../scripts/cloud/ports.ts";
import { isRoot, scratch } from "../host/support/camera.ts";
import { startProgram } from "./support/ocellus.ts";
import { findProcesses } from "./support/processes.ts";
import { until } from "./support/until.ts";

/** Bounds what takes seconds on a machine that is not busy. */
const PATIENCE_MS = 300_000;
/** Of a number that nobody hands out (scripts/camera/accounts.ts). */
const USER = 61_104;
const MADE_HERE = ["node_modules", "build"].map((name) => join(checkout, name));

// Root in a container may be forbidden to.
if (isRoot && spawnSync("unshare", ["--mount", "true"]).status === 0)
  test("a plain user sets up and runs the emulated camera to its first segment, by what root has built", {
    timeout: 900_000,
  }, async (t) => {
    const built = ["firmware-qemu-malta-release", "native-host", "clip-default"];
    for (const name of built) await ensure(name);
    const top = scratch(t);
    const home = join(top, "home");
    const temporary = join(top, "tmp");
    const clone = join(top, "clone");
    const artefacts = join(top, "cache/ocellus/artefacts");
    for (const directory of [home, temporary, artefacts]) mkdirSync(directory, { recursive: true });
    // With whatever is not committed yet.
    cpSync(checkout, clone, {
      ...{ recursive: true, verbatimSymlinks: true },
      filter: (source) => !MADE_HERE.includes(source),
    });
    execFileSync("chown", ["-R", `${USER}:${USER}`, top]);
    chmodSync(top, 0o755);
    const ports: string[] = [];
    for (const flag of ["--s3-port", "--mqtt-port", "--ws-port"])
      ports.push(flag, `${await freePort("127.0.0.1")}`);
    // Root's cache stands where only root may look: its artefacts, and nothing else of it, are shown to the user.
    const bind = `mount --bind "$1" "$2"; shift 2`;
    const drop = `exec setpriv --reuid ${USER} --regid ${USER} --clear-groups --no-new-privs "$@"`;
    // As `make run` does it, on ports of its own.
    const run = `node scripts/setup/main.mjs run; exec node scripts/ocellus.mjs run "$@"`;
    const places = [`HOME=${home}`, `TMPDIR=${temporary}`, `XDG_CACHE_HOME=${join(top, "cache")}`];
    const path = `PATH=${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
    const args = [
      ...["-i", path, ...places, "unshare", "--mount", "sh", "-ec", `${bind}; ${drop}`, "sh"],
      ...[join(cacheRoot(), "artefacts"), artefacts, "sh", "-ec", run, "sh", ...ports],
    ];
    const running = startProgram("env", args, { cwd: clone });
    t.after(() => running.child.kill("SIGKILL"));
    await running.says(/s {2}first sealed segment in the store$/m, PATIENCE_MS);
    // None of the camera's parts was built again.
    for (const name of built) assert.doesNotMatch(running.output(), new RegExp(`building ${name}`));
    const { pid = 0 } = running.child;
    const all = [{ pid }, ...(await findProcesses(top, pid))];
    assert.ok(all.length > 2, "QEMU and the broker are among them");
    for (const one of all) assert.deepEqual(await userIdsOf(one.pid), [USER, USER, USER, USER]);
    running.child.kill("SIGINT");
    const { status, stdout } = await running.ended;
    assert.equal(status, 0, running.output());
    assert.match(stdout, /\nStopped, for the camera as if its plug were pulled; /);
    const left = () => findProcesses(top, pid);
    await until("the end of its processes", async () => (await left()).length === 0);
  });
else
  console.log(
    "not tested: a plain user, for which this has to be root, and allowed to unshare mounts.",
  );
