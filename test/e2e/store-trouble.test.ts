/**
 * Every way a store can fail: the agent goes on, keeps footage within its bound, says the reason in its status, and
 * recovers by itself. One camera goes through all of it.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ocellus } from "#proto";
import type { Fault, FaultHook, RequestInfo } from "../../scripts/cloud/store/faults.ts";
import { Rig, STREET, until } from "./support/rig.ts";

const { DropReason } = ocellus.v1;
let rig: Rig;
/** Twelve seconds of the clip, so that an outage of some seconds fills it: 4 Mbit/s, or the default clip's one. */
const QUEUE_BYTES = STREET === undefined ? 1.5 * (1 << 20) : 6 << 20;

before(async () => {
  rig = await Rig.create({ host: { queue_bytes: QUEUE_BYTES } });
  await rig.record();
  await rig.untilStored(1);
});
after(() => rig.stop());

/** Whether a request is the camera putting footage. */
const isFootage = ({ method, key }: RequestInfo) => method === "PUT" && key.includes("/0/");

/** Puts a fault on the camera's puts, waits for the stage to tell the cause, takes it away and waits for recovery. */
async function trouble(fault: Fault | FaultHook, cause: string | RegExp): Promise<string> {
  const since = new Set((await rig.segments()).map(({ name }) => name.object));
  const hook = typeof fault === "function" ? fault : () => fault;
  rig.cloud.store.faults = (request) => (isFootage(request) ? hook(request) : undefined);
  try {
    return await rig.untilStatus(`upload trouble ${cause}`, (_status, secret) => {
      assert.ok(secret.queueBytes <= secret.queueLimitBytes);
      const { upload } = rig.stages();
      const fits =
        typeof cause === "string" ? upload?.cause === cause : cause.test(upload?.cause ?? "");
      return upload && !upload.ok && fits && upload.reason;
    });
  } finally {
    rig.cloud.store.faults = undefined;
    await rig.untilStatus("recovery of upload", () => rig.stages().upload?.ok, 60_000);
    await until(
      "newer segments in the store",
      async () => (await rig.segments()).some(({ name }) => !since.has(name.object)),
      60_000,
    );
    rig.assertNeverRestarted();
  }
}

const reply = (status: number, code: string) => ({ reply: { status, code } });

test("403: forbidden is said, and ends with the store's mind", async () => {
  const reason = await trouble(reply(403, "AccessDenied"), "store-forbidden");
  assert.match(reason, /forbids the camera.*403 AccessDenied/);
});

test("a missing bucket is said", async () => {
  assert.match(await trouble(reply(404, "NoSuchBucket"), "store-no-bucket"), /no such bucket/);
});

test("409: the same object is tried again, and is stored once", async () => {
  const reason = await trouble(reply(409, "ConditionalRequestConflict"), "store-busy");
  assert.match(reason, /409/);
});

test("500: an error of the store's own is said", async () => {
  assert.match(await trouble(reply(500, "InternalError"), "store-error"), /error of its own/);
});

test("503: a store that asks to slow down is obeyed", async () => {
  await trouble(reply(503, "SlowDown"), "store-busy");
});

test("a captive portal that answers with a page is no store", async () => {
  const page = { status: 302, body: "<html>", headers: { location: "https://portal.example/" } };
  await trouble({ reply: page }, "store-redirect");
});

test("a store that takes an upload slower than it is made is said to be slow, and the queue stays bounded", async () => {
  await trouble({ readRate_bytes_s: 50_000 }, "store-too-slow");
});

test("a store that hangs up in the middle of an upload is tried again", async () => {
  await trouble({ cutRequestAt_bytes: 70_000 }, /store-closed|reset|store-/);
});

