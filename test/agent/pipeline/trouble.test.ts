import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import type { NativeErrorCode } from "../../../agent/runtime/native.d.ts";
import { CONFIG } from "../double/clip.ts";
import { MemoryRing } from "../double/ring.ts";
import type { StoreAnswer, StoreRequest } from "../double/store.ts";
import { DoubleStore } from "../double/store.ts";
import { ACCESS, chainHolds, framesIn, Rig } from "./rig.ts";

const { DropReason, SegmentEnd, StageState } = ocellus.v1;

const isSegment = ({ method, path }: StoreRequest) => method === "PUT" && path.includes("/0/");

/** After a while of trouble: told by `cause`, footage kept; after the repair all of it arrives and all is well. */
async function survives(
  rig: Rig,
  cause: string,
  repair: () => void,
  options: { troubleS?: number } = {},
): Promise<void> {
  rig.pipeline.start();
  await rig.feed(options.troubleS ?? 20);
  const stage = rig.stage("STAGE_UPLOAD");
  assert.equal(stage.state, StageState.STAGE_TROUBLE);
  assert.equal(stage.cause, cause);
  assert.match(stage.reason ?? "", /^[A-Z].*\.$/);
  assert.equal(rig.stream.uploaded, 0);
  assert.deepEqual(rig.stream.dropped, []);
  assert.equal(rig.stream.pending?.[0]?.first, 0);
  repair();
  await rig.feed(70);
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
  await rig.stop();
  const opened = rig.opened();
  assert.equal(framesIn(opened), rig.fed, "every frame is in the store");
  assert.equal(chainHolds(rig, opened), true);
  assert.deepEqual(rig.stream.pending, []);
}

for (const fails of [
  "dns",
  "refused",
  "unreachable",
  "reset",
  "tls-certificate-untrusted",
  "tls-certificate-name",
  "tls-protocol",
] satisfies NativeErrorCode[])
  test(`a store that cannot be reached (${fails}) is told and survived`, async () => {
    const rig = new Rig();
    rig.store.listen({ fails });
    await survives(rig, fails, () => rig.store.listen({}));
  });

test("a store that never answers a connection is told and survived", async () => {
  const rig = new Rig();
  rig.store.listen({ fails: "silence" });
  await survives(rig, "timeout", () => rig.store.listen({}), { troubleS: 25 });
});

test("a wrong authority is told and survived", async () => {
  const rig = new Rig();
  rig.store.listen({ certificate: { ca: "another CA" } });
  await survives(rig, "tls-certificate-untrusted", () => rig.store.listen({}));
});

test("a wrong host name is told and survived", async () => {
  const rig = new Rig();
  rig.store.listen({ certificate: { names: ["other.test"] } });
  await survives(rig, "tls-certificate-name", () => rig.store.listen({}));
});

for (const [answer, cause] of [
  [{ status: 403, code: "AccessDenied" }, "store-forbidden"],
  [{ status: 403, code: "SignatureDoesNotMatch" }, "store-forbidden"],
  [{ status: 404, code: "NoSuchBucket" }, "store-no-bucket"],
  [{ status: 409, code: "ConditionalRequestConflict" }, "store-busy"],
  [{ status: 500, code: "InternalError" }, "store-error"],
  [{ status: 503, code: "SlowDown" }, "store-busy"],
  [
    { status: 307, code: "TemporaryRedirect", headers: { location: "https://x.test/" } },
    "store-redirect",
  ],
  [{ status: 501, code: "NotImplemented" }, "store-unsupported"],
  [{ status: 200, hangUp: true }, "store-closed"],
] satisfies [StoreAnswer, string][])
  test(`a store that answers ${answer.status} ${answer.code ?? "and hangs up"} is told and survived`, async () => {
    const rig = new Rig();
    rig.store.answer = ({ method }) => (method === "PUT" ? answer : null);
    await survives(rig, cause, () => {
      rig.store.answer = () => null;
    });
  });

test("a store that takes a request and never answers is told as slow, and survived", async () => {
  const rig = new Rig();
  rig.store.answer = ({ method }) => (method === "PUT" ? { status: 200, silent: true } : null);
  const repair = () => {
    rig.store.answer = () => null;
  };
  await survives(rig, "store-slow", repair, { troubleS: 45 });
});

