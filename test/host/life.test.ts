/** Signs of life, and the log that a supervisor keeps. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runs } from "../supervise/supervised.ts";
import {
  AS_USER,
  everywhere,
  moduleText,
  program,
  run,
  runBare,
  scratch,
  variants,
} from "./support/camera.ts";

for (const variant of everywhere) {
  test(`alive() writes one byte, never waits, and stays with this process (${variant})`, async (t) => {
    const directory = scratch(t);
    const bundle = join(directory, "agent.mjs");
    writeFileSync(
      bundle,
      moduleText((native) => {
        for (const pictures of [true, false, true]) native.alive(pictures);
        native.onStop(() => {
          // Nobody reads: a pipe holds 64 KiB, and no more may be waited for.
          for (let i = 0; i < 200_000; i++) native.alive(true);
          native.log("info", "done");
          native.exit(0);
        });
        native.log("info", "ready");
      }),
    );
    const [file = "", ...before] = await program(variant);
    const options = ["--bundle", bundle, "--state", join(directory, "state"), "--door", "x"];
    const child = spawn(file, [...before, ...options, ...AS_USER, "--life-fd", "3"], {
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    t.after(() => child.kill("SIGKILL"));
    let log = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    const life = child.stdio[3];
    assert.ok(life && "read" in life);
    const ended = once(child, "exit");
    while (!/ready/.test(log)) await sleep(10);
    let read: unknown = null;
    while (read === null) {
      await sleep(10);
      read = life.read();
    }
    assert.equal(String(read), ".e.");
    child.kill("SIGTERM");
    const hangs = setTimeout(() => child.kill("SIGKILL"), 60_000);
    assert.deepEqual(await ended, [0, null], log);
    clearTimeout(hangs);
    assert.match(log, /info done/);
  });
}

for (const variant of variants) {
  test(`without --life-fd alive() does nothing (${variant})`, async (t) => {
    await run(t, { variant }, (native) => {
      native.alive(true);
      native.exit(0);
    });
  });

  test(`an agent ends with the process that started it (${variant})`, async (t) => {
    const directory = scratch(t);
    const bundle = join(directory, "agent.mjs");
    writeFileSync(bundle, "native.log('info', 'ready'); native.onStop(() => undefined);");
    const command = [...(await program(variant)), "--bundle", bundle, ...AS_USER];
    const options = ["--state", join(directory, "state"), "--door", "x", "--life-fd", "3"];
    // The shell stands for the supervisor: it starts the agent, says its number, and is killed.
    const script = `"$@" 3>&1 & echo pid $! >&2; wait`;
    const parent = spawn("/bin/sh", ["-c", script, "sh", ...command, ...options], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let log = "";
    parent.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    while (!/ready/.test(log)) await sleep(10);
    const pid = Number(/pid (\d+)/.exec(log)?.[1]);
    assert.ok(runs(pid));
    parent.kill("SIGKILL");
    for (let i = 0; runs(pid); i++) {
      assert.ok(i < 3_000, "it lives on");
      await sleep(10);
    }
  });

  test(`logTail answers from the supervisor's files, oldest first, whole lines (${variant})`, async (t) => {
    const log = join(scratch(t), "log");
    mkdirSync(log);
    chmodSync(log, 0o755);
    const lines = (name: string, count: number) =>
      Array.from({ length: count }, (_, i) => `${name} ${i}\n`).join("");
    const texts = {
      "log.before": lines("before", 2),
      "log.1": lines("older", 3),
      log: lines("newer", 3),
    };
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(log, name), text);
    const camera = await run(t, { variant, args: ["--log", log] }, (native, _given, { out }) => {
      native.log("info", "only in the ring");
      const all = native.utf8Decode(native.logTail(65_536, 0).lines);
      const tails = [];
      for (let bytes = 0; bytes <= all.length + 1; bytes++)
        tails.push(native.utf8Decode(native.logTail(bytes, 0).lines));
      const middles = [];
      for (let back = 0; back <= all.length + 1; back++) {
        for (const bytes of [0, 1, 8, 9, 30, 65_536]) {
          const { lines, end } = native.logTail(bytes, back);
          middles.push({ back, bytes, text: native.utf8Decode(lines), end });
        }
      }
      out("tails", { all, tails, middles });
      native.exit(0);
    });
    const { all, tails, middles } = camera.result<{
      all: string;
      tails: string[];
      middles: { back: number; bytes: number; text: string; end: number }[];
    }>("tails");
    assert.equal(all, texts["log.before"] + texts["log.1"] + texts.log);
    for (const [bytes, tail] of tails.entries()) {
      const cut = all.slice(Math.max(0, all.length - bytes));
      const whole = bytes >= all.length || all.at(-bytes - 1) === "\n";
      assert.equal(tail, whole && bytes > 0 ? cut : cut.slice(cut.indexOf("\n") + 1), `${bytes}`);
    }
    for (const { back, bytes, text, end } of middles) {
      assert.equal(end, all.length);
      const before = all.slice(0, Math.max(0, all.length - back));
      let from = Math.max(0, before.length - bytes);
      while (from > 0 && from < before.length && all[from - 1] !== "\n") from++;
      assert.equal(text, before.slice(from), `${bytes} before ${back}`);
    }
  });

  test(`files that come, go or are none are no trouble for logTail (${variant})`, async (t) => {
    const log = join(scratch(t), "log");
    const camera = await run(t, { variant, args: ["--log", log] }, (native, _given, { out }) => {
      native.log("info", "in the ring");
      out("none", native.utf8Decode(native.logTail(65_536, 0).lines));
      native.exit(0);
    });
    assert.match(camera.result<string>("none"), /in the ring/, "the directory is not there");
    mkdirSync(log);
    writeFileSync(join(log, "log"), "big\n".repeat(30_000));
    symlinkSync("/etc/passwd", join(log, "log.1"));
    mkdirSync(join(log, "log.before"));
    const again = await run(t, { variant, args: ["--log", log] }, (native) => {
      native.writeState("tail", native.logTail(65_536, 0).lines);
      native.exit(0);
    });
    assert.equal(readFileSync(join(again.state, "tail"), "utf8"), "big\n".repeat(16_384));
    renameSync(join(log, "log"), join(log, "elsewhere"));
    const last = await run(t, { variant, args: ["--log", log] }, (native, _given, { out }) => {
      native.log("info", "in the ring");
      out("tail", native.utf8Decode(native.logTail(65_536, 0).lines));
      native.exit(0);
    });
    assert.match(last.result<string>("tail"), /in the ring/);
  });
}

test("a descriptor that is none, or not for writing, ends with 71 and one sentence", async (t) => {
  const directory = scratch(t);
  const bundle = join(directory, "agent.mjs");
  writeFileSync(bundle, "native.exit(0);");
  const options = ["--bundle", bundle, "--state", join(directory, "s"), "--door", "x", ...AS_USER];
  for (const [fd, status, pattern] of [
    ["99", 71, /--life-fd 99 is no descriptor to write to: Bad file descriptor/],
    ["0", 64, /--life-fd takes 3 to 127, not 0/],
    ["128", 64, /--life-fd takes 3 to 127/],
  ] as const) {
    const result = await runBare([...options, "--life-fd", fd]);
    assert.equal(result.status, status, result.text);
    assert.match(result.text, pattern);
  }
  const [file = ""] = await program("host");
  const child = spawn(
    "/bin/sh",
    ["-c", `exec "$@" 3< ${bundle}`, "sh", file, ...options, "--life-fd", "3"],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  assert.deepEqual(await once(child, "close"), [71, null]);
  assert.match(log, /--life-fd 3 is no descriptor to write to: opened for reading/);
});
