/**
 * Sudden ends: the agent killed, the encoder killed, a reboot by command, a start as root. No number is used twice, no
 * acknowledged footage is lost, and everything comes back by itself.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ocellus } from "#proto";
import { listeningSockets, userIdsOf } from "../../scripts/camera/observe.ts";
import { fetchFootage } from "../../scripts/owner/fetch.ts";
import { Refusal } from "../../scripts/owner/open.ts";
import { findSegments, type Segment } from "../../scripts/owner/recordings.ts";
import { packets } from "../owner/support/ffmpeg.ts";
import { look } from "../owner/support/footage.ts";
import { type Rig, until, withRig } from "./support/rig.ts";

/** All footage of all boots, which must be verifiable. */
async function everything(rig: Rig): Promise<Segment[]> {
  const found: Segment[] = [];
  const wanted = { stream: 0, from_us: 0, to_us: Number.MAX_SAFE_INTEGER };
  for await (const one of findSegments(rig.view, wanted)) {
    if (one instanceof Refusal) throw one;
    found.push(one);
  }
  return found;
}

test("an agent that is killed is started again as another boot, which uses no number, nonce or key of the first", async () => {
  await withRig({}, async (rig) => {
    await rig.record();
    for (const boot of [1, 2, 3]) {
      await rig.untilStatus(`boot ${boot}`, (status) => status.boot === boot);
      await rig.untilStored(2);
      rig.host.agent?.signal("SIGKILL");
    }
    await rig.untilStatus("boot 4", (status) => status.boot === 4);
    await rig.untilStored(1);
    // Each boot whole, with what it sealed again.
    const all: Segment[] = [];
    for (const boot of [1, 2, 3, 4]) all.push(...(await rig.segments({ boot })));
    assert.deepEqual([...new Set(all.map(({ name }) => name.boot))], [1, 2, 3, 4]);
    const places = all.map(({ name }) => `${name.boot} ${name.seq}`);
    assert.equal(new Set(places).size, places.length);
    const ephemerals = new Map<string, number>();
    for (const { name, head } of all) {
      const key = Buffer.from(head.header.ephemeral).toString("hex");
      assert.equal(ephemerals.get(key) ?? name.boot, name.boot, "an ephemeral key of another boot");
      ephemerals.set(key, name.boot);
    }
    assert.equal(rig.exits.length, 3);
    const { startReason = "" } = rig.status()?.secret ?? {};
    assert.match(startReason, /crash: killed by SIGKILL/);
  });
});

test("what was acknowledged before a kill is there after it, and a gap is only what was open or waiting", async () => {
  await withRig({}, async (rig) => {
    await rig.record();
    const stored = await rig.untilStored(3);
    rig.host.agent?.signal("SIGKILL");
    await rig.untilStatus("boot 2", (status) => status.boot === 2);
    await rig.untilStored(1);
    const { notes } = await look(rig.view, { boot: 1 });
    const ended = notes.json.flatMap((one) => (one.note === "no-orderly-end" ? [one.boot] : []));
    assert.deepEqual(ended, [1], "what was waiting is told to be lost");
    const all = (await rig.segments({ boot: 1 })).map(({ name }) => name.object);
    for (const { object } of stored) assert.ok(all.includes(object));
  });
});

test("an encoder that is killed is started again, and footage goes on in the same boot after a gap", async () => {
  await withRig({}, async (rig) => {
    await rig.record();
    await rig.untilStored(1);
    rig.host.encoder?.signal("SIGKILL");
    await until(
      "the word that it went away",
      () => rig.lines.some((line) => /No pictures: .*encoder/.test(line)),
      20_000,
    );
    await rig.untilStored(2);
    const segments = await rig.segments();
    assert.deepEqual([...new Set(segments.map(({ name }) => name.boot))], [1]);
    const ends = segments.map(({ metadata }) => metadata.end);
    assert.ok(ends.includes(ocellus.v1.SegmentEnd.END_ENCODER), ends.join());
    rig.assertNeverRestarted();
  });
});

