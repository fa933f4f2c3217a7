/** A camera that is switched on again after a cut comes to be paired. */
import type { ConfigLife, ConfigRun } from "./config-run.ts";
import type { ConfigWorld } from "./config-world.ts";
import { imageAt, seeded } from "./cuts.ts";
import type { Kept } from "./kept.ts";
import type { OwnedCut } from "./power-cuts.ts";

/**
 * Throws where the camera is not paired in time.
 * @param seed of what is torn
 * @returns what it wrote meanwhile, which may be cut again
 */
export async function recover(
  world: ConfigWorld,
  life: ConfigLife,
  { cut, ownership }: OwnedCut,
  seed: number,
): Promise<ConfigRun> {
  await world.start(imageAt(life.before, life.operations, cut, seeded(seed)));
  try {
    // As far as its owner is with a camera that is in this state.
    await world.pair(ownership === "unpaired" ? world.owner : life.answered);
  } finally {
    await world.camera.stop();
  }
  const { operations } = await world.writes();
  const paired = {
    operations: operations.length,
    what: "paired after a cut",
    holds: (kept: Kept) => kept.ownership === "paired",
  };
  return { ...(await world.writes()), pledges: [paired] };
}

/**
 * Cuts that leave a camera in each state on its way to its owner: torn inside its first format, the last ones without an
 * identity, the last ones without an owner, the first ones with him.
 */
export function onTheWay(owned: readonly OwnedCut[], each: number): OwnedCut[] {
  const torn = (ownership: OwnedCut["ownership"]) =>
    owned.filter((one) => one.cut.tear !== "none" && one.ownership === ownership);
  return [
    ...torn("unpaired").slice(0, each),
    ...torn("unpaired").slice(-each),
    ...torn("claiming").slice(-each),
    ...torn("paired").slice(0, each),
  ];
}
