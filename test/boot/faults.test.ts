/**
 * Faults of a camera that runs, and how it recovers without a restart of the machine; as its owner sees it, by signed status
 * and sealed log. One machine for all.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ocellus } from "#proto";
import { Guest, type OwnStatus, uploaded } from "./support/guest.ts";

const { StageName, StageState } = ocellus.v1;

/** Longer than any time after which something is taken to hang: 20 s without a sign of life, 60 s without pictures or feeding. */
const OUTAGE_MS = 75_000;

/** How long is recorded before the encoder hangs, for which the queue has room, and a segment's length. */
const SEALED_MS = 12_000;
const SEGMENT_MS = 4_000;

const frames = ({ secret }: OwnStatus) => secret.streams[0]?.frames ?? 0;

function isWell({ secret }: OwnStatus, name: ocellus.v1.StageName): boolean {
  const stage = secret.stages.find((one) => (one.name ?? 0) === name);
  return stage?.state === StageState.STAGE_OK;
}

test("a killed encoder, an outage, a hung encoder within one and a hung agent: each recovers, footage goes on, the owner is told, the machine stays up", async (t) => {
  const guest = await Guest.start(t);
  const first = await guest.untilStatus("footage", (status) => uploaded(status) > 0);
  assert.equal(first.secret.startReason, "power");

  await guest.ask("killall -9 ocellus-canned");
  await guest.console.seen(/encoder started: crash: killed by SIGKILL\n/);
  const before = await guest.untilStatus("a status", () => true);
  const after = await guest.untilStatus(
    "footage of the next encoder",
    (status) => isWell(status, StageName.STAGE_CAPTURE) && uploaded(status) > uploaded(before) + 1,
  );
  assert.equal(after.boot, first.boot, "the agent went on");
  assert.ok(frames(after) > frames(before));
  assert.match(await guest.log(), /supervise encoder started: crash: killed by SIGKILL\n/);

  await guest.plug(false);
  await sleep(OUTAGE_MS);
  await guest.plug(true);
  const reached = await guest.untilStatus(
    "footage after the outage",
    (status) =>
      status.open.monotonicUs > after.open.monotonicUs + OUTAGE_MS * 1000 &&
      isWell(status, StageName.STAGE_UPLOAD) &&
      uploaded(status) > uploaded(after) + 1,
  );
  assert.equal(reached.boot, first.boot, "an outage starts nothing anew");
  assert.equal(reached.secret.startReason, "power");
  assert.doesNotMatch(await guest.log(), /No more signs of life/);

  // An encoder that hangs while nothing can be sent: what was sealed before waits in the agent's memory.
  await guest.plug(false);
  await sleep(SEALED_MS);
  await guest.ask("killall -STOP ocellus-canned");
  await guest.console.seen(/encoder is stopped: hung: the agent gets no pictures\n/);
  await guest.plug(true);
  await guest.console.seen(/encoder started: hung: the agent gets no pictures\n/);
  const kept = await guest.untilStatus(
    "footage of before and after the hung encoder",
    (status) =>
      status.open.monotonicUs > reached.open.monotonicUs + OUTAGE_MS * 1000 &&
      isWell(status, StageName.STAGE_UPLOAD) &&
      isWell(status, StageName.STAGE_CAPTURE) &&
      uploaded(status) > uploaded(reached) + SEALED_MS / SEGMENT_MS,
  );
  assert.equal(kept.boot, first.boot, "the agent and its queue went on");
  assert.equal(kept.secret.startReason, "power");
  assert.deepEqual(kept.secret.streams[0]?.dropped, reached.secret.streams[0]?.dropped);
  const told = await guest.log();
  assert.match(told, /There were no pictures for 60 s: the supervisor is asked to start the enc/);
  assert.match(told, /supervise encoder is stopped: hung: the agent gets no pictures\n/);
  assert.doesNotMatch(told, /No more signs of life/);

  await guest.ask("killall -STOP ocellus-camera");
  const hung = await guest.untilStatus("the next agent", ({ boot }) => boot > first.boot);
  assert.match(hung.secret.startReason, /^hung: no sign of life for \d+ s; its last line: /);
  await guest.untilStatus(
    "its footage",
    (status) => status.boot === hung.boot && uploaded(status) > 0,
  );
  const log = await guest.log();
  assert.match(log, /supervise agent is stopped: hung: no sign of life for \d+ s/);
  assert.match(log, /supervise agent is killed: it does not end\n/);

  assert.deepEqual(guest.resets, [], "no restart of the machine");
});