test("a store that stops reading is told as slow, and survived", async () => {
  const rig = new Rig();
  let stuck = true;
  const stopReading = () => {
    if (stuck && rig.store.connections >= 2 && rig.store.peer) rig.store.peer.reading = false;
  };
  rig.store.accepted = () => {
    // The second connection tells the time first.
    if (rig.store.connections > 2) stopReading();
  };
  rig.store.after = (_, answer) => {
    stopReading();
    return answer;
  };
  const repair = () => {
    stuck = false;
  };
  await survives(rig, "store-slow", repair, { troubleS: 45 });
});

test("another object under a segment's name is a conflict: told, dropped, never counted as uploaded", async () => {
  const rig = new Rig();
  let hits = 0;
  rig.store.answer = (request) =>
    isSegment(request) && hits++ === 0 ? { status: 412, code: "PreconditionFailed" } : null;
  rig.pipeline.start();
  await rig.feed(2);
  assert.equal(rig.stage("STAGE_UPLOAD").cause, "store-conflict");
  assert.deepEqual(rig.stream.dropped, [{ first: 0, last: 0, reason: DropReason.DROP_CONFLICT }]);
  await rig.feed(5);
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
  assert.equal(rig.stream.uploaded, 1);
  assert.deepEqual(
    rig.uploaded.map(({ seq }) => seq),
    [1],
  );
  await rig.stop();
});

for (const [what, lose] of [
  ["was lost with the connection", { hangUp: true }],
  ["never came", { silent: true }],
  ["was an error of the store", { status: 500, code: "InternalError" }],
] as const)
  test(`a segment that was stored although its answer ${what} counts as uploaded, once`, async () => {
    const rig = new Rig();
    let lost = 0;
    rig.store.after = (request, answer) =>
      isSegment(request) && lost++ === 0 ? { ...answer, ...lose } : answer;
    rig.pipeline.start();
    await rig.feed(40);
    await rig.stop();
    const first = rig.store.requests
      .filter(isSegment)
      .filter(({ path }) => path.includes("/0000000000-"));
    assert.equal(first.length, 2, "the same bytes were put twice");
    assert.deepEqual(first[0]?.body, first[1]?.body);
    assert.equal(rig.uploaded.filter(({ seq }) => seq === 0).length, 1);
    assert.deepEqual(rig.stream.dropped, []);
    assert.equal(framesIn(rig.opened()), rig.fed);
  });

test("a connection that the store closes between two segments costs no wait and no trouble", async () => {
  const rig = new Rig();
  rig.store.after = (_, answer) => {
    const { peer } = rig.store;
    rig.double.clock.setTimer(1_000, () => peer?.end());
    return answer;
  };
  rig.pipeline.start();
  let troubled = false;
  for (let i = 0; i < 20; i++) {
    await rig.feed(1);
    troubled ||= rig.stage("STAGE_UPLOAD").state === StageState.STAGE_TROUBLE;
  }
  assert.equal(troubled, false);
  assert.ok(rig.store.connections > 4);
  await rig.stop();
});

test("a store that closes every kept connection under the next request is used all the same", async () => {
  const rig = new Rig();
  const seen = new Map<object, number>();
  rig.store.after = (_, answer) => {
    const { peer } = rig.store;
    if (peer === null) return answer;
    const count = (seen.get(peer) ?? 0) + 1;
    seen.set(peer, count);
    return count > 1 ? { ...answer, hangUp: true } : answer;
  };
  rig.pipeline.start();
  await rig.feed(20);
  await rig.stop();
  assert.equal(framesIn(rig.opened()), rig.fed);
  assert.deepEqual(rig.stream.dropped, []);
});

test("waits grow to a minute, jittered, and end with the first success", async () => {
  const rig = new Rig();
  rig.store.answer = ({ method }) => (method === "PUT" ? { status: 500 } : null);
  rig.pipeline.start();
  const attempts: number[] = [];
  rig.store.after = (request, answer) => {
    if (request.method === "PUT") attempts.push(rig.double.clock.nowUs() / 1e6);
    return answer;
  };
  await rig.feed(1.5);
  await rig.double.clock.advance(600_000);
  const gaps = attempts.slice(1).map((at, i) => at - (attempts[i] ?? 0));
  assert.ok((gaps[0] ?? 9) <= 1);
  for (const gap of gaps) assert.ok(gap <= 60.1, `waited ${gap} s`);
  assert.ok(
    gaps.slice(-4).every((gap) => gap >= 30),
    gaps.join(" "),
  );
  assert.ok(new Set(gaps.slice(-4).map((gap) => gap.toFixed(3))).size > 1, "jitter");
  await rig.stop();
});

