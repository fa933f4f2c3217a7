/**
 * The camera of `ocellus run`: host processes that are paired on their first start, with an owner whose keys stand in the
 * cloud's state directory, so that nobody's real keys are touched.
 *
 *     <state>/owner/     the owner's keys, as in ~/.config/ocellus
 *     <state>/camera/    the camera (host.ts), and `name`: the owner's name for it
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toHex } from "../../agent/identity/encoding.ts";
import { Problem } from "../build/problem.mjs";
import type { Cloud } from "../cloud/cloud.ts";
import { makePrivateDirectory, readIfThere, writeNewPrivateFile } from "../owner/files.ts";
import { changeOwner, createOwner, hasOwner, type Keystore, loadOwner } from "../owner/keystore.ts";
import { signList } from "../owner/lists.ts";
import {
  type ExpectedCamera,
  findPaired,
  makeKeys,
  type Owner,
  type PairedCamera,
  withCamera,
} from "../owner/owner.ts";
import { pairCamera } from "../owner/pairing.ts";
import { makePhrase, recoveryPublic } from "../owner/phrase.ts";
import { expectCamera, provisioningFile } from "../owner/provision.ts";
import type { HostCamera } from "./host.ts";

const PAIR_MS = 60_000;

/** Where the camera of a cloud's state directory is. */
export function cameraDirectory(cloud: Cloud): string {
  return join(cloud.state, "camera");
}

/** Where its owner's keys are, unless they are told to be elsewhere. */
export function ownerDirectory(cloud: Cloud): string {
  return join(cloud.state, "owner");
}

/**
 * Makes keys where there are none, and gives them access to this cloud.
 * Throws Problem where a camera that is paired already could not find this cloud.
 */
export async function openOwner(cloud: Cloud, store: Keystore): Promise<Owner> {
  if (!(await hasOwner(store))) {
    await makePrivateDirectory(store.home);
    const phrase = makePhrase();
    await writeNewPrivateFile(join(store.home, "recovery-phrase.txt"), `${phrase}\n`);
    const keys = makeKeys(cloud.tenant, recoveryPublic(phrase));
    await createOwner(store, { owner: { ...keys, list: signList(keys, 1, Date.now() * 1000) } });
  }
  await changeOwner(store, async (owner) => {
    const access = await cloud.owner(owner.tenant);
    const before = owner.access?.store.endpoint ?? access.store.endpoint;
    const paired = owner.cameras.some(({ state }) => state === "paired");
    // A camera keeps the addresses it was given.
    if (paired && before !== access.store.endpoint) {
      throw new Problem(
        `the camera in ${cloud.state} was paired with the store ${before}, not ${access.store.endpoint}; use the same ports again, or another place with --state.`,
      );
    }
    return [{ ...owner, access }, undefined];
  });
  return (await loadOwner(store)).owner;
}

/**
 * Starts the camera's agent, paired: on its first start it is provisioned and adopted.
 * @param host laid out in `cameraDirectory`.
 * @param tell told what takes long.
 */
export async function startPaired(
  cloud: Cloud,
  store: Keystore,
  owner: Owner,
  host: HostCamera,
  tell: (text: string) => void,
): Promise<PairedCamera> {
  const camera = await cameraOf(host.options.directory, store, owner);
  if (camera.state === "paired") {
    await host.startAgent();
    return camera;
  }
  const access = await cloud.addCamera({ tenant: owner.tenant, camera: toHex(camera.id) });
  await host.provision(provisioningFile(owner, camera, access));
  await host.startAgent();
  const change = <T>(by: (current: Owner) => [Owner, T]) => changeOwner(store, by);
  const paired = await pairCamera(owner, camera, PAIR_MS, { change, tell });
  await host.forgetProvisioning();
  if (paired.trouble) tell(`${camera.name}: ${paired.trouble}`);
  return paired.camera;
}

/** The camera whose directory this is; a new one where it is nobody's yet. */
async function cameraOf(
  directory: string,
  store: Keystore,
  owner: Owner,
): Promise<ExpectedCamera | PairedCamera> {
  const file = join(directory, "name");
  const name = (await readIfThere(file))?.trim();
  const known = owner.cameras.find((camera) => camera.name === name);
  if (known) return known.state === "expected" ? known : findPaired(owner, known.name);
  if (name !== undefined) {
    throw new Problem(
      `the camera in ${directory} belongs to other keys than those in ${store.home}; remove that directory to start with a new camera.`,
    );
  }
  const expected = expectCamera(freeName(owner));
  await changeOwner(store, (current) => [withCamera(current, expected), undefined]);
  await writeFile(file, `${expected.name}\n`, { mode: 0o600 });
  return expected;
}

function freeName(owner: Owner): string {
  const taken = (name: string) => owner.cameras.some((camera) => camera.name === name);
  if (!taken("camera")) return "camera";
  let number = 2;
  while (taken(`camera-${number}`)) number++;
  return `camera-${number}`;
}
