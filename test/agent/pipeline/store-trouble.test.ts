/** A store that is not there, or answers in all wrong ways: told, footage kept, and all of it arrives afterwards. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import type { NativeErrorCode } from "../../../agent/runtime/native.d.ts";
import type { StoreAnswer } from "../double/store.ts";
import { chainHolds, framesIn, Rig } from "./rig.ts";

const { StageState } = ocellus.v1;

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
