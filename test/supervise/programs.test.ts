/** Agent and encoder as processes: started, started again, hung, stopped in order. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ensure } from "../../scripts/build/ensure.mjs";
import { AGENT, ENCODER } from "../../scripts/camera/accounts.ts";
import { isRoot, scratch } from "../host/support/camera.ts";
import { LIVES, RUNS, runs, Supervised } from "./supervised.ts";

const PROGRAM = async () => join(await ensure("native-asan"), "bin/ocellus-supervise");

test("a wrong command line ends with 64 and one sentence", async () => {
  const program = await PROGRAM();
  const agent = ["--", "agent", "1:1", "/bin/true"];
  for (const [args, pattern] of [
    [[], /a command is missing: -- agent/],
    [["--", "encoder", "1:1", "/bin/true"], /a command is missing: -- agent/],
    [agent, /a command is missing: -- encoder/],
    [["--", "agent"], /the user is missing of agent/],
    [["--", "agent", "1:1"], /the program is missing of agent/],
    [["--", "agent", "1:1", "--", "encoder", "1:1", "x"], /the program is missing of agent/],
    [[...agent, "--", "encoder", "1:1", "x", "--", "more"], /unexpected argument more/],
    [[...agent, ...Array(60).fill("x")], /too many arguments for agent/],
    [["--watchdog-timeout-s", "0", ...agent], /--watchdog-timeout-s takes 1 to 2046, not 0/],
    [["--nonsense"], /unrecognized option/],
  ] as const) {
    assert.throws(
      () => execFileSync(program, args, { stdio: "pipe" }),
      (error: Error & { status?: number; stderr?: Buffer }) => {
        assert.equal(error.status, 64, args.join(" "));
        assert.match(String(error.stderr), pattern);
        return true;
      },
    );
  }
  assert.match(
    execFileSync(program, ["--help"], { encoding: "utf8" }),
    /^Usage: ocellus-supervise/,
  );
});

test("both are started, each as its user, with no descriptors but their own", async (t) => {
  const who = "echo $(id -u):$(id -g):$(id -G), $(ls /proc/self/fd | tr '\\n' ' '), $* >&2;";
  const supervised = await Supervised.start(t, {
    agent: `${who} ${LIVES}`,
    encoder: ["/bin/sh", "-c", `${who} ${RUNS}`, "name", "its own", "arguments"],
  });
  await supervised.said(/agent up/);
  await supervised.said(/encoder runs/);
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  // The listing's own descriptor is the last.
  const reason = "--start-reason power --life-fd 3 --log";
  assert.match(supervised.log, new RegExp(`agent ${uid}:${gid}:.*, 0 1 2 3 4 , .* ${reason} `));
  const user = isRoot ? `${ENCODER.uid}:${ENCODER.gid}:${ENCODER.gid}` : `${uid}:${gid}:.*`;
  assert.match(supervised.log, new RegExp(`encoder ${user}, 0 1 2 3 , its own arguments\n`));
  await supervised.stop();
});

for (const variant of ["host", "asan", "mipsel"] as const)
  test(`a program that fails is started again, later each time, with the reason (${variant})`, async (t) => {
    const supervised = await Supervised.start(t, {
      ...{ variant, times: null },
      agent: `echo "start: $3" >&2; printf . >&3; exit 7`,
    });
    await supervised.said(/agent start: crash: exit status 7/, 3);
    await supervised.stop();
    const waits = [
      ...supervised.log.matchAll(/agent ended: exit status 7; it starts again in (\d+) ms/g),
    ];
    assert.deepEqual(
      waits.slice(0, 3).map(([, ms]) => Number(ms)),
      [500, 1000, 2000],
    );
    const starts = [...supervised.log.matchAll(/([\d.]+) agent start: /g)].map(([, s]) =>
      Number(s),
    );
    for (const [i, least] of [0.5, 1, 2].entries())
      assert.ok((starts[i + 1] ?? 0) - (starts[i] ?? 0) >= least, supervised.log);
    assert.match(supervised.log, /agent start: power\n/);
    assert.equal([...supervised.log.matchAll(/encoder started/g)].length, 1, "left alone");
  });

test("a program that is not there, or is none, is told, and tried again", async (t) => {
  const supervised = await Supervised.start(t, {
    agent: ["/nowhere/agent"],
    encoder: [join(scratch(t), ".")],
  });
  await supervised.said(/agent cannot start it: \/nowhere\/agent: No such file/, 2);
  await supervised.said(/encoder cannot start it: .*: Permission denied/, 2);
  assert.match(supervised.log, /agent ended: exit status 127; it starts again in 50 ms/);
  await supervised.stop();
});

test("a killed encoder is started again, and the agent is left alone", async (t) => {
  const supervised = await Supervised.start(t, { encoder: `echo pid $$ >&2; ${RUNS}` });
  await supervised.said(/encoder runs/);
  for (const signal of ["SIGKILL", "SIGSEGV"] as const) {
    const before = supervised.pids("encoder").length;
    process.kill(supervised.pids("encoder").at(-1) ?? 0, signal);
    await supervised.said(/encoder pid/, before + 1);
    assert.match(supervised.log, new RegExp(`encoder ended: killed by ${signal}; it starts again`));
    assert.match(supervised.log, new RegExp(`encoder started: crash: killed by ${signal}`));
  }
  assert.equal([...supervised.log.matchAll(/agent started/g)].length, 1);
  await supervised.stop();
});

test("an agent without signs of life is stopped, killed where it is deaf, and the encoder is left alone; the reason is told", async (t) => {
  const supervised = await Supervised.start(t, {
    times: { hung: 1_500, hungFirst: 1_500, stop: 300 },
    // Deaf to SIGTERM and without a sign of life, but for the last of three.
    agent: `echo "start: $3" >&2; case "$3" in *"second try"*) ${LIVES};; esac
      [ "$3" = power ] && echo first try >&2 || echo second try >&2
      trap '' TERM; while :; do sleep 0.1; done`,
    encoder: `trap '' TERM; echo pid $$ >&2; while :; do sleep 0.1; done`,
  });
  // Each of the later ones may be hung too on a slow machine: what matters is what was said of the first two.
  await supervised.said(/agent start: hung: no sign of life for 1 s; its last line: second try/);
  assert.match(
    supervised.log,
    /agent is stopped: hung: no sign of life for 1 s; its last line: first try/,
  );
  assert.match(
    supervised.log,
    /agent start: hung: no sign of life for 1 s; its last line: first try/,
  );
  assert.match(supervised.log, /agent ended: killed by SIGKILL; it starts again/);
  assert.match(supervised.log, /agent is killed: it does not end/);
  const [encoder = 0, ...others] = supervised.pids("encoder");
  assert.ok(runs(encoder));
  assert.deepEqual(others, []);
  await supervised.kill();
});

test("an agent without signs of life that hears SIGTERM may end in order", async (t) => {
  const supervised = await Supervised.start(t, {
    times: { hung: 1_000, hungFirst: 1_000 },
    agent: `echo "start: $3" >&2; trap 'echo bye >&2; exit 0' TERM; while :; do sleep 0.1; done`,
  });
  await supervised.said(
    /agent start: hung: no sign of life for 1 s; its last line: start: power\n/,
  );
  assert.match(supervised.log, /agent bye\n[^ ]+ supervise agent ended: exit status 0/);
  await supervised.kill();
});

test("an agent that gets no pictures has the encoder restarted, ever more rarely, and goes on itself", async (t) => {
  const supervised = await Supervised.start(t, {
    times: { useless: 200, uselessLongest: 1_600, stop: 100, hung: 20_000, hungFirst: 100 },
    agent: "echo up >&2; while :; do [ -e well ] && printf . >&3 || printf e >&3; sleep 0.05; done",
    encoder: `echo pid $$ >&2; trap '' TERM; while :; do sleep 0.05; done`,
  });
  await supervised.said(/encoder pid/, 6);
  assert.match(supervised.log, /encoder is stopped: hung: the agent gets no pictures\n/);
  assert.match(supervised.log, /encoder is killed: it does not end\n/);
  assert.match(supervised.log, /encoder started: hung: the agent gets no pictures\n/);
  const at = (what: string) =>
    [...supervised.log.matchAll(new RegExp(`^([\\d.]+) supervise encoder ${what}`, "gm"))].map(
      ([, s]) => Number(s),
    );
  const stopped = at("is stopped");
  for (const [i, started] of at("started").slice(0, 5).entries()) {
    const least = Math.min(1.6, 0.2 * 2 ** i);
    assert.ok((stopped[i] ?? 0) - started >= least, `${i}: ${least} s\n${supervised.log}`);
  }
  writeFileSync(join(supervised.directory, "well"), "");
  const starts = supervised.pids("encoder").length;
  await sleep(3_000);
  // One may have been on its way.
  assert.ok(supervised.pids("encoder").length <= starts + 1);
  assert.doesNotMatch(supervised.log, /agent (ended|is)/);
  assert.equal([...supervised.log.matchAll(/agent started/g)].length, 1);
  await supervised.kill();
});

test("an agent that gives signs of life is left alone", async (t) => {
  const supervised = await Supervised.start(t, { times: { hung: 20_000, hungFirst: 100 } });
  await supervised.said(/agent up/);
  await sleep(1_000);
  await supervised.stop();
  assert.doesNotMatch(supervised.log, /killed/);
});

test("what a program started ends with it", async (t) => {
  const supervised = await Supervised.start(t, {
    encoder: `sleep 1000 & echo pid $! >&2; [ -e ${"$"}0 ] ; exit 3`,
  });
  await supervised.said(/encoder ended: exit status 3/);
  const [grandchild = 0] = supervised.pids("encoder");
  await supervised.until("its end", () => !runs(grandchild));
  await supervised.stop();
});

test("SIGTERM stops the agent, then the encoder, and each may say goodbye", async (t) => {
  const goodbye = "trap 'echo bye >&2; sleep 0.3; echo gone >&2; exit 0' TERM; echo up >&2;";
  const loop = "while :; do sleep 0.05; done";
  const supervised = await Supervised.start(t, {
    agent: `${goodbye} ${loop}`,
    encoder: `${goodbye} ${loop}`,
  });
  await supervised.said(/ up\n/, 2);
  supervised.child.kill("SIGTERM");
  supervised.child.kill("SIGINT");
  await supervised.ended(0);
  const order = [...supervised.log.matchAll(/(agent|encoder|supervise) (bye|gone|ended|stopped)/g)];
  assert.deepEqual(
    order.map(([said]) => said),
    [
      ...["agent bye", "agent gone", "agent ended"],
      ...["encoder bye", "encoder gone", "encoder ended", "supervise stopped"],
    ].map((said) => said),
    supervised.log,
  );
});

test("a program that is deaf to SIGTERM is killed after a while", async (t) => {
  const deaf = "trap '' TERM; echo pid $$ >&2; while :; do sleep 0.05; done";
  const supervised = await Supervised.start(t, {
    times: { stop: 300 },
    agent: deaf,
    encoder: deaf,
  });
  await supervised.said(/agent pid/);
  await supervised.said(/encoder pid/);
  await supervised.stop();
  assert.match(supervised.log, /agent is killed: it does not end/);
  assert.match(supervised.log, /encoder is killed: it does not end/);
  for (const pid of [...supervised.pids("agent"), ...supervised.pids("encoder")])
    assert.equal(runs(pid), false);
});

test("when the supervisor is killed both programs end too", async (t) => {
  const deaf = "trap '' TERM HUP; echo pid $$ >&2; while :; do sleep 0.05; done";
  const supervised = await Supervised.start(t, { agent: deaf, encoder: deaf });
  await supervised.said(/agent pid/);
  await supervised.said(/encoder pid/);
  await supervised.kill();
  for (const pid of [...supervised.pids("agent"), ...supervised.pids("encoder")])
    for (let i = 0; runs(pid); i++) {
      assert.ok(i < 500, `${pid} lives on`);
      await sleep(20);
    }
});

test("exit status 76 of the agent stops the encoder and restarts the machine", async (t) => {
  const kmsg = join(scratch(t), "kmsg");
  execFileSync("touch", [kmsg]);
  const supervised = await Supervised.start(t, {
    args: ["--kmsg", kmsg],
    agent: "until [ -e reboot ]; do printf . >&3; sleep 0.05; done; exit 76",
    encoder: "trap 'echo bye >&2; exit 0' TERM; echo up >&2; while :; do sleep 0.05; done",
  });
  const said = (pattern: RegExp) => pattern.test(supervised.file("log"));
  await supervised.until("a start", () => said(/encoder up/));
  execFileSync("touch", [join(supervised.directory, "reboot")]);
  await supervised.ended(0);
  assert.match(execFileSync("ls", [supervised.restarted], { encoding: "utf8" }), /restarted/);
  assert.match(
    supervised.file("log"),
    /agent ended: exit status 76\n.*encoder bye\n.*encoder ended/,
  );
  const kernel = execFileSync("cat", [kmsg], { encoding: "utf8" });
  assert.match(kernel, /<14>encoder bye\n/);
  assert.match(kernel, /<10>supervise next start: reboot command\n$/);
  assert.equal(supervised.log, "", "what the kernel's log has is not said twice");
});

test("a machine that cannot be restarted is told, with 71, and the supervisor's own init starts it again", async (t) => {
  const supervised = await Supervised.start(t, {
    agent: "exit 76",
    env: { OCELLUS_RESTARTED: "/nowhere/file" },
  });
  await supervised.ended(71);
  assert.match(supervised.log, /supervise the machine does not restart: Operation not permitted/);
});

if (isRoot)
  test("root is no user for a program", async (t) => {
    const program = await PROGRAM();
    const args = ["--run", join(scratch(t), "run"), "--", "agent", "0:0", "/bin/true"];
    assert.throws(
      () =>
        execFileSync(program, [...args, "--", "encoder", `${AGENT.uid}:1`, "/bin/true"], {
          stdio: "pipe",
        }),
      (error: Error & { status?: number; stderr?: Buffer }) => {
        assert.equal(error.status, 71);
        assert.match(String(error.stderr), /refusing to run as root/);
        return true;
      },
    );
  });

test("without the system calls that came after Linux 3.10 all goes on as usual", async (t) => {
  const old = join(scratch(t), "linux310");
  execFileSync("gcc", ["-o", old, join(import.meta.dirname, "../host/linux310.c")]);
  const supervised = await Supervised.start(t, { variant: "host", under: [old] });
  await supervised.said(/agent up/);
  await supervised.said(/encoder runs/);
  await supervised.stop();
});
