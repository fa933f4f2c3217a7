/** What state files say, read by the agent's own code. */
import { startBoot } from "../../../agent/identity/boot.ts";
import { files as stateFiles } from "../../../agent/identity/files.ts";
import { loadOwnership } from "../../../agent/identity/ownership.ts";
import { loadRecipients } from "../../../agent/identity/recipients.ts";
import { keptFromFile } from "../../../agent/identity/trial.ts";
import { settingsFromFile } from "../../../agent/settings/settings.ts";
import { nodeCrypto } from "../../agent/double/crypto.ts";
import type { Files } from "./config-checker.ts";
import { numberOf } from "./config-run.ts";

export interface Kept {
  readonly ownership: "unpaired" | "claiming" | "paired" | "broken";
  /** Of the newest boot; 0 before the first. */
  readonly boot: number;
  readonly recipientsVersion: number;
  /** Of the settings. */
  readonly generation: number;
  /** Number of the newest access (config-run.ts). */
  readonly access: number;
  /** What a start of the camera would complain of. */
  readonly complaints: readonly string[];
}

export function keptIn(files: Files): Kept {
  const native = {
    ...nodeCrypto(),
    readState: (name: string) => {
      const content = files.get(name);
      if (content === undefined) return null;
      return typeof content === "string"
        ? { error: "io" as const, text: content }
        : new Uint8Array(content);
    },
    writeState: () => undefined,
    setDeviceSeed: () => undefined,
    wipe: () => undefined,
  };
  const complaints: string[] = [];
  const complain = (why: string) => {
    complaints.push(why);
  };
  const ownership = loadOwnership(native);
  if (ownership.is === "broken") complain(ownership.why);
  for (const file of Object.values(stateFiles)) {
    const loaded = file.load(native);
    if (loaded.is === "bad") complain(loaded.why);
  }
  const counters = stateFiles.counters.load(native);
  const settings = stateFiles.settings.load(native);
  const access = stateFiles.access.load(native);
  const known = settings.is === "ok" ? settingsFromFile(settings.value) : null;
  if (known !== null && "mistake" in known) complain(known.mistake);
  const kept = access.is === "ok" ? keptFromFile(access.value) : null;
  if (access.is === "ok" && kept === null) complain("access is not whole");
  const newest = counters.is === "ok" ? counters.value.recipientsVersion : 0;
  let version = 0;
  if (ownership.is === "claiming" || ownership.is === "paired") {
    const { identity } = ownership;
    const boot = startBoot(native, identity);
    if ("refused" in boot) complain(boot.refused);
    else for (const warning of boot.warnings) complain(warning);
    if (kept === null) complain("there is no access");
    if (ownership.is === "paired") {
      const { rootKey, tenant, box } = identity;
      const list = loadRecipients(native, { rootKey, tenant, boxSecret: box.secretKey }, newest);
      if ("mistake" in list) complain(list.mistake);
      else version = list.version;
    }
  }
  return {
    ownership: ownership.is,
    boot: counters.is === "ok" ? counters.value.boot : 0,
    recipientsVersion: version,
    generation: known === null || "mistake" in known ? 0 : known.generation,
    access: numberOf(kept?.current.store.caPem ?? ""),
    complaints,
  };
}