test("an object that the store refuses for good is dropped with its reason, and the next one goes up", async () => {
  const rig = new Rig();
  let hits = 0;
  rig.store.answer = (request) =>
    isSegment(request) && hits++ === 0 ? { status: 400, code: "EntityTooLarge" } : null;
  rig.pipeline.start();
  await rig.feed(6);
  await rig.stop();
  assert.deepEqual(rig.stream.dropped, [{ first: 0, last: 0, reason: DropReason.DROP_REFUSED }]);
  assert.ok(Number(rig.stream.uploaded) >= 2);
});

test("while the store is away the queue stays within its bound, the oldest goes, and every drop is told", async () => {
  const rig = new Rig({ double: { options: { queueBytes: 1 << 20 } } });
  rig.store.listen({ fails: "refused" });
  rig.pipeline.start();
  for (let i = 0; i < 60; i++) {
    await rig.feed(1, { bytes: 4_000 });
    assert.ok(rig.double.arena.usedBytes <= 1 << 20);
  }
  const { dropped, pending, headSeq } = rig.stream;
  assert.equal(dropped?.length, 1);
  assert.equal(dropped?.[0]?.first, 0);
  assert.equal(dropped?.[0]?.reason, DropReason.DROP_QUEUE_FULL);
  assert.deepEqual(pending, [{ first: Number(dropped?.[0]?.last) + 1, last: headSeq }]);
  assert.equal(rig.stream.framesLost, 0, "dropped segments are no lost frames");
  rig.store.listen({});
  await rig.feed(61, { bytes: 400 });
  await rig.stop();
  const opened = rig.opened();
  assert.equal(chainHolds(rig, opened), true, "what was dropped after sealing stays in the chain");
  assert.equal(
    Number(rig.stream.uploaded) + Number(rig.stream.dropped?.[0]?.last) + 1,
    opened.length + Number(rig.stream.dropped?.[0]?.last) + 1,
  );
  assert.equal(opened[0]?.name.seq, Number(rig.stream.dropped?.[0]?.last) + 1);
});

test("a segment for which there is no room at all is given up, and recording goes on with the next key frame", async () => {
  const rig = new Rig({ double: { options: { queueBytes: 256 << 10 } } });
  rig.pipeline.start();
  await rig.feed(2, { bytes: 70_000 });
  await rig.feed(3, { bytes: 500 });
  await rig.stop();
  const opened = rig.opened();
  assert.ok(opened.length > 0);
  const { frames, framesLost, dropped } = rig.stream;
  assert.equal(Number(frames) + Number(framesLost), rig.fed);
  assert.equal(dropped?.[0]?.reason, DropReason.DROP_QUEUE_FULL);
  assert.ok(opened.some(({ object }) => object.header.skipped > 0));
  assert.ok(opened.some(({ metadata }) => metadata.framesLostBefore > 0));
  assert.equal(framesIn(opened), frames);
  assert.equal(chainHolds(rig, opened), true);
});

test("frames overwritten while their fragment waited spoil the segment, and its number is told as lapped", async () => {
  const rig = new Rig({ ringBytes: 40_000 });
  rig.pipeline.start();
  await rig.feed(3, { bytes: 300 });
  // A burst larger than the ring, without a turn in between.
  for (let i = 0; i < 40; i++)
    rig.ring.push({
      payload: new Uint8Array(2_000),
      key: i % 25 === 0,
      captureUs: rig.double.clock.nowUs() + i * 1_000,
    });
  await rig.double.clock.advance(100);
  assert.equal(rig.stage("STAGE_SEAL").cause, "lapped");
  await rig.feed(4, { bytes: 300 });
  await rig.stop();
  const opened = rig.opened();
  const { frames, framesLost } = rig.stream;
  assert.equal(Number(frames) + Number(framesLost), rig.fed + 40);
  assert.equal(framesIn(opened), frames);
  assert.equal(chainHolds(rig, opened), true);
  assert.ok(opened.some(({ metadata }) => metadata.end === SegmentEnd.END_DISCONTINUITY));
  assert.equal(
    opened.reduce((sum, { metadata }) => sum + metadata.framesLostBefore, 0),
    framesLost,
  );
});

