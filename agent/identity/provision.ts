/** The step from unpaired to claiming: the camera makes its keys and writes its first state files. */
import type { Native, NativeError } from "../runtime/native.d.ts";
import { toHex } from "./encoding.ts";
import { files } from "./files.ts";
import type { Identity } from "./identity.ts";
import type { Provisioning } from "./provisioning.ts";

type Machine = Pick<
  Native,
  "readState" | "writeState" | "sha256" | "setDeviceSeed" | "signKeypair" | "boxKeypair"
>;

/**
 * Makes the identity and writes `counters`, `access` and, last, `identity`: a cut before that starts again with new
 * keys. The result owns its secrets; the caller wipes those of `from`.
 */
export function provision(native: Machine, from: Provisioning): Identity | NativeError {
  // Before the keys are made: they are the first thing that a weak generator would give away.
  native.setDeviceSeed(from.seed);
  const identity: Identity = {
    camera: new Uint8Array(from.camera),
    tenant: from.tenant,
    rootKey: new Uint8Array(from.rootKey),
    signing: native.signKeypair(),
    box: native.boxKeypair(),
    token: new Uint8Array(from.token),
    deviceSeed: new Uint8Array(from.seed),
  };
  return (
    files.counters.save(native, { boot: 0, timeFloorUs: 0, recipientsVersion: 0 }) ??
    files.access.save(native, { current: from.access, proven: false }) ??
    saveIdentity(native, identity) ??
    identity
  );
}

/** Writes the `identity` file; a `null` token is left out. */
export function saveIdentity(
  native: Machine | SaveMachine,
  identity: Identity,
): NativeError | null {
  return files.identity.save(native, {
    camera: identity.camera,
    tenant: identity.tenant,
    rootKey: identity.rootKey,
    signingSecret: identity.signing.secretKey,
    boxSecret: identity.box.secretKey,
    deviceSeed: identity.deviceSeed,
    ...(identity.token === null ? {} : { token: identity.token }),
  });
}

/**
 * Wipes the one-time token of a camera whose adoption is on flash, there and in memory; the identity without it. Where
 * it cannot be written the log says so, and the next start tries again.
 */
export function forgetToken(
  native: SaveMachine & Pick<Native, "wipe" | "log">,
  identity: Identity,
): Identity {
  if (identity.token === null) return identity;
  const without: Identity = { ...identity, token: null };
  const failed = saveIdentity(native, without);
  if (failed !== null) native.log("warning", `The used token stays on flash: ${failed.text}`);
  native.wipe(identity.token);
  return without;
}

type SaveMachine = Pick<Native, "readState" | "writeState" | "sha256">;

/** What to say about a provisioning file that lies there though the camera has an identity; `null`: nothing. */
export function foreignProvisioning(identity: Identity, file: Provisioning): string | null {
  const own = toHex(identity.camera);
  const other = toHex(file.camera);
  return own === other
    ? null
    : `The provisioning file is for camera ${other}, but this is camera ${own}: it is refused. Reset the camera first to give it to a new owner.`;
}
