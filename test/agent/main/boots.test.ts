import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { files } from "../../../agent/identity/files.ts";
import { Owner } from "../owner.ts";
import { openHeader } from "./headers.ts";
import { CameraRig, exitOf, type Host } from "./rig.ts";

const { Pairing, Result } = ocellus.v1;

async function paired(): Promise<CameraRig> {
  const rig = new CameraRig();
  await rig.pair();
  await rig.feed(6);
  return rig;
}

test("each boot has its own number and the chain goes on over it", async () => {
  const rig = await paired();
  rig.double.askToStop();
  await exitOf(rig);
  const last = rig.segments.at(-1) ?? "";
  const again = await rig.reboot("quickjs");
  await again.feed(6);
  assert.equal(again.status().boot, 2);
  const [first = ""] = again.segments;
  assert.match(first, /\/0000000002\/0000000000-/);
  const previous = openHeader(again.store.objects.get(first)).previous;
  const head = openHeader(rig.store.objects.get(last)).hash;
  assert.deepEqual(previous, head);
  again.end();
});

test("after a crash the chain goes on from the head that was kept", async () => {
  const rig = await paired();
  await rig.feed(10);
  // No goodbye: the process is gone.
  const again = await rig.reboot();
  await again.feed(6);
  const [first = ""] = rig.segments;
  const [next = ""] = again.segments;
  assert.deepEqual(
    openHeader(again.store.objects.get(next)).previous,
    openHeader(rig.store.objects.get(first)).hash,
    "the first segment's head is on flash, later ones after ten minutes",
  );
});

test("a time that the store kept to for a day is a floor for the next boot, which starts in 1970", async () => {
  const rig = await paired();
  await rig.advance(24 * 3_600_000);
  await rig.feed(6);
  rig.double.askToStop();
  await exitOf(rig);
  const kept = files.counters.load(rig.double.native);
  assert.ok(kept.is === "ok" && kept.value.timeFloorUs > 1_795_000_000_000_000);
  const again = new CameraRig(rig.owner, { state: rig.double.state });
  again.double.network.remove("store.test", 9000);
  await again.start();
  const { seconds, known } = again.double.network.tlsTime;
  assert.equal(known, false);
  assert.equal(seconds, Math.floor(kept.value.timeFloorUs / 1e6));
});

test("damaged counters: nothing is recorded or sent, and the log says why, again and again", async () => {
  const rig = await paired();
  rig.double.state.set("counters", new Uint8Array(30));
  const again = await rig.reboot();
  await again.feed(5);
  assert.deepEqual(again.double.network.attempts, []);
  assert.match(again.double.log, /"counters" is damaged.*Nothing is recorded/);
  await again.advance(3_600_000);
  assert.equal(again.double.log.split("counters").length, 3);
});

test("without a valid recipients' list nothing is recorded until the root key sends one", async () => {
  const rig = await paired();
  rig.double.state.set("recipients", new Uint8Array(30));
  const again = await rig.reboot();
  await again.feed(5);
  assert.deepEqual(again.segments, []);
  assert.match(again.double.log, /"recipients" is damaged.*Nothing is recorded/);
  const { open, secret } = again.status();
  assert.equal(open.pairing, Pairing.PAIRING_PAIRED);
  assert.equal(open.recipientsVersion, 0);
  assert.equal(open.recipientsHash.length, 0);
  assert.equal(secret, null);
  // The list that was taken before is no rollback here only if it is newer than the counter.
  const root = { signer: rig.owner.root };
  const reply = await again.order({ recipients: rig.owner.list({ version: 2 }) }, root);
  assert.equal(reply.result, Result.RESULT_OK);
  await again.feed(6);
  assert.ok(again.segments.length > 0);
});