test("a fragment that was overwritten while it waited ends its segment, which keeps what it holds", async () => {
  // Ten kilobytes more than a second of frames: a fragment of larger ones does not fit into the ring.
  const rig = new Rig({ ringBytes: 60_000 });
  rig.pipeline.start();
  await rig.feed(3, { bytes: 1_500 });
  await rig.feed(2, { bytes: 3_000 });
  assert.equal(rig.stage("STAGE_SEAL").cause, "lapped");
  await rig.feed(6, { bytes: 1_500 });
  assert.equal(rig.stage("STAGE_SEAL").state, StageState.STAGE_OK);
  await rig.stop();
  const opened = rig.opened();
  const { frames, framesLost, dropped } = rig.stream;
  assert.ok(Number(framesLost) > 0 && Number(framesLost) <= 75);
  assert.equal(Number(frames) + Number(framesLost), rig.fed);
  assert.equal(framesIn(opened), frames);
  assert.equal(chainHolds(rig, opened), true);
  assert.equal(opened[1]?.metadata.end, SegmentEnd.END_DISCONTINUITY);
  assert.equal(opened[1]?.metadata.durationUs, 2_000_000, "the seconds before are kept");
  for (const { reason } of dropped ?? []) assert.equal(reason, DropReason.DROP_LAPPED);
});

test("a segment that would get more chunks than its header can list ends early and keeps what it holds", async () => {
  const rig = new Rig();
  // Two for each fragment of a second: the limit comes within the third.
  rig.double.arena.chunksMax = 5;
  rig.pipeline.start();
  await rig.feed(20);
  assert.deepEqual(rig.double.exits, []);
  assert.ok(rig.double.log.includes("a segment cannot hold what the encoder makes"));
  rig.double.arena.chunksMax = 1_536;
  await rig.feed(20);
  assert.equal(rig.stage("STAGE_SEAL").state, StageState.STAGE_OK);
  await rig.stop();
  assert.deepEqual(rig.stream.dropped, []);
  const opened = rig.opened();
  assert.equal(chainHolds(rig, opened), true);
  const ends = opened.map(({ metadata }) => metadata.end);
  assert.ok(ends.includes(SegmentEnd.END_DISCONTINUITY));
  const { frames, framesLost } = rig.stream;
  assert.ok(Number(framesLost) > 0);
  assert.equal(Number(frames) + Number(framesLost), rig.fed);
  assert.equal(framesIn(opened), frames);
  for (const { chunks } of opened.slice(0, 3)) assert.ok(chunks.length <= 5);
});

test("an encoder that goes away closes its segment, and its successor's footage follows in the same chain", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(2.2);
  rig.double.door.die();
  await rig.double.clock.advance(3_000);
  assert.equal(rig.stage("STAGE_CAPTURE").cause, "no-encoder");
  rig.ring = new MemoryRing();
  rig.ring.setConfig(CONFIG);
  rig.double.door.start(rig.ring);
  await rig.double.clock.advance(5_000);
  await rig.feed(6);
  await rig.stop();
  const opened = rig.opened();
  assert.equal(opened[1]?.metadata.end, SegmentEnd.END_ENCODER);
  assert.equal(framesIn(opened), rig.fed);
  assert.equal(chainHolds(rig, opened), true);
  assert.equal(rig.stage("STAGE_CAPTURE").state, StageState.STAGE_OK);
});

test("a boot record that the store does not take holds up no footage, and is tried again", async () => {
  const rig = new Rig();
  let forbidden = true;
  rig.store.answer = ({ path }) =>
    forbidden && path.includes("/boot/") ? { status: 403, code: "AccessDenied" } : null;
  rig.pipeline.start();
  await rig.feed(20);
  assert.ok(Number(rig.stream.uploaded) >= 4);
  const tries = rig.store.requests.filter(({ path }) => path.includes("/boot/")).length;
  assert.ok(tries <= 2, `${tries} tries`);
  forbidden = false;
  await rig.feed(40);
  assert.equal(rig.store.names.filter((name) => name.includes("/boot/")).length, 1);
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
  await rig.stop();
});

test("stopping does not wait for a boot record that the store does not take", async () => {
  const rig = new Rig();
  rig.store.answer = ({ path }) =>
    path.includes("/boot/") ? { status: 403, code: "AccessDenied" } : null;
  rig.pipeline.start();
  await rig.feed(6);
  await rig.stop(3_000);
  assert.equal(framesIn(rig.opened()), rig.fed);
  assert.equal(rig.double.clock.timers, 0);
});

// ---- access -----------------------------------------------------------------------------------------------------------

const NEW = { ...ACCESS, endpoint: "https://new.test", bucket: "elsewhere" };

function newStore(rig: Rig): DoubleStore {
  return new DoubleStore(rig.double.network, {
    host: "new.test",
    bucket: "elsewhere",
    wallS: () => Math.floor(rig.storeS + rig.double.clock.nowUs() / 1e6),
  });
}

