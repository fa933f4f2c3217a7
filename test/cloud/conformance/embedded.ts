/** The embedded store as a target. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCloud } from "../../../scripts/cloud/cloud.ts";
import type { Target } from "./target.ts";

const DAY_MS = 86_400_000;

/** Starts a cloud of its own in a temporary directory. */
export async function startEmbedded(): Promise<Target> {
  const state = await mkdtemp(join(tmpdir(), "ocellus-cloud-"));
  let ahead_ms = 0;
  const cloud = await startCloud({ state, now_ms: () => Date.now() + ahead_ms });
  const camera = async (digit: string) => {
    const id = digit.repeat(32);
    return { id, access: (await cloud.addCamera({ camera: id })).store };
  };
  return {
    name: "embedded store",
    differences: new Set(),
    tenant: cloud.tenant,
    owner: (await cloud.owner()).store,
    cameras: [await camera("a"), await camera("b")],
    stranger: (await cloud.owner("elsewhere")).store,
    async passDays(days) {
      ahead_ms += days * DAY_MS;
      await cloud.store.sweep();
      ahead_ms -= days * DAY_MS;
    },
    async stop() {
      await cloud.stop();
      await rm(state, { recursive: true, force: true });
    },
  };
}
