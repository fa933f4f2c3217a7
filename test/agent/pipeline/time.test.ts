import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { decodeMessage } from "../../../agent/seal/decode.ts";
import { parseBootObjectName } from "../../../agent/seal/names.ts";
import { openBody, parseRecord, verifyRecord } from "../../../agent/seal/record.ts";
import { isRefused } from "../../../agent/seal/refusal.ts";
import { Rig, STORE_S } from "./rig.ts";

const { StageState, TimeQuality } = ocellus.v1;

/** When the double's image was built. */
const BUILD_S = 1_780_000_000;

/** The boot records in the store, verified and opened. */
function bootRecords(rig: Rig) {
  return [...rig.store.objects].flatMap(([text, bytes]) => {
    const name = parseBootObjectName(text);
    if (isRefused(name)) return [];
    const record = parseRecord(bytes);
    if (isRefused(record)) throw new Error(record.refused);
    const { camera, boot, signingPublic } = rig.deps.identity;
    const scope = { topic: name.topic, camera, boot };
    assert.equal(verifyRecord(rig.double.crypto, record, scope, signingPublic), null);
    assert.deepEqual(rig.double.crypto.sha256(bytes).slice(0, 16), name.hash);
    const { sealed, seq } = record.body;
    assert.ok(sealed);
    const plain = openBody(rig.double.crypto, "record", { boot, seq }, sealed, [rig.owner]);
    if (isRefused(plain)) throw new Error(plain.refused);
    const said = decodeMessage(ocellus.v1.BootRecord, plain);
    if (isRefused(said)) throw new Error(said.refused);
    return [said];
  });
}

/** The time a request was signed with, seconds since 1970. */
function signedS(rig: Rig, i: number): number {
  const text = rig.store.requests[i]?.headers.get("x-amz-date") ?? "";
  const parts = text.match(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/);
  return Date.parse(parts ? parts[0].replace(...ISO) : "") / 1000;
}
const ISO = [/^(.{4})(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"] as const;

test("a camera that starts in 1970 learns the time from the store before its first segment", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  assert.deepEqual(rig.double.network.tlsTime, { seconds: BUILD_S, known: false });
  await rig.feed(2);
  await rig.stop();
  assert.equal(signedS(rig, 0), BUILD_S, "the first request is signed with the floor");
  assert.ok(Math.abs(signedS(rig, 1) - STORE_S) < 10, "the next one with the store's time");
  const [first] = rig.opened();
  assert.equal(first?.metadata.timeQuality, TimeQuality.TIME_STORE);
  const wallUs = STORE_S * 1e6 + Number(first?.metadata.captureUs);
  assert.ok(Math.abs(Number(first?.metadata.wallUs) - wallUs) <= 1e6);
});

test("certificates are judged by the time as soon as it is adopted, in a handshake of their own", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.double.clock.settle();
  assert.equal(rig.store.connections, 2);
  assert.equal(rig.double.network.tlsTime.known, true);
  assert.ok(Math.abs(rig.double.network.tlsTime.seconds - STORE_S) < 10);
  await rig.stop();
  assert.equal(rig.known.length, 1, "it is said once it is confirmed");
});

test("the persisted floor counts where it is later than the build", async () => {
  const rig = new Rig({ deps: { timeFloorUs: (STORE_S - 100) * 1e6 } });
  rig.pipeline.start();
  assert.deepEqual(rig.double.network.tlsTime, { seconds: STORE_S - 100, known: false });
  await rig.feed(2);
  assert.equal(signedS(rig, 0), STORE_S - 100);
  await rig.stop();
});

test("a store that tells the time only where it refuses for it is understood as well", async () => {
  const rig = new Rig();
  rig.store.after = (request, answer) =>
    request.method === "HEAD" ? { ...answer, headers: { date: "" } } : answer;
  rig.pipeline.start();
  await rig.feed(3);
  await rig.double.clock.advance(500);
  const statuses = rig.store.requests.filter(({ method }) => method === "PUT").length;
  assert.equal(rig.stream.uploaded, 1);
  assert.equal(statuses, 3, "refused, then the boot record, then stored");
  assert.deepEqual(rig.stream.dropped, []);
  assert.equal(rig.stage("STAGE_CLOCK").state, StageState.STAGE_OK);
  await rig.stop();
});

