/**
 * What happens at each start before anything is sealed: the boot counter is raised durably and the seed is rewritten
 * (identity/FORMAT.md, "State files"; seal/FORMAT.md, "Ids").
 */
import type { Native } from "../runtime/native.d.ts";
import { CounterFile } from "./counters.ts";
import { ascii, join } from "./encoding.ts";
import { files } from "./files.ts";
import type { Identity } from "./identity.ts";

export interface Boot {
  readonly counters: CounterFile;
  /** Sentences for the log. */
  readonly warnings: readonly string[];
}

/** Why nothing may be sealed in this run: one sentence. */
export interface BootRefused {
  readonly refused: string;
}

type Machine = Pick<
  Native,
  "readState" | "writeState" | "sha256" | "random" | "setDeviceSeed" | "wipe"
>;

const SEED = "seed";
const SEED_BYTES = 32;
const BOOT_MAX = 0xffff_ffff;
const KEPT_DOMAIN = ascii("ocellus/v1/seed\0");
const USED_DOMAIN = ascii("ocellus/v1/seed-in-use\0");

/**
 * Raises the counter and gives the generator its seed. A counter that is missing, damaged or cannot be written
 * refuses: numbers that may have been used already would name two objects alike.
 */
export function startBoot(native: Machine, identity: Identity): Boot | BootRefused {
  const file = files.counters.load(native);
  if (file.is !== "ok") {
    const why = file.is === "bad" ? file.why : `The state file "counters" is missing.`;
    return { refused: `${why} Nothing is recorded, since boot numbers could repeat.` };
  }
  // Named one by one: a decoded message holds its zeros in the prototype, where a spread does not look.
  const { timeFloorUs, recipientsVersion } = file.value;
  const boot = file.value.boot + 1;
  if (boot > BOOT_MAX) return { refused: "The boot counter has reached its end." };
  const counters = new CounterFile(native, { boot, timeFloorUs, recipientsVersion });
  const failed = counters.save();
  if (failed !== null) {
    return { refused: `The boot counter cannot be written (${failed.text}); nothing is recorded.` };
  }
  return { counters, warnings: renewSeed(native, identity, boot) };
}

/**
 * The new seed in the file follows FORMAT.md. What the generator gets is another hash of the same inputs, so that the
 * file, read from a stolen camera, does not hold what this boot's keys were hedged with.
 */
function renewSeed(native: Machine, identity: Identity, boot: number): string[] {
  const warnings: string[] = [];
  const kept = native.readState(SEED);
  let old: Uint8Array;
  if (kept instanceof Uint8Array && kept.length === SEED_BYTES) {
    old = kept;
  } else {
    // The first boot has none. Otherwise the owner's random bytes still hedge the generator.
    old = new Uint8Array(identity.deviceSeed);
    if (kept !== null) warnings.push(`The state file "seed" is damaged; the owner's seed is used.`);
  }
  const fresh = native.random(SEED_BYTES);
  const bootBytes = new Uint8Array(4);
  new DataView(bootBytes.buffer).setUint32(0, boot);
  const tail = join(old, fresh, bootBytes);
  const used = native.sha256(join(USED_DOMAIN, identity.deviceSeed, tail));
  const next = native.sha256(join(KEPT_DOMAIN, tail));
  const failed = native.writeState(SEED, next);
  if (failed !== undefined) {
    warnings.push(
      `The seed cannot be rewritten (${failed.text}); the system's generator still counts.`,
    );
  }
  native.setDeviceSeed(used);
  for (const secret of [old, fresh, tail, used, next]) native.wipe(secret);
  return warnings;
}
