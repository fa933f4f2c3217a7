/**
 * A new camera: its id, one-time token and seed, and the provisioning file that carries them to it
 * (agent/identity/FORMAT.md, "Provisioning file").
 */
import { readFile, rm } from "node:fs/promises";
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

/**
 * Deletes the provisioning files of a camera that is paired. One that is gone, that is no longer this camera's or that
 * cannot be deleted is left as it is. @returns the paths of those that were deleted.
 */
export async function deleteProvisioning(
  camera: Uint8Array,
  paths: readonly string[],
): Promise<string[]> {
  const deleted: string[] = [];
  for (const path of paths) {
    const text = await readFile(path, "utf8").catch(() => "");
    if (!isProvisioningOf(camera, text)) continue;
    const failed = await rm(path).then(
      () => false,
      () => true,
    );
    if (!failed) deleted.push(path);
  }
  return deleted;
}

function isProvisioningOf(camera: Uint8Array, text: string): boolean {
  try {
    const file: unknown = JSON.parse(text);
    return (
      typeof file === "object" &&
      file !== null &&
      "format" in file &&
      file.format === PROVISIONING_FORMAT &&
      "camera" in file &&
      file.camera === toHex(camera)
    );
  } catch {
    return false;
  }
}
