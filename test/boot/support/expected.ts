/** A new owner who expects the emulated camera, which has its provisioning file. */
import { toHex } from "../../../agent/identity/encoding.ts";
import { type QemuCamera, SEEN_FROM_CAMERA } from "../../../scripts/camera/qemu.ts";
import { seenFrom } from "../../../scripts/camera/tested.ts";
import type { Cloud } from "../../../scripts/cloud/cloud.ts";
import { signList } from "../../../scripts/owner/lists.ts";
import { makeKeys, withCamera } from "../../../scripts/owner/owner.ts";
import { makePhrase, recoveryPublic } from "../../../scripts/owner/phrase.ts";
import { expectCamera, provisioningFile } from "../../../scripts/owner/provision.ts";

/**
 * Makes keys and a camera's accounts, and writes the file to the camera's card.
 * @returns `access` as the camera sees it
 */
export async function expectIn(cloud: Cloud, camera: QemuCamera, name: string) {
  const keys = makeKeys(cloud.tenant, recoveryPublic(makePhrase()));
  const list = signList(keys, 1, Date.now() * 1000);
  const expected = expectCamera(name);
  const access = seenFrom(SEEN_FROM_CAMERA, await cloud.addCamera({ camera: toHex(expected.id) }));
  const owner = withCamera({ ...keys, list, access: await cloud.owner() }, expected);
  await camera.provision(provisioningFile(owner, expected, access));
  return { owner, expected, access };
}
