/**
 * What the process does from its start: finishes a reset, finds out whose camera this is, and runs it. Composition only:
 * what is decided is decided in the folders.
 */
import { startBoot } from "./identity/boot.ts";
import { DEFECT_FILE, files } from "./identity/files.ts";
import type { Identity } from "./identity/identity.ts";
import { loadOwnership } from "./identity/ownership.ts";
import { foreignProvisioning, forgetToken } from "./identity/provision.ts";
import { parseProvisioning } from "./identity/provisioning.ts";
import { reset, resetIsDue } from "./identity/reset.ts";
import { AccessTrial, keptFromFile } from "./identity/trial.ts";
import type { MakePipeline } from "./owned.ts";
import { OwnedCamera } from "./owned.ts";
import type { Native } from "./runtime/native.d.ts";
import { waitForProvisioning } from "./unpaired.ts";
import { beat, IDLE } from "./vitals.ts";

/** A camera that can do nothing says why so often. */
const REMIND_MS = 60 * 60 * 1_000;

/** Starts the camera. Returns at once; everything else happens in the turns of the poll loop. */
export function startCamera(native: Native, makePipeline: MakePipeline): void {
  // The oldest time that certificates are judged by, until the clock knows better.
  native.setTlsTime(native.options.buildTimeS, false);
  let owned: OwnedCamera | null = null;
  native.onStop(() => {
    if (owned === null) native.exit(0);
    else owned.stop("shutdown");
  });
  // Also of a camera without an identity, or one that can do nothing: to be started anew would not help it.
  beat(native, () => owned?.signs() ?? IDLE);

  if (!finishReset(native)) return;
  tellOfDefect(native);
  const run = (identity: Identity, paired: boolean) => {
    owned = runOwned(native, identity, paired, makePipeline);
  };
  const ownership = loadOwnership(native);
  switch (ownership.is) {
    case "unpaired":
      waitForProvisioning(native, (identity) => run(identity, false));
      break;
    case "broken":
      native.closeProvisioning();
      sayForEver(native, ownership.why);
      break;
    case "claiming":
      lookAtProvisioning(native, ownership.identity);
      native.closeProvisioning();
      run(ownership.identity, false);
      break;
    case "paired":
      lookAtProvisioning(native, ownership.identity);
      native.closeProvisioning();
      // It is still there where the power went between the last two writes of the adoption.
      run(forgetToken(native, ownership.identity), true);
      break;
  }
}

/** False where the process must not go on: it has exited, or a reset could not be finished. */
function finishReset(native: Native): boolean {
  const asked = native.options.reset;
  const due = resetIsDue(native);
  if (!asked && due === false) return true;
  if (!asked && typeof due !== "boolean") {
    sayForEver(native, `Whether a reset is under way cannot be read: ${due.text} Start it again.`);
    return false;
  }
  const failed = reset(native);
  if (failed !== null) {
    sayForEver(native, `The reset is not finished: ${failed.text} Start the camera again.`);
    return false;
  }
  native.log("warning", "The camera was reset: its keys, its owner and its settings are erased.");
  // Asked for on the command line it is all there was to do: a provisioning file that still lies there is the old one.
  if (asked) native.exit(0);
  return true;
}

/**
 * The log of a run that a defect ended is gone with it; its last line is on flash. Said at each start, also long after,
 * for the owner may read the log late; the start reason tells whether it was the run before this one.
 */
function tellOfDefect(native: Native): void {
  const line = native.readState(DEFECT_FILE);
  if (line === null) return;
  const what = "error" in line ? line.text : native.utf8Decode(line);
  native.log("warning", `A run of this camera was ended by a defect, the last time: ${what}`);
}

/** `null` where nothing may be done under this identity: the log says why. */
function runOwned(
  native: Native,
  identity: Identity,
  paired: boolean,
  makePipeline: MakePipeline,
): OwnedCamera | null {
  const access = files.access.load(native);
  const kept = access.is === "ok" ? keptFromFile(access.value) : null;
  if (kept === null) {
    const why = access.is === "bad" ? access.why : `The state file "access" cannot be used.`;
    sayForEver(native, `${why} Reset the camera and pair it again.`);
    return null;
  }
  const boot = startBoot(native, identity);
  if ("refused" in boot) {
    sayForEver(native, boot.refused);
    return null;
  }
  for (const warning of boot.warnings) native.log("warning", warning);
  const floorS = Math.floor(boot.counters.timeFloorUs / 1_000_000);
  native.setTlsTime(Math.max(native.options.buildTimeS, floorS), false);
  const camera = new OwnedCamera(native, {
    identity,
    paired,
    counters: boot.counters,
    trial: new AccessTrial(kept),
    makePipeline,
  });
  camera.start();
  return camera;
}

/** A provisioning file beside an identity is ignored, but one for another camera not silently. */
function lookAtProvisioning(native: Native, identity: Identity): void {
  const file = native.readProvisioning();
  if (file === null || "error" in file) return;
  const parsed = parseProvisioning(file, (bytes) => native.utf8Decode(bytes));
  native.wipe(file);
  const foreign = "mistakes" in parsed ? null : foreignProvisioning(identity, parsed);
  if (foreign !== null) native.log("error", foreign);
}

function sayForEver(native: Native, sentence: string): void {
  native.log("error", sentence);
  native.setTimer(REMIND_MS, () => sayForEver(native, sentence));
}