test("a store without any Date is used all the same while it takes the floor's time", async () => {
  const rig = new Rig({ storeS: BUILD_S });
  rig.store.after = (_, answer) => ({ ...answer, headers: { date: "soon" } });
  rig.pipeline.start();
  await rig.feed(6);
  await rig.stop();
  assert.equal(rig.stream.uploaded, 3);
  assert.equal(rig.opened()[0]?.metadata.timeQuality, TimeQuality.TIME_UNKNOWN);
  assert.equal(rig.stage("STAGE_CLOCK").state, StageState.STAGE_STARTING);
  const probes = rig.store.requests.filter(({ method }) => method === "HEAD");
  assert.equal(probes.length, 3, "it is not asked for ever");
});

test("a boot record maps the boot's clock to wall time, put once and before the footage", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(6);
  await rig.stop();
  const records = bootRecords(rig);
  assert.equal(records.length, 1);
  const [record] = records;
  assert.ok(record);
  const { monotonicUs, wallUs, timeQuality, build, startReason } = record;
  assert.ok(Math.abs(wallUs - monotonicUs - STORE_S * 1e6) <= 1e6);
  assert.equal(timeQuality, TimeQuality.TIME_STORE);
  assert.equal(build, "0.1.0+test");
  assert.equal(startReason, "power");
  assert.ok(!isRefused(parseBootObjectName(rig.store.names[0] ?? "")));
});

test("a boot record whose answer was lost is put again with the same bytes", async () => {
  const rig = new Rig();
  let lost = 0;
  rig.store.after = (request, answer) =>
    request.path.includes("/boot/") && lost++ === 0 ? { ...answer, hangUp: true } : answer;
  rig.pipeline.start();
  await rig.feed(6);
  await rig.stop();
  assert.equal(bootRecords(rig).length, 1);
  const bodies = rig.store.requests.filter(({ path }) => path.includes("/boot/"));
  assert.equal(bodies.length, 2);
  assert.deepEqual(bodies[0]?.body, bodies[1]?.body);
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
});

test("the floor is persisted once the store has kept to its time for a day, then hourly, and at the end", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(6);
  await rig.double.clock.advance(24 * 3_600_000);
  assert.deepEqual(rig.floors, []);
  await rig.feed(6);
  await rig.double.clock.advance(600_000);
  assert.equal(rig.floors.length, 1);
  const atUs = STORE_S * 1e6 + rig.double.clock.nowUs();
  const behindUs = atUs - (rig.floors[0] ?? 0);
  assert.ok(behindUs >= 59e6 && behindUs <= 661e6, `${behindUs} µs behind`);
  await rig.double.clock.advance(3_600_000);
  assert.equal(rig.floors.length, 2);
  await rig.double.clock.advance(300_000);
  await rig.stop();
  assert.equal(rig.floors.length, 3);
  assert.deepEqual(
    [...rig.floors].sort((a, b) => a - b),
    rig.floors,
  );
});

test("a store whose time is before the floor is told, and its time is not taken", async () => {
  const rig = new Rig({ storeS: BUILD_S - 4_000 });
  rig.pipeline.start();
  await rig.feed(3);
  assert.equal(rig.stage("STAGE_CLOCK").cause, "clock-before-floor");
  assert.equal(rig.stage("STAGE_UPLOAD").cause, "store-clock");
  assert.equal(rig.pipeline.snapshot().timeQuality, TimeQuality.TIME_UNKNOWN);
  assert.deepEqual(rig.floors, []);
  // Its clock is set right.
  rig.storeS = STORE_S;
  await rig.double.clock.advance(70_000);
  assert.equal(rig.stage("STAGE_CLOCK").state, StageState.STAGE_OK);
  assert.ok(Number(rig.stream.uploaded) > 0);
  await rig.stop();
});