test("412 on a first attempt is a conflict: said, dropped for that reason, not counted as stored", async () => {
  const conflicting = new Set<string>();
  await trouble((request) => {
    if (conflicting.size === 0 || conflicting.has(request.key)) {
      conflicting.add(request.key);
      return reply(412, "PreconditionFailed");
    }
    return undefined;
  }, "store-conflict");
  const [key = ""] = conflicting;
  const seq = Number(/\/(\d{10})-/.exec(key)?.[1]);
  await rig.untilStatus(`segment ${seq} dropped as a conflict`, (_status, secret) =>
    (secret.streams[0]?.dropped ?? []).some(
      ({ first, last, reason }) =>
        (first ?? 0) <= seq && seq <= (last ?? 0) && reason === DropReason.DROP_CONFLICT,
    ),
  );
  assert.ok(!(await rig.segments()).some(({ name }) => name.seq === seq));
});

test("412 after an attempt whose end is unknown means stored", async () => {
  const lost = new Set<string>();
  rig.cloud.store.faults = (request) => {
    if (!isFootage(request) || lost.size > 0) return undefined;
    lost.add(request.key);
    return { loseReply: true };
  };
  const key = await until("a put whose reply is lost", () => [...lost][0], 30_000);
  rig.cloud.store.faults = undefined;
  await rig.untilStored(2);
  const seq = Number(/\/(\d{10})-/.exec(key)?.[1]);
  const puts = rig.cloud.store.log.entries.filter(
    (entry) => entry.key === key && entry.method === "PUT",
  );
  assert.deepEqual(puts.map(({ status }) => status).at(-1), 412);
  await rig.untilStatus("nothing dropped for it", (_status, secret) => {
    const [main] = secret.streams;
    const within = ({ first, last }: ocellus.v1.Range.$Properties) =>
      (first ?? 0) <= seq && seq <= (last ?? 0);
    return (
      !(main?.dropped ?? []).some(within) &&
      !(main?.pending ?? []).some(within) &&
      (main?.headSeq ?? 0) > seq
    );
  });
});

test("an outage fills the queue to its bound and no further; what gave way is accounted for", async () => {
  const newest = Math.max(...(await rig.segments()).map(({ name }) => name.seq));
  await rig.cloud.store.stop();
  try {
    await rig.untilStatus(
      "footage dropped for want of room",
      (_status, secret) => {
        assert.ok(secret.queueBytes <= secret.queueLimitBytes);
        assert.ok(secret.queueLimitBytes <= QUEUE_BYTES);
        return (secret.streams[0]?.dropped ?? []).some(
          ({ last, reason }) => (last ?? 0) > newest && reason === DropReason.DROP_QUEUE_FULL,
        );
      },
      90_000,
    );
    assert.equal(rig.stages().upload?.cause, "refused");
  } finally {
    await rig.cloud.store.start();
  }
  await rig.untilStatus("recovery of upload", () => rig.stages().upload?.ok, 90_000);
  const account = await rig.untilStatus("an empty queue", (_status, secret) => {
    const [main] = secret.streams;
    return (main?.pending ?? []).length <= 1 && main;
  });
  // Every number up to the newest is in the store, waiting, or said to be dropped; what was dropped is not in the store.
  const stored = new Set((await rig.segments()).map(({ name }) => name.seq));
  const within = (
    ranges: readonly ocellus.v1.Range.$Properties[] | null | undefined,
    seq: number,
  ) => (ranges ?? []).some(({ first, last }) => (first ?? 0) <= seq && seq <= (last ?? 0));
  assert.ok((account.headSeq ?? 0) > newest);
  const both: number[] = [];
  for (let seq = 0; seq <= (account.headSeq ?? 0); seq++) {
    const dropped = within(account.dropped, seq);
    const known = stored.has(seq) || dropped || within(account.pending, seq);
    assert.ok(known, `segment ${seq} is nowhere`);
    if (dropped && stored.has(seq)) both.push(seq);
  }
  // Of the one that was under way when the store went the camera cannot know whether it was taken.
  const underWay = both.every((seq) => seq > newest);
  assert.ok(both.length <= 1 && underWay, `dropped but stored: ${both}; before it ${newest}`);
  rig.assertNeverRestarted();
});