test("a list put back to an older version on flash is refused", async () => {
  const rig = await paired();
  const old = rig.double.state.get("recipients") ?? new Uint8Array(0);
  await rig.order({ recipients: rig.owner.list({ version: 2 }) });
  rig.double.state.set("recipients", old);
  const again = await rig.reboot();
  await again.feed(5);
  assert.deepEqual(again.segments, []);
  assert.match(again.double.log, /version 1, but 2 was taken before/);
});

test("damaged settings and chain are said and replaced by defaults", async () => {
  const rig = await paired();
  await rig.order({ settings: { segmentS: 20 } });
  rig.double.state.set("settings", new Uint8Array(12));
  rig.double.state.set("chain", new Uint8Array(12));
  rig.double.state.set("seed", new Uint8Array(12));
  const again = await rig.reboot();
  await again.feed(6);
  for (const name of ["settings", "chain", "seed"]) {
    assert.match(again.double.log, new RegExp(`"${name}" is damaged`));
  }
  assert.equal(again.status().secret?.settings?.segmentS, 4);
  const [first = ""] = again.segments;
  assert.deepEqual(openHeader(again.store.objects.get(first)).previous, new Uint8Array(32));
});

test("damaged access or identity: the camera says that only a reset helps", async () => {
  for (const name of ["access", "identity", "adoption"]) {
    const rig = await paired();
    rig.double.state.set(name, new Uint8Array(30));
    const again = await rig.reboot();
    await again.advance(10_000);
    assert.deepEqual(again.double.network.attempts, [], name);
    assert.match(again.double.log, new RegExp(`"${name}" is damaged.*Reset the camera`));
    assert.ok(again.double.state.has(name), "nothing is made anew");
  }
});

test("a reset erases everything, ends, and leaves a camera that a new owner can pair", async () => {
  const rig = await paired();
  const reset = new CameraRig(new Owner("new owner"), {
    state: rig.double.state,
    options: { reset: true },
  });
  // `exit` never returns; in Node it throws out of the start.
  await assert.rejects(() => reset.start(), /exits with 0/);
  assert.deepEqual([...rig.double.state.keys()], []);
  const next = new CameraRig(new Owner("new owner"), { state: rig.double.state });
  await next.pair();
  await next.feed(6);
  assert.ok(next.segments.length > 0);
});

test("a start that finds a reset under way finishes it and goes on", async () => {
  const rig = await paired();
  rig.double.state.set("reset", Uint8Array.of(1));
  const next = new CameraRig(new Owner("new owner"), { state: rig.double.state });
  await next.pair();
  assert.match(next.double.log, /was reset/);
  assert.equal(next.status().boot, 1);
});

test("a provisioning file for another camera is refused by name, and the camera goes on", async () => {
  const rig = await paired();
  rig.double.provisioning = new Owner("stranger").provisioningFile();
  const again = await rig.reboot();
  await again.feed(6);
  assert.match(again.double.log, /for camera [0-9a-f]{32}, but this is camera [0-9a-f]{32}/);
  assert.ok(again.segments.length > 0);
});

for (const host of ["node", "quickjs"] satisfies Host[]) {
  test(`${host}: what ended an earlier run is said at the start and reaches the owner, until the camera is reset`, async () => {
    const rig = await paired();
    const line = "uncaught: TypeError: not a function | at push (agent.mjs:7)";
    rig.double.state.set("defect", new Uint8Array(Buffer.from(line)));
    const again = await rig.reboot(host);
    const said = `A run of this camera was ended by a defect, the last time: ${line}`;
    assert.ok(again.double.logged.some((entry) => entry.line === said));
    // A status tells the boot that an order must name.
    await again.until(() => again.statuses().length > 0);
    const log = Buffer.from((await again.order({ log: {} })).log).toString();
    assert.ok(log.includes(said), log);
    again.end();
    // A reset that was begun: this start finishes it and goes on, as nobody's camera.
    rig.double.state.set("reset", Uint8Array.of(1));
    const reset = await rig.reboot(host);
    assert.match(reset.double.log, /was reset/);
    assert.doesNotMatch(reset.double.log, /TypeError/);
    reset.end();
  });
}