test("a store whose time is past its own certificate's end never raises the floor", async () => {
  const rig = new Rig({ storeS: STORE_S + 20 * 365 * 86_400 });
  rig.store.listen({
    certificate: { notBeforeS: STORE_S - 86_400, notAfterS: STORE_S + 365 * 86_400 },
  });
  rig.pipeline.start();
  await rig.feed(30);
  assert.deepEqual(rig.floors, []);
  assert.equal(rig.stage("STAGE_UPLOAD").cause, "tls-certificate-expired");
  assert.equal(rig.pipeline.snapshot().timeQuality, TimeQuality.TIME_UNKNOWN);
  rig.storeS = STORE_S;
  await rig.double.clock.advance(70_000);
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
  await rig.stop();
});

test("a certificate that has expired by the time is refused, although the floor is older", async () => {
  const rig = new Rig();
  rig.store.listen({ certificate: { notAfterS: STORE_S - 1 } });
  rig.pipeline.start();
  await rig.feed(10);
  const stage = rig.stage("STAGE_UPLOAD");
  assert.equal(stage.state, StageState.STAGE_TROUBLE);
  assert.equal(stage.cause, "tls-certificate-expired");
  assert.equal(rig.store.names.length, 0, "no footage went through it");
  rig.store.listen({ certificate: { notAfterS: STORE_S + 86_400 } });
  await rig.double.clock.advance(70_000);
  assert.equal(rig.stage("STAGE_UPLOAD").state, StageState.STAGE_OK);
  await rig.stop();
});

test("a store's clock that is set is followed when it refuses for it, and a second boot record says so", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(6);
  rig.storeS += 7_200;
  const movedUs = rig.double.clock.nowUs();
  await rig.feed(12);
  await rig.stop();
  assert.equal(rig.known.length, 2);
  assert.ok((rig.known[1] ?? 0) >= movedUs, "since the answer that brought the new time");
  const records = bootRecords(rig);
  assert.equal(records.length, 2);
  const offsets = records.map(({ monotonicUs, wallUs }) => (wallUs - monotonicUs) / 1e6 - STORE_S);
  assert.deepEqual(
    offsets.map((one) => Math.round(one) + 0),
    [0, 7_200],
  );
  const walls = rig.opened().map(({ metadata }) => metadata.wallUs);
  assert.ok(Number(walls.at(-1)) - Number(walls[0]) > 7_000e6);
  assert.deepEqual(rig.stream.dropped, []);
});

test("a store's clock that differs a little is doubted first", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(6);
  rig.storeS += 60;
  await rig.feed(4);
  assert.equal(rig.stage("STAGE_CLOCK").cause, "clock-doubted");
  await rig.feed(16);
  assert.equal(rig.stage("STAGE_CLOCK").state, StageState.STAGE_OK);
  assert.equal(bootRecords(rig).length, 2);
  await rig.stop();
});

test("a boot record that the store does not take gives way to a newer one: two wait at most", async () => {
  const rig = new Rig();
  let refuses = true;
  rig.store.answer = ({ method }) => {
    if (method !== "PUT" || !refuses) return null;
    // Its clock runs away, so that each answer is a reason to say the time anew.
    rig.storeS += 3_600;
    const date = new Date(rig.storeS * 1000 + rig.double.clock.nowUs() / 1000).toUTCString();
    return { status: 403, code: "RequestTimeTooSkewed", headers: { date } };
  };
  rig.pipeline.start();
  await rig.double.clock.advance(30 * 60_000);
  const tried = new Set(
    rig.store.requests.filter(({ path }) => path.includes("/boot/")).map(({ path }) => path),
  );
  assert.ok(tried.size > 5, `${tried.size} were made`);
  refuses = false;
  await rig.double.clock.advance(10 * 60_000);
  const kept = [...rig.store.objects.keys()].filter((name) => name.includes("/boot/"));
  assert.ok(kept.length >= 1 && kept.length <= 2, kept.join(" "));
  await rig.stop();
});
