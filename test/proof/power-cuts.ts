/** Config over power cuts, all of them: test/boot/power-cut.test.ts looks at some. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ConfigRun, liveConfig } from "../boot/support/config-run.ts";
import { ConfigWorld } from "../boot/support/config-world.ts";
import { type Choice, checkCuts, told } from "../boot/support/power-cuts.ts";
import { onTheWay, recover } from "../boot/support/recovery.ts";
import type { Proof } from "./proof.ts";

const COMMANDS = 16;
/** Starts of the camera in each state on its way to its owner. */
const STARTS = 5;

export const powerCuts: Proof = {
  name: "power-cuts",
  shows: "config is the old or the new, whole, wherever the power goes, and again in the recovery",
  minutes: 20,
  async run(directory) {
    const world = await ConfigWorld.create();
    try {
      const seed = Date.now() % 2 ** 32;
      const everything: Choice = { seed, around: () => true, tears: 4 };
      const life = await liveConfig(world, COMMANDS);
      const all = await checkCuts([life], everything);
      const runs: ConfigRun[] = [];
      for (const owned of onTheWay(all.owned, STARTS))
        runs.push(await recover(world, life, owned, seed));
      const again = await checkCuts(runs, everything);
      const faults = [...all.faults, ...again.faults];
      await writeFile(join(directory, "faults.txt"), faults.map((fault) => `${fault}\n`).join(""));
      const [first] = faults;
      return {
        fault: first === undefined ? null : `${faults.length} of them, the first: ${first}`,
        measured: `seed ${seed}; ${life.operations.length} operations: ${told(all)}; ${runs.length} recoveries: ${told(again)}`,
      };
    } finally {
      await world.stop();
    }
  },
};
