/**
 * A camera's life, as far as config goes: it formats its config, is paired, records, is given settings, recipients' lists and
 * access, starts anew, and writes so much meanwhile that the file system has to collect its garbage. Its owner notes what he
 * was promised, and when.
 */
import assert from "node:assert/strict";
import { ocellus } from "#proto";
import { toHex } from "../../../agent/identity/encoding.ts";
import { isRefused } from "../../../agent/seal/refusal.ts";
import { random } from "../../../scripts/owner/crypto.ts";
import { signList } from "../../../scripts/owner/lists.ts";
import type { Owner } from "../../../scripts/owner/owner.ts";
import { startTalk } from "../../../scripts/owner/talk.ts";
import { type ConfigWorld, type ConfigWrites, PATIENCE_MS } from "./config-world.ts";
import type { Kept } from "./kept.ts";

/** Of text behind the certificates, for more to write; a command has 16 KiB at most. */
const FILLER_BYTES = 3_000;
/** Writes 80 KiB over and over. */
const CHURN = "while dd if=/dev/urandom of=/config/churn bs=4096 count=20 2>/dev/null; do :; done";

/** What the owner was told: it must stand in config whatever happens from then on. */
export interface Pledge {
  /** Operations of the flash until then. */
  readonly operations: number;
  readonly what: string;
  holds(kept: Kept): boolean;
}

export interface ConfigRun extends ConfigWrites {
  readonly pledges: readonly Pledge[];
}

export interface ConfigLife extends ConfigRun {
  /** The owner once he has answered the claim, before he hears that the camera is paired. */
  readonly answered: Owner;
  /** Operations until the camera started for the second time. */
  readonly restarted: number;
}

/** The number behind access that `withNumber` made; 0 for other access. */
export const numberOf = (caPem: string): number => Number(/^# (\d+) /m.exec(caPem)?.[1] ?? 0);

const withNumber = (caPem: string, number: number) =>
  `${caPem}# ${number} ${toHex(random(FILLER_BYTES / 2))}\n`;

/** @param commands how many the owner sends. The camera is off afterwards. */
export async function liveConfig(world: ConfigWorld, commands: number): Promise<ConfigLife> {
  await world.start(null);
  const noted: { log_bytes: number; what: string; holds: Pledge["holds"] }[] = [];
  const pledge = async (what: string, holds: Pledge["holds"]) => {
    noted.push({ log_bytes: await world.log_bytes(), what, holds });
  };
  const { camera, answered, now } = await world.pair(world.owner);
  await pledge("paired", ({ ownership }) => ownership === "paired");
  const talk = await startTalk(now, [camera], true);
  let restarted_bytes = 0;
  try {
    const send = async (command: ocellus.v1.Command.$Properties) => {
      const reply = await talk.send(camera, command, PATIENCE_MS);
      assert.equal(reply.result, ocellus.v1.Result.RESULT_OK, reply.text);
    };
    let generation = 0;
    let version = 1;
    const change = async (number: number) => {
      if (number % 3 === 0) {
        const { store, broker } = world.access;
        const next = { store: { ...store, caPem: withNumber(store.caPem, number) }, broker };
        await send({ action: "access", access: next });
        await pledge(`access ${number}`, (kept) => kept.access >= number);
      } else if (number % 8 === 1) {
        const atLeast = ++version;
        const next = signList(now, version, Date.now() * 1000);
        await send({ action: "recipients", recipients: next });
        await pledge(`recipients ${version}`, (kept) => kept.recipientsVersion >= atLeast);
      } else {
        const atLeast = ++generation;
        await send({ action: "settings", settings: { segmentS: 4 + (generation % 5) } });
        await pledge(`settings ${generation}`, (kept) => kept.generation >= atLeast);
      }
    };
    let number = 1;
    while (number <= 4) await change(number++);
    await world.camera.machine?.reset();
    restarted_bytes = await world.log_bytes();
    const second = ({ status }: ReturnType<typeof talk.state>) =>
      status !== null && !isRefused(status) && status.boot >= 2 ? true : null;
    assert.ok(await talk.watch(camera, second, PATIENCE_MS), "it starts anew");
    await pledge("second boot", ({ boot }) => boot >= 2);
    await world.shell.run(`(${CHURN}) & true`);
    while (number <= commands) await change(number++);
  } finally {
    await talk.close();
    await world.camera.stop();
  }
  const pledges: Pledge[] = [];
  for (const { log_bytes, what, holds } of noted)
    pledges.push({ what, holds, operations: (await world.writes(log_bytes)).operations.length });
  const restarted = (await world.writes(restarted_bytes)).operations.length;
  return { ...(await world.writes()), pledges, answered, restarted };
}
