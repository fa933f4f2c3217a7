/** The supervisor with a real agent program and a real encoder. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Agent, moduleText, program, scratch } from "../host/support/camera.ts";
import { runs, Supervised, type Variant } from "./supervised.ts";

/** A command for a piece of JavaScript in the agent's place, and where its state is. */
async function agentOf(directory: string, variant: Variant, agent: Agent<null>) {
  const bundle = join(directory, "agent.mjs");
  const state = join(directory, "state");
  writeFileSync(bundle, moduleText(agent));
  const options = ["--bundle", bundle, "--state", state, "--door", join(directory, "door")];
  const [file = "", ...before] = await program(variant);
  // The supervisor starts programs by their paths.
  const path = file.startsWith("/") ? file : `/usr/bin/${file}`;
  return [path, ...before, ...options];
}

for (const variant of ["host", "asan", "mipsel"] as const) {
  test(`a real agent gives signs of life, reads the log of all, and asks for a restart (${variant})`, async (t) => {
    const directory = scratch(t);
    const agent = await agentOf(directory, variant, (native) => {
      native.log("info", `why: ${native.options.startReason}`);
      const beat = () => {
        native.alive(true);
        native.setTimer(50, beat);
        if (!native.utf8Decode(native.logTail(65_536, 0).lines).includes("encoder runs")) return;
        native.log("info", "the encoder's line is there");
        native.setTimer(3_000, () => native.exit(76));
      };
      native.setTimer(100, beat);
    });
    const supervised = await Supervised.start(t, {
      // Shorter than it runs: without signs of life it would be killed.
      ...{ variant, agent, times: { hungFirst: 2_000, hung: 2_000 } },
    });
    await supervised.ended(0);
    assert.match(supervised.log, /agent info why: power\n/);
    assert.match(supervised.log, /agent info the encoder's line is there\n/);
    assert.match(supervised.log, /agent ended: exit status 76\n/);
    assert.doesNotMatch(supervised.log, /is killed/);
  });

  test(`a real agent in an endless turn is killed in the end, and its last line kept (${variant})`, async (t) => {
    const directory = scratch(t);
    const agent = await agentOf(directory, variant, (native) => {
      native.log("info", `why: ${native.options.startReason}`);
      if (native.options.startReason !== "power") return;
      native.alive(true);
      for (;;);
    });
    const supervised = await Supervised.start(t, {
      ...{ variant, agent, times: { hungFirst: 3_000, hung: 1_000, stop: 500 } },
    });
    await supervised.said(
      /agent info why: hung: no sign of life for \d s; its last line: .* why: power\n/,
    );
    await supervised.kill();
  });

  test(`a real agent that gave root up still ends with its supervisor (${variant})`, async (t) => {
    const directory = scratch(t);
    const agent = await agentOf(directory, variant, (native) => {
      native.onStop(() => undefined);
      native.log("info", "ready");
    });
    const supervised = await Supervised.start(t, {
      ...{ variant, agent: ["/bin/sh", "-c", `echo pid $$ >&2; exec "$@"`, "sh", ...agent] },
    });
    await supervised.said(/agent info ready/);
    const [pid = 0] = supervised.pids("agent");
    assert.ok(runs(pid));
    await supervised.kill();
    for (let i = 0; runs(pid); i++) {
      assert.ok(i < 3_000, "it lives on");
      await sleep(10);
    }
  });
}
