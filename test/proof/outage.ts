/**
 * Two hours without network restart neither the camera's machine nor its agent, and its footage goes on by itself afterwards.
 * The hours are the camera's own: QEMU lets its clock run ahead whenever it waits (-icount, QEMU's manual).
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Guest, uploaded } from "../boot/support/guest.ts";
import type { Proof, Verdict } from "./proof.ts";

const OUTAGE_S = 7_200;
/** Waiting takes none of our time. */
const FAST = ["-icount", "shift=auto,sleep=off"];
const LOOK_MS = 1_000;

export const outage: Proof = {
  name: "outage",
  shows: `an outage of ${OUTAGE_S / 3600} hours restarts nothing, and footage goes on after it`,
  minutes: 15,
  async run(directory) {
    const stops: (() => Promise<void>)[] = [];
    const holder = { after: (stop: () => Promise<void>) => void stops.push(stop) };
    try {
      const guest = await Guest.start(holder, { more: FAST });
      try {
        return await endure(guest);
      } finally {
        await writeFile(join(directory, "console.log"), guest.console.output);
      }
    } finally {
      for (const stop of stops) await stop();
    }
  },
};

async function endure(guest: Guest): Promise<Verdict> {
  const before = await guest.untilStatus("footage", (status) => uploaded(status) > 0);
  const begun_ms = Date.now();
  await guest.plug(false);
  const from_s = uptime(guest);
  let now_s = from_s;
  while (now_s - from_s < OUTAGE_S) {
    await sleep(LOOK_MS);
    guest.camera.check();
    now_s = uptime(guest);
  }
  await guest.plug(true);
  const took_ms = Date.now() - begun_ms;
  const after = await guest.untilStatus(
    "footage after the outage",
    (status) =>
      status.open.monotonicUs > now_s * 1_000_000 && uploaded(status) > uploaded(before) + 1,
  );
  const measured = `${(now_s - from_s).toFixed(0)} s without network in ${(took_ms / 60_000).toFixed(1)} min; boot ${before.boot} before and ${after.boot} after, ${guest.resets.length} resets, ${after.secret.streams[0]?.frames} frames, of which ${after.secret.streams[0]?.framesLost} lost, ${after.secret.rssKb} kB resident`;
  const restarted = after.boot !== before.boot || guest.resets.length > 0;
  return { fault: restarted ? "something was restarted." : null, measured };
}

/** By the newest of the kernel's lines: something is tried at least each minute, and told. */
function uptime({ console }: Guest): number {
  return Number([...console.output.matchAll(/^\[ *(\d+\.\d+)\]/gm)].at(-1)?.[1]);
}
