/** `ocellus pair` up to the provisioning file: the camera's id, access that was tried, and the file. */

import { resolve } from "node:path";
import { toHex } from "../../agent/identity/encoding.ts";
import { asTyped } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { connectCloud } from "../cloud/control.ts";
import { type Access, parseAccessFile } from "../owner/access.ts";
import { readSecret, writeNewPrivateFile } from "../owner/files.ts";
import { changeOwner, type Keystore } from "../owner/keystore.ts";
import { accessOf, type ExpectedCamera, type KnownCamera, withCamera } from "../owner/owner.ts";
import { stillExpected } from "../owner/pairing.ts";
import { probeBroker, probeStore } from "../owner/probe.ts";
import { expectCamera, provisioningFile } from "../owner/provision.ts";
import { rootsFiller } from "../owner/roots.ts";
import { openStore } from "../owner/store.ts";
import { type OwnerFlags, withOwner } from "./owner-options.ts";
import { startProgress } from "./progress.ts";

/** Where a camera's access comes from, and where its file goes. */
export interface ProvisionFlags extends OwnerFlags {
  readonly out: string;
  /** One of these two is there. */
  readonly cloudState?: string;
  readonly access?: string;
}

/** A camera's id, and what else its names are made of. */
export interface Reserved {
  readonly camera: ExpectedCamera;
  readonly tenant: string;
}

/** The camera of that name if it is still expected, else a new one; kept. */
export async function reserve(store: Keystore, name: string): Promise<Reserved> {
  return changeOwner(store, (owner) => {
    const known = owner.cameras.find((camera) => camera.name === name);
    if (known && known.state !== "expected") throw taken(known);
    const camera = known ?? expectCamera(name);
    return [withCamera(owner, camera), { camera, tenant: owner.tenant }];
  });
}

/** Why a camera of this name cannot be paired. */
export function taken({ name, state }: KnownCamera): Problem {
  const back = `, or take that back with \`${asTyped(`pair ${name} --unretire`)}\``;
  return new Problem(
    `camera "${name}" is ${state} already; choose another name for a new camera${state === "retired" ? back : ""}.`,
  );
}

/**
 * Writes a camera's provisioning file. The owner's state is held only to read and to write it, not while servers are asked.
 * Throws Problem: what is wrong with the access file before a name is taken for it, all else after that, and says so.
 */
export async function provision(
  store: Keystore,
  name: string,
  flags: ProvisionFlags,
): Promise<void> {
  const given = flags.access === undefined ? null : await readAccess(flags, flags.access);
  const reserved = await reserve(store, name);
  const { tell } = startProgress();
  try {
    const parties = given
      ? await filled(given, tell)
      : await atCloud(flags.cloudState ?? "", reserved);
    await probe(reserved, parties, tell);
    await writeProvisioning(store, reserved, parties, flags.out);
  } catch (error) {
    const id = toHex(reserved.camera.id);
    if (error instanceof Problem) {
      tell(
        `camera "${name}" keeps the id ${id} for the next try; \`${asTyped(`pair ${name} --retire`)}\` gives it up`,
      );
    }
    throw error;
  }
}

/** Access of the two that need it. */
interface Parties {
  readonly owner: Access;
  readonly camera: Access;
}

async function readAccess(flags: OwnerFlags, path: string): Promise<Parties> {
  const file = parseAccessFile(await readSecret(path), path);
  return withOwner(flags, async (owner) => {
    if (file.tenant !== owner.tenant) {
      throw new Problem(
        `${path} is for tenant ${file.tenant}, but these keys are for ${owner.tenant}.`,
      );
    }
    if (!file.camera) throw new Problem(`${path}: "camera" is missing.`);
    return { owner: file.owner ?? accessOf(owner), camera: file.camera };
  });
}

async function filled(given: Parties, tell: (sentence: string) => void): Promise<Parties> {
  const fill = rootsFiller({ tell });
  return { owner: await fill(given.owner), camera: await fill(given.camera) };
}

async function atCloud(directory: string, { camera, tenant }: Reserved): Promise<Parties> {
  const cloud = await connectCloud(directory);
  return {
    owner: await cloud.owner(tenant),
    camera: await cloud.addCamera({ tenant, camera: toHex(camera.id) }),
  };
}

async function probe(
  { camera, tenant }: Reserved,
  access: Parties,
  tell: (sentence: string) => void,
): Promise<void> {
  const [asCamera, asOwner] = [openStore(access.camera.store), openStore(access.owner.store)];
  try {
    const warnings = await probeStore(asCamera, asOwner, tenant, camera.id);
    for (const warning of warnings) tell(`warning: ${warning}`);
  } finally {
    asCamera.close();
    asOwner.close();
  }
  await probeBroker("camera", access.camera.broker);
  await probeBroker("owner", access.owner.broker);
}

async function writeProvisioning(
  store: Keystore,
  { camera }: Reserved,
  access: Parties,
  out: string,
): Promise<void> {
  await changeOwner(store, async (owner) => {
    const kept = stillExpected(owner, camera);
    const changed = { ...owner, access: access.owner };
    await writeNewPrivateFile(out, provisioningFile(changed, kept, access.camera));
    const files = [...new Set([...(kept.files ?? []), resolve(out)])];
    return [withCamera(changed, { ...kept, files }), undefined];
  });
}
