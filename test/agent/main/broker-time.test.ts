/** A broker is judged by the time as soon as there is one, and by a camera that can still do without. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { CameraRig, type Host, STORE_S } from "./rig.ts";

const { StageState } = ocellus.v1;

/** What a thief may hold: a certificate that was good when the image was built and has ended since. */
const ENDED = { notAfterS: STORE_S - 86_400 };
const EXPIRED = "tls-certificate-expired";

/** A paired camera at its next start, at a broker that shows `certificate`. */
async function restarted(
  host: Host,
  certificate: object,
  prepare: (rig: CameraRig) => void = () => {},
): Promise<CameraRig> {
  const first = new CameraRig();
  await first.pair();
  return first.reboot(host, {}, (rig) => {
    rig.broker.manners.certificate = certificate;
    prepare(rig);
  });
}

/** The store answers nothing until it is told to. */
function silentStore(rig: CameraRig): () => void {
  rig.store.after = (_request, answer) => ({ ...answer, silent: true });
  return () => {
    rig.store.after = (_request, answer) => answer;
    rig.store.peer?.fail("reset");
  };
}

/** Waits until a better certificate has let the camera tell what was wrong. */
async function tellsExpired(rig: CameraRig): Promise<void> {
  rig.broker.manners.certificate = {};
  await rig.until(() => rig.broker.isConnected && rig.statuses().length > 0, 90_000);
  await rig.until(() => rig.control().cause === EXPIRED);
  assert.equal(rig.control().state, StageState.STAGE_OK);
}

for (const host of ["node", "quickjs"] satisfies Host[]) {
  test(`${host}: the first CONNECT waits for the time, so a broker whose certificate has ended gets no password`, async () => {
    const rig = await restarted(host, ENDED);
    await rig.feed(8);
    assert.deepEqual(rig.broker.connects, []);
    assert.match(rig.double.log, /No connection to the broker: .*tls-certificate-expired/);
    assert.ok(rig.segments.length > 0, "footage does not need the broker");
    await tellsExpired(rig);
    rig.end();
  });

  test(`${host}: a connection made before the time was known ends with it, and is not resumed`, async () => {
    let answer = () => {};
    const rig = await restarted(host, ENDED, (next) => {
      answer = silentStore(next);
    });
    await rig.advance(9_900);
    assert.equal(rig.broker.connects.length, 0);
    await rig.until(() => rig.broker.connects.length === 1, 1_000);
    await rig.advance(5_000);
    assert.ok(rig.broker.isConnected, "the floor has nothing against it");
    answer();
    await rig.until(() => rig.double.network.tlsTime.known, 120_000);
    await rig.advance(2_500);
    assert.equal(rig.broker.isConnected, false);
    await rig.feed(30);
    assert.equal(rig.broker.connects.length, 1, "it is not connected to again");
    await tellsExpired(rig);
    rig.end();
  });
}

test("a camera without a store comes to its broker within ten seconds and stays there", async () => {
  const rig = await restarted("node", {}, (next) => {
    next.double.network.remove("store.test", 9000);
  });
  await rig.until(() => rig.broker.isConnected, 10_100);
  await rig.advance(120_000);
  assert.equal(rig.broker.connects.length, 1);
  assert.equal((await rig.order({ ping: {} })).result, ocellus.v1.Result.RESULT_OK);
});

test("a store that knows no time costs ten seconds once", async () => {
  const rig = await restarted("node", {}, (next) => {
    next.store.after = (_request, answer) => ({ ...answer, headers: { date: "" } });
  });
  await rig.until(() => rig.broker.isConnected, 10_100);
  await rig.advance(60_000);
  assert.equal(rig.broker.connects.length, 1);
});

test("with a good certificate the time costs an adopted camera one connection, and no message", async () => {
  const rig = new CameraRig();
  await rig.pair();
  await rig.feed(20);
  assert.equal(rig.broker.connects.length, 2);
  assert.equal(rig.replies().length, 1, "the answer to the adoption left first");
  assert.equal(rig.segmentRecords().length, rig.segments.length);
  assert.equal(rig.control().cause, "");
  const again = await rig.reboot();
  await again.feed(20);
  assert.equal(again.broker.connects.length, 1, "and none where it is known before");
});

test("a broker that acknowledges nothing puts off being judged by two seconds", async () => {
  let answer = () => {};
  const rig = await restarted("node", ENDED, (next) => {
    answer = silentStore(next);
    next.broker.manners.puback = () => "silence";
  });
  await rig.until(() => rig.broker.isConnected, 11_000);
  answer();
  await rig.until(() => rig.double.network.tlsTime.known, 120_000);
  await rig.advance(2_500);
  assert.equal(rig.broker.isConnected, false);
});

test("after a jump of the clock the broker is judged by the new time", async () => {
  const rig = await restarted("node", { notAfterS: STORE_S + 3_600 });
  await rig.feed(8);
  assert.ok(rig.broker.isConnected);
  rig.storeS += 7_200;
  await rig.feed(20);
  assert.equal(rig.broker.isConnected, false);
  await tellsExpired(rig);
});

test("a camera that was told to stop does not connect any more", async () => {
  const rig = await restarted("node", {}, (next) => void silentStore(next));
  await rig.advance(5_000);
  rig.double.askToStop();
  await assert.rejects(rig.advance(60_000), /exits with 0/);
  assert.deepEqual(rig.broker.connects, []);
});
