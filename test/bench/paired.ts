/**
 * A camera that is paired and has recorded before, as the files of its state directory: keys from a fixed
 * seed, two recipients (the owner's vault and a recovery key).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ocellus } from "#proto";
import type { CheckedAccess } from "../../agent/identity/access.ts";
import { withCheck } from "../../agent/identity/files.ts";
import type { KeyPair } from "../../agent/identity/identity.ts";
import { Owner } from "../agent/owner.ts";

const { v1 } = ocellus;

/** The world's store and broker (native/bench/world), whose authority is `caPem`. */
export function worldAccess(caPem: string): CheckedAccess {
  return {
    store: {
      endpoint: "https://127.0.0.1:443",
      region: "us-east-1",
      bucket: "footage",
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: "benchmark-secret-of-forty-characters-xxx",
      caPem,
      pathStyle: true,
      sessionToken: "",
    },
    broker: {
      url: "mqtts://127.0.0.1:8883",
      username: "camera",
      password: "benchmark-password",
      caPem,
    },
  };
}

/** The one camera that is measured, and its owner: always the same keys. */
export function benchCamera(): { owner: Owner; signing: KeyPair; box: KeyPair; recovery: KeyPair } {
  const owner = new Owner("benchmark");
  const { crypto } = owner;
  return {
    owner,
    signing: crypto.signKeypair(),
    box: crypto.boxKeypair(),
    recovery: crypto.boxKeypair(),
  };
}

/** Writes the state files into `directory`, which is made. The same arguments give the same bytes. */
export function writePairedState(directory: string, access: CheckedAccess): void {
  const { owner, signing, box, recovery } = benchCamera();
  const record = { camera: owner.camera, signingKey: signing.publicKey, boxKey: box.publicKey };
  const recipients = [
    { boxKey: owner.vault.publicKey, vaultVersion: 1 },
    { boxKey: recovery.publicKey, vaultVersion: 0 },
  ];
  const files = {
    identity: v1.Identity.encode({
      camera: owner.camera,
      tenant: owner.tenant,
      rootKey: owner.root.publicKey,
      signingSecret: signing.secretKey,
      boxSecret: box.secretKey,
      deviceSeed: owner.seed,
    }),
    adoption: v1.Adoption.encode(owner.cameraRecord(record)),
    recipients: v1.SignedRecipients.encode(owner.list({ recipients })),
    access: v1.AccessState.encode({ current: access, proven: true }),
    counters: v1.Counters.encode({ boot: 7, timeFloorUs: 0, recipientsVersion: 1 }),
    settings: v1.Settings.encode({ schema: 1, generation: 1 }),
  };
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const [name, writer] of Object.entries(files)) {
    writeFileSync(join(directory, name), withCheck(owner.crypto, writer.finish()), { mode: 0o600 });
  }
}
