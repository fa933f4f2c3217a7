/**
 * Config over power cuts: real writes of an emulated camera to its flash, cut after and inside of operations, each of which
 * leaves an image that the camera's own kernel mounts. A bounded part of `make proof PROOF=power-cuts`.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ConfigLife, type ConfigRun, liveConfig } from "./support/config-run.ts";
import { ConfigWorld } from "./support/config-world.ts";
import { type CutsReport, checkCuts, told } from "./support/power-cuts.ts";
import { onTheWay, recover } from "./support/recovery.ts";

const COMMANDS = 12;
const IMAGES_OF_CHANGES = 200;
const SEED = Date.now() % 2 ** 32;

let world: ConfigWorld;
let life: ConfigLife;
let report: CutsReport;

before(async () => {
  world = await ConfigWorld.create();
  life = await liveConfig(world, COMMANDS);
});
after(() => world.stop());

test("wherever the power goes, config is what it was or what it was to be, and what was confirmed is kept", async (t) => {
  const { operations, restarted } = life;
  const collected = operations.slice(restarted).filter(({ is }) => is === "erase").length;
  t.diagnostic(`${operations.length} operations, ${collected} blocks collected, seed ${SEED}`);
  // Else nothing was moved by the file system itself.
  assert.ok(collected >= 4, `${collected} blocks were erased by the garbage collector`);
  const rest = operations.length - restarted;
  report = await checkCuts([life], {
    seed: SEED,
    around: (operation, random) => operation < restarted || random() % rest < IMAGES_OF_CHANGES / 3,
    tears: 1,
  });
  t.diagnostic(told(report));
  assert.deepEqual(report.faults, []);
  assert.ok(report.states >= 10, `${report.states} states`);
});

test("a camera cut on its way to its owner comes to be paired, and may be cut again", async (t) => {
  const runs: ConfigRun[] = [];
  for (const owned of onTheWay(report.owned, 1)) {
    const { cut, ownership } = owned;
    t.diagnostic(`${ownership} after ${cut.operations} operations, ${cut.tear}`);
    runs.push(await recover(world, life, owned, SEED));
  }
  const again = await checkCuts(runs, {
    seed: SEED,
    around: (_, random) => random() % 8 === 0,
    tears: 1,
  });
  t.diagnostic(told(again));
  assert.deepEqual(again.faults, []);
});
