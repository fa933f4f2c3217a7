/** What the process gives up. Most of it can only be seen when the tests run as root. */
import assert from "node:assert/strict";
import {
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { AGENT } from "../../scripts/camera/accounts.ts";
import { listeningSockets } from "../../scripts/camera/observe.ts";
import { isRoot, run, runBare, scratch, start, variants } from "./support/camera.ts";
import { echo, serve } from "./support/server.ts";

/** Fields of /proc/PID/status. */
function statusOf(pid: number | undefined): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").trim().split("\n");
  return Object.fromEntries(lines.map((line) => line.split(/:\s+/)));
}

for (const variant of variants) {
  test(`neither core dumps nor new privileges nor readers of its memory (${variant})`, async (t) => {
    const camera = await start(t, { variant }, (native) => native.log("info", "ready"));
    await camera.said(/ready/);
    assert.equal(statusOf(camera.child.pid).NoNewPrivs, "1");
    const limits = readFileSync(`/proc/${camera.child.pid}/limits`, "utf8");
    assert.match(limits, /Max core file size +0 +0 /);
    // Files of a process that is not dumpable belong to root: proc(5).
    assert.equal(statSync(`/proc/${camera.child.pid}/environ`).uid, 0);
  });
}

if (isRoot) {
  for (const variant of variants) {
    test(`it listens on no socket, also while it looks up and once it is connected (${variant})`, async (t) => {
      const { to } = await serve(t, {}, echo);
      const camera = await start(t, { variant, given: to }, (native, to) => {
        const connection = native.connect(to, {
          open: () => native.log("info", "ready"),
          data: () => undefined,
          drain: () => undefined,
          closed(error) {
            native.log("info", `not ready: ${error?.text}`);
            connection.close();
          },
        });
      });
      const pid = camera.child.pid ?? 0;
      const said = camera.said(/ready/).then(() => true);
      let ready: boolean;
      do {
        ready = await Promise.race([said, new Promise<false>((go) => setTimeout(go, 5, false))]);
        // The child that looks the name up asks through UDP sockets, which the kernel binds a moment before it connects
        // them; it is not looked at.
        const own = (await listeningSockets([pid])).filter((socket) => socket.pid === pid);
        assert.deepEqual(own, []);
      } while (!ready);
      assert.doesNotMatch(camera.log, /not ready/);
    });

    for (const [user, uid, gid] of [
      ["daemon", 1, 1],
      ["12345:23456", 12345, 23456],
    ] as const) {
      test(`root becomes ${user} in every respect (${variant})`, async (t) => {
        const args = ["--user", user];
        const camera = await start(t, { variant, args }, (native) => {
          const failed = native.writeState("mine", new Uint8Array(1));
          if (failed) throw new Error(failed.text);
          native.log("info", "ready");
        });
        await camera.said(/ready/);
        const status = statusOf(camera.child.pid);
        assert.equal(status.Uid, [uid, uid, uid, uid].join("\t"));
        assert.equal(status.Gid, [gid, gid, gid, gid].join("\t"));
        assert.equal(status.Groups?.trim() ?? "", "");
        for (const name of ["CapPrm", "CapEff", "CapAmb"])
          assert.match(status[name] ?? "", /^0+$/, name);
        for (const path of [camera.state, join(camera.state, "mine")]) {
          assert.equal(statSync(path).uid, uid);
          assert.equal(statSync(path).gid, gid);
        }
      });
    }

    test(`capabilities go too, whether they came without root or would outlive it (${variant})`, async (t) => {
      for (const [account, ...options] of [
        ["root", "--securebits", "+no_setuid_fixup"],
        [
          ...["user", "--reuid", `${AGENT.uid}`, "--regid", `${AGENT.gid}`, "--clear-groups"],
          ...["--inh-caps", "+net_raw", "--ambient-caps", "+net_raw"],
        ],
      ]) {
        const state = join(scratch(t), "state");
        mkdirSync(state);
        if (account === "user") chownSync(state, AGENT.uid, AGENT.gid);
        const under = ["setpriv", ...options, "--"];
        const camera = await start(t, { variant, state, under }, (native) =>
          native.log("info", "ready"),
        );
        await camera.said(/ready/);
        const status = statusOf(camera.child.pid);
        assert.match(status.Uid ?? "", new RegExp(`^${AGENT.uid}\\b`));
        for (const name of ["CapInh", "CapPrm", "CapEff", "CapAmb"])
          assert.match(status[name] ?? "", /^0+$/, `${account} ${name}`);
      }
    });

    test(`files of state that root wrote are given away, others are not (${variant})`, async (t) => {
      const directory = scratch(t);
      const state = join(directory, "state");
      const outside = join(directory, "outside");
      mkdirSync(state);
      writeFileSync(join(state, "seed"), "root's", { mode: 0o600 });
      writeFileSync(join(state, "NOT-STATE"), "root's", { mode: 0o600 });
      writeFileSync(outside, "root's", { mode: 0o600 });
      linkSync(outside, join(state, "link"));
      const camera = await run(t, { variant, state }, (native, _given, { out }) => {
        const read = (name: string) => native.readState(name) instanceof Uint8Array;
        out("read", [read("seed"), read("link")]);
        native.exit(0);
      });
      assert.deepEqual(camera.result("read"), [true, false]);
      assert.equal(statSync(join(state, "seed")).uid, AGENT.uid);
      assert.equal(statSync(join(state, "NOT-STATE")).uid, 0);
      assert.equal(statSync(outside).uid, 0);
    });
  }

  for (const user of ["root", "0:0", "0:100", "100:0"]) {
    test(`it refuses to run as ${user}`, async (t) => {
      const state = join(scratch(t), "state");
      const result = await runBare([
        "--bundle",
        "x",
        "--state",
        state,
        "--door",
        "x",
        "--user",
        user,
      ]);
      assert.equal(result.status, 71);
      assert.match(result.text, /refusing to run as root/);
    });
  }

  test("being in root's group is being root", async (t) => {
    const directory = scratch(t);
    chownSync(directory, AGENT.uid, AGENT.gid);
    const user = `${AGENT.uid}:${AGENT.gid}`;
    const ids = ["--reuid", `${AGENT.uid}`, "--regid", `${AGENT.gid}`];
    const line = ["--bundle", "x", "--state", join(directory, "state"), "--door", "x"];
    const inGroup = ["setpriv", ...ids, "--groups", `0,${AGENT.gid}`, "--"];
    const bare = await runBare(line, inGroup);
    assert.equal(bare.status, 64);
    assert.match(bare.text, /started as root it needs --user/);
    writeFileSync(join(directory, "x"), "0;", { mode: 0o644 });
    const bundle = ["--bundle", join(directory, "x"), ...line.slice(2), "--user", user];
    const named = await runBare(bundle, inGroup);
    assert.equal(named.status, 71);
    assert.match(named.text, /cannot give up root: Operation not permitted/);
  });

  test("a symbolic link is no state directory", async (t) => {
    const directory = scratch(t);
    const [state, elsewhere] = [join(directory, "state"), join(directory, "elsewhere")];
    mkdirSync(elsewhere, { mode: 0o755 });
    symlinkSync(elsewhere, state);
    const line = ["--bundle", "x", "--state", state, "--door", "x", "--user", "12345:12345"];
    const result = await runBare(line);
    assert.equal(result.status, 71);
    assert.match(result.text, /state is no directory of its own: name the state directory itself/);
    const { uid, mode } = statSync(elsewhere);
    assert.deepEqual([uid, mode & 0o777], [0, 0o755]);
  });

  test("an unknown user and a malformed pair are refused", async (t) => {
    for (const user of ["no-such-user", "1:", ":1", "1:2:3", "-1:5", "4294967295:5", "1:2x"]) {
      const state = join(scratch(t), "state");
      const result = await runBare([
        "--bundle",
        "x",
        "--state",
        state,
        "--door",
        "x",
        "--user",
        user,
      ]);
      assert.equal(result.status, 71);
      assert.match(result.text, /there is no user /, user);
    }
  });
}
