/**
 * A new camera: its id, one-time token and seed, and the provisioning file that carries them to it
 * (agent/identity/FORMAT.md, "Provisioning file").
 */
import { toHex } from "../../agent/identity/encoding.ts";
import { PROVISIONING_FORMAT } from "../../agent/identity/provisioning.ts";
import { type Access, accessJson } from "./access.ts";
import { random, toBase64 } from "./crypto.ts";
import type { ExpectedCamera, Owner } from "./owner.ts";

/** A camera that may come: a random id, and a token that proves its claim. */
export function expectCamera(name: string): ExpectedCamera {
  return { name, id: random(16), state: "expected", token: random(32) };
}

/** The provisioning file's text. Holds secrets. */
export function provisioningFile(owner: Owner, camera: ExpectedCamera, access: Access): string {
  const file = {
    format: PROVISIONING_FORMAT,
    camera: toHex(camera.id),
    tenant: owner.tenant,
    token: toBase64(camera.token),
    root_key: toBase64(owner.root.publicKey),
    seed: toBase64(random(32)),
    ...accessJson(access),
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}
