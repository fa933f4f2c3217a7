/** What stops a first `make`: one clear sentence that says what to do, exit status 1, and the next run goes on. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { type Ended, FirstRun } from "./support/first-run.ts";
import { ADD_LOCALHOST, NO_LOCALHOST } from "./support/no-localhost.ts";

/**
 * Asserts that set-up ended with status 1, which make tells in a line of its own before it ends with 2, and said why in a
 * sentence of one line, last.
 */
function assertSaid({ status, stderr }: Ended, sentence: RegExp): void {
  const lines = stderr.trimEnd().split("\n");
  assert.match(lines.at(-1) ?? "", /^make: \*\*\* \[.*\] Error 1$/, stderr);
  assert.equal(status, 2);
  const said = lines.at(-2) ?? "";
  assert.match(said, /^ocellus: .*[.]$/, stderr);
  assert.match(said, sentence);
  assert.doesNotMatch(stderr, /^\s+at /m);
}

test("npm's registry does not answer", async (t) => {
  const machine = await FirstRun.make(t, { debian: true });
  machine.registry.close();
  assertSaid(
    await machine.setUp(),
    /npm packages could not be fetched \(.*ECONNREFUSED.*check the network .*run this again\.$/,
  );
});

test("the mirror of the sources does not answer", async (t) => {
  const machine = await FirstRun.make(t, { debian: true });
  machine.mirror.close();
  assertSaid(
    await machine.setUp(),
    /downloading http.*\.tar\.xz failed \(.*check the network and apt's mirror, then run this again\.$/,
  );
});

test("the mirror breaks a download off, and is well again the next time", async (t) => {
  const machine = await FirstRun.make(t, { debian: true });
  machine.mirror.broken.push("/pool/");
  assertSaid(await machine.setUp(), /downloading http.* failed \(.*run this again\.$/);
  machine.mirror.broken.length = 0;
  const { status, stderr } = await machine.setUp();
  assert.equal(status, 0, stderr);
  assert.equal(machine.registry.archivesAsked, 1);
});

test("apt cannot fetch a package", async (t) => {
  const machine = await FirstRun.make(t);
  machine.aptFails = "E: Failed to fetch http://mirror.example/x.deb  404  Not Found";
  assertSaid(
    await machine.setUp(),
    /Debian packages could not be installed \(Failed to fetch http:.*; .*apt\.log has the rest\); mend that and run this again\.$/,
  );
  assert.deepEqual(machine.aptRuns, ["install", "update", "install"]);
});

test("npm is missing", async (t) => {
  const machine = await FirstRun.make(t, { debian: true, without: "npm" });
  assertSaid(
    await machine.setUp(),
    /the tool npm \(it comes with Node\) is missing; install it, then run this again\.$/,
  );
});

test("a tool of a Debian package is missing although the package is there", async (t) => {
  const machine = await FirstRun.make(t, { debian: true, without: "dpkg-source" });
  assertSaid(
    await machine.setUp(),
    /the tool dpkg-source \(Debian package dpkg-dev\) is missing; run `make setup`, then this again\.$/,
  );
});

test("Node itself is missing", async (t) => {
  const machine = await FirstRun.make(t, { debian: true, without: "node" });
  assertSaid(
    await machine.setUp(),
    /Node 20 or newer is missing; install it, then run this again\.$/,
  );
});

test("what make run could not go on with at its end is told before anything is fetched", async (t) => {
  const machine = await FirstRun.make(t);
  const cases: readonly (readonly [setting: string, sentence: RegExp])[] = [
    ["FOOTAGE=/nonexistent", /no readable file \/nonexistent; name another with FOOTAGE=\.$/],
    [`NODE_OPTIONS=${NO_LOCALHOST}`, ADD_LOCALHOST],
  ];
  for (const [setting, sentence] of cases) {
    assertSaid(await machine.start("env", [setting, "make", "run"]).ended, sentence);
    assert.deepEqual([machine.aptRuns, machine.registry.archivesAsked], [[], 0]);
  }
});

/** Runs in user and mount namespaces of its own, so that it takes no root and leaves nothing mounted. */
const NAMESPACES = ["--user", "--map-root-user", "--mount"];

test("the disk is full, and has room again the next time", async (t) => {
  const machine = await FirstRun.make(t, { debian: true });
  const mount = ["mount", "-t", "tmpfs", "tmpfs", machine.cacheHome];
  const allowed = spawnSync("unshare", [...NAMESPACES, ...mount], { encoding: "utf8" });
  if (allowed.status !== 0) {
    // Then test/setup/trouble.test.ts alone shows the sentence, where single steps meet a full device.
    t.diagnostic(`not on this machine, which mounts nothing for us: ${allowed.stderr.trim()}`);
    return;
  }
  const script = `
    mount -t tmpfs -o size=1m tmpfs "$XDG_CACHE_HOME" || exit 9
    make setup; echo "first $?" >&2
    mount -o remount,size=100m "$XDG_CACHE_HOME" || exit 9
    make setup; echo "second $?" >&2`;
  const { status, stderr } = await machine.start("unshare", [...NAMESPACES, "sh", "-c", script])
    .ended;
  assert.equal(status, 0, stderr);
  const [first = "", second = ""] = stderr.split("first 2\n");
  assertSaid(
    { status: 2, stderr: first },
    /the disk that holds .*cache-home.* is full; free some space .* and run this again\.$/,
  );
  assert.match(second, /second 0\n$/);
});