test("without an encoder the camera says that there are no pictures, until there is one again", async () => {
  await withRig({}, async (rig) => {
    await rig.record();
    await rig.untilStored(1);
    await rig.host.stopEncoder();
    const reason = await rig.untilStatus("trouble of capture", () => {
      const { capture } = rig.stages();
      return capture && !capture.ok && capture.cause === "no-encoder" && capture.reason;
    });
    assert.match(reason, /No pictures/);
    await rig.play();
    await rig.untilStatus("capture well", () => rig.stages().capture?.ok, 60_000);
    await rig.untilStored(1);
    rig.assertNeverRestarted();
  });
});

test("a reboot by command gives another boot, says why, and the chain goes on over it", async () => {
  await withRig({}, async (rig) => {
    await rig.record();
    await rig.untilStored(2);
    const reply = await rig.talk.send(rig.paired, { action: "reboot", reboot: {} }, 15_000);
    assert.equal(reply.result, ocellus.v1.Result.RESULT_OK);
    await rig.untilStatus("boot 2", (status) => status.boot === 2);
    assert.match(rig.status()?.secret?.startReason ?? "", /reboot/);
    // The new boot seals first what the ring still holds of the old one's footage, which is listed once.
    const all = await until(
      "footage that only the new boot has",
      async () => {
        const listed = await everything(rig);
        return listed.at(-1)?.name.boot === 2 && listed;
      },
      60_000,
    );
    const [first] = await rig.segments({ boot: 2 });
    const old = (await rig.segments({ boot: 1 })).at(-1)?.metadata;
    assert.ok(first && old && first.metadata.captureUs < old.captureUs + old.durationUs);
    for (const [i, { start_us }] of all.entries()) {
      const before = all[i - 1];
      assert.ok(!before || start_us >= before.start_us + before.duration_us - 1e3, `segment ${i}`);
    }
    const [oldest, newest] = [all[0], all.at(-1)];
    assert.ok(oldest && newest);
    const [from_us, to_us] = [oldest.start_us, newest.start_us + newest.duration_us];
    const file = join(rig.directory, "both.mp4");
    const how = { stretchGaps: true, withoutRefused: false };
    const told = await fetchFootage(rig.view, { stream: 0, from_us, to_us }, file, how);
    const length_us = to_us - from_us;
    assert.ok(Math.abs(told.duration_us - length_us) < 1e3, `${told.duration_us} of ${length_us}`);
    const shown = await packets(file);
    assert.equal(shown.length, told.frames);
    assert.ok(shown.every(({ time_s }, i) => i === 0 || time_s > (shown[i - 1]?.time_s ?? 0)));
    // An orderly end persists the chain's head, so the new boot's first segment points at the old boot's last.
    assert.notDeepEqual(Buffer.from(first.head.header.previous), Buffer.alloc(32));
  });
});

test("a camera that is told to stop seals and uploads what is open", async () => {
  await withRig({}, async (rig) => {
    await rig.record();
    await rig.untilStored(1);
    await rig.host.stopAgent();
    const all = await everything(rig);
    const { notes } = await look(rig.view);
    assert.deepEqual(notes.json, []);
    assert.equal(all.at(-1)?.metadata.end, ocellus.v1.SegmentEnd.END_SHUTDOWN);
  });
});

test("started as root, the agent gives root up before it connects, and listens nowhere", async () => {
  await withRig({ host: { startAsRoot: true } }, async (rig) => {
    await rig.record();
    await rig.untilStored(1);
    const pid = rig.host.agent?.pid ?? 0;
    const ids = await until("ids", () => userIdsOf(pid), 5_000);
    assert.equal(ids.length, 4);
    for (const id of ids) assert.notEqual(id, 0);
    assert.deepEqual(await listeningSockets(rig.host.pids), []);
  });
});
