/** What a camera gave up reaches its owner by number and reason: from the arena's answer to the signed, sealed status. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ocellus } from "#proto";
import { describe, statusJson } from "../../../scripts/cli/status.ts";
import { CameraRig, type Host } from "./rig.ts";

const { DropReason } = ocellus.v1;

for (const host of ["node", "quickjs"] satisfies Host[])
  test(`a segment that cannot hold what the encoder makes is told as too long, with its number (${host})`, async () => {
    const rig = new CameraRig();
    await rig.pair(host);
    await rig.feed(6);
    const dropped = () => rig.status().secret?.streams[0]?.dropped ?? [];
    assert.deepEqual(dropped(), []);
    // Not even a segment's first fragment fits now, so its number is given up.
    rig.double.arena.chunksMax = 1;
    await rig.feed(8);
    rig.double.arena.chunksMax = 1_536;
    await rig.feed(6);
    await rig.until(() => dropped().length > 0);
    assert.equal(dropped().length, 1);
    const [{ first, last, reason }] = dropped() as [ocellus.v1.Range.$Properties];
    assert.equal(reason, DropReason.DROP_TOO_LONG);
    const stored = new Set(rig.segmentRecords().map(({ seq }) => seq));
    const status = rig.status().secret?.streams[0];
    for (let seq = 0; seq <= Number(status?.headSeq); seq++)
      assert.equal(stored.has(seq), seq < Number(first) || seq > Number(last), `number ${seq}`);
    const count = Number(last) - Number(first) + 1;
    const { camera, tenant } = rig.owner;
    assert.ok(rig.claimed);
    const state = {
      trusted: { name: "porch", camera, tenant, ...rig.claimed },
      status: { ...rig.status(), foreign: false },
      connected: true,
      clock: null,
    };
    const inWords = `${count} dropped (${count} too much for one segment)`;
    assert.ok(describe(state).includes(inWords), describe(state));
    const ranges = statusJson(state).status?.streams?.map((stream) => stream.dropped);
    assert.deepEqual(ranges, [[{ first, last, reason: "too-long" }]]);
    rig.end();
  });
