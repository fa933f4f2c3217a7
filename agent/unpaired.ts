/** A camera without an identity: says so, sends nothing, and looks for a provisioning file every few seconds. */
import { same } from "./identity/encoding.ts";
import type { Identity } from "./identity/identity.ts";
import { provision } from "./identity/provision.ts";
import { parseProvisioning } from "./identity/provisioning.ts";
import type { Native } from "./runtime/native.d.ts";

const LOOK_MS = 3_000;
/** The log says again so often that nobody owns this camera. */
const REMIND_US = 60 * 60 * 1_000_000;

/** Calls `provisioned` once, when a valid file was found and the identity is on flash. The identity is the callee's. */
export function waitForProvisioning(
  native: Native,
  provisioned: (identity: Identity) => void,
): void {
  let remindUs = Number.NEGATIVE_INFINITY;
  /** Hash of the file that was last complained about: a mistake is said once for each version of the file. */
  let refused: Uint8Array = new Uint8Array(0);

  const look = () => {
    const now = native.monotonicUs();
    if (now >= remindUs) {
      remindUs = now + REMIND_US;
      native.log(
        "warning",
        "This camera is not paired: it records and sends nothing. Waiting for a provisioning file from `ocellus pair`.",
      );
    }
    const identity = tryFile();
    if (identity === null) native.setTimer(LOOK_MS, look);
    else provisioned(identity);
  };

  const tryFile = (): Identity | null => {
    const file = native.readProvisioning();
    if (file === null) return null;
    if ("error" in file) {
      return complain(native.utf8Encode(file.text), [`Still not paired: ${file.text}.`]);
    }
    const parsed = parseProvisioning(file, (bytes) => native.utf8Decode(bytes));
    if ("mistakes" in parsed) return complain(file, parsed.mistakes);
    const identity = provision(native, parsed);
    for (const secret of [file, parsed.token, parsed.seed]) native.wipe(secret);
    if ("error" in identity) {
      return complain(native.utf8Encode(identity.text), [
        `The camera's identity cannot be written: ${identity.text}.`,
      ]);
    }
    native.closeProvisioning();
    native.log("info", "Provisioned. Waiting for the owner to adopt this camera.");
    return identity;
  };

  const complain = (about: Uint8Array, sentences: readonly string[]): null => {
    const hash = native.sha256(about);
    if (!same(hash, refused)) for (const sentence of sentences) native.log("error", sentence);
    refused = hash;
    return null;
  };

  look();
}
