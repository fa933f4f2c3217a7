import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig } from "./rig.ts";

test("footage goes from the encoder to the store, and only its owner opens it", async () => {
  const rig = new Rig();
  rig.pipeline.start();
  await rig.feed(10.2);
  await rig.double.clock.advance(500);
  const opened = rig.opened();
  console.log(
    opened.map(({ name, metadata }) => [
      name.seq,
      metadata.durationUs,
      metadata.wallUs,
      metadata.fragments.length,
      metadata.end,
    ]),
  );
  console.log(
    rig.store.requests.map((r) => `${r.method} ${r.path}`),
    rig.double.log,
    rig.pipeline.snapshot(),
  );
  console.log(rig.double.network.attempts, rig.floors, rig.heads.length, rig.changes, rig.proven);
  assert.equal(opened.length, 3);
  const stopped = rig.pipeline.stop(3000);
  await rig.double.clock.advance(3000);
  await stopped;
  console.log(rig.opened().length, rig.double.clock.timers);
});