test("new access is used at once, and said to have worked after the first object", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(6);
  assert.equal(rig.proven, 1, "told once, not with each object");
  const fresh = newStore(rig);
  rig.pipeline.setAccess({ current: NEW, previous: ACCESS });
  await rig.feed(5);
  assert.equal(fresh.names.length > 0, true);
  assert.equal(rig.proven, 2);
  const before = rig.store.requests.length;
  await rig.feed(9);
  assert.equal(rig.store.requests.length, before, "the old store is left alone");
  await rig.stop();
});

test("while new access does not work the old one serves, and the new one is tried again", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(6);
  const proven = rig.proven;
  const fresh = newStore(rig);
  fresh.listen({ fails: "refused" });
  rig.pipeline.setAccess({ current: NEW, previous: ACCESS });
  await rig.feed(30);
  assert.equal(rig.proven, proven);
  assert.ok(rig.store.names.length > 6, "footage still arrives");
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
  fresh.listen({});
  await rig.feed(320, { stepMs: 200, gop: 5 });
  assert.ok(rig.proven > proven);
  assert.ok(fresh.names.length > 0);
  await rig.stop();
});

test("an attempt without an answer at one store makes a 412 of another no success", async () => {
  const rig = new Rig();
  rig.store.after = (request, answer) =>
    isSegment(request) ? { ...answer, hangUp: true } : answer;
  const fresh = newStore(rig);
  fresh.answer = (request) =>
    isSegment(request) ? { status: 412, code: "PreconditionFailed" } : null;
  rig.pipeline.start();
  await rig.feed(1.5);
  rig.pipeline.setAccess({ current: NEW, previous: null });
  await rig.double.clock.advance(5_000);
  assert.deepEqual(rig.stream.dropped, [{ first: 0, last: 0, reason: DropReason.DROP_CONFLICT }]);
  assert.deepEqual(rig.uploaded, []);
  await rig.stop();
});

test("access that changes while an object is on its way begins the attempt anew, without telling trouble", async () => {
  const rig = new Rig();
  rig.store.answer = (request) => (isSegment(request) ? { status: 200, silent: true } : null);
  rig.pipeline.start();
  await rig.feed(2);
  const fresh = newStore(rig);
  rig.pipeline.setAccess({ current: NEW, previous: null });
  await rig.double.clock.advance(100);
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
  assert.equal(
    fresh.names.some((name) => name.includes("/0000000000-")),
    true,
  );
  await rig.stop();
});

// ---- stopping ---------------------------------------------------------------------------------------------------------

test("stopping seals what is open, uploads what waits, and leaves nothing behind", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(3.3);
  await rig.stop();
  assert.equal(framesIn(rig.opened()), rig.fed);
  assert.deepEqual(rig.stream.pending, []);
  assert.equal(rig.double.clock.timers, 0);
  assert.equal(rig.double.network.open.size, 0);
  assert.equal(rig.double.arena.usedBytes, 0);
  assert.equal(rig.double.arena.segments.size, 0);
});

test("stopping while the store is away ends in time, and what did not go up is told", async () => {
  const rig = new Rig();
  rig.store.listen({ fails: "silence" });
  rig.pipeline.start();
  await rig.feed(6);
  const beganUs = rig.double.clock.nowUs();
  await rig.stop(3_000);
  assert.ok(rig.double.clock.nowUs() - beganUs <= 3.2e6);
  assert.deepEqual(rig.stream.pending, []);
  assert.deepEqual(rig.stream.dropped, [{ first: 0, last: 2, reason: DropReason.DROP_SHUTDOWN }]);
  assert.equal(rig.double.clock.timers, 0);
  assert.equal(rig.double.network.open.size, 0);
  assert.equal(rig.double.arena.segments.size, 0);
});

test("stopping during a back-off tries at once", async () => {
  const rig = new Rig();
  rig.store.answer = ({ method }) => (method === "PUT" ? { status: 500 } : null);
  rig.pipeline.start();
  await rig.feed(60);
  rig.store.answer = () => null;
  await rig.stop(3_000);
  assert.equal(framesIn(rig.opened()), rig.fed);
});

test("nothing that was told comes after the stop", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(6);
  await rig.stop();
  const { changes } = rig;
  const told = rig.uploaded.length;
  assert.equal(told, rig.stream.uploaded);
  await rig.double.clock.advance(100_000);
  assert.deepEqual([rig.changes, rig.uploaded.length], [changes, told]);
});
