/** `ocellus pair`: a new camera, from its provisioning file to adopted. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { toHex } from "../../agent/identity/encoding.ts";
import { Problem } from "../build/problem.mjs";
import { connectCloud } from "../cloud/control.ts";
import { type Access, parseAccessFile } from "../owner/access.ts";
import { renewBackup } from "../owner/care.ts";
import { readNamed, writeNewPrivateFile } from "../owner/files.ts";
import { changeOwner, type Keystore } from "../owner/keystore.ts";
import {
  accessOf,
  type Camera,
  type ExpectedCamera,
  findCamera,
  type Owner,
  withCamera,
} from "../owner/owner.ts";
import { pairCamera } from "../owner/pairing.ts";
import { probeStore } from "../owner/probe.ts";
import { deleteProvisioning, expectCamera, provisioningFile } from "../owner/provision.ts";
import { rootsFiller } from "../owner/roots.ts";
import { checkCameraName } from "../owner/state.ts";
import { openStore } from "../owner/store.ts";
import { keystoreOf, type OwnerFlags, ownerCommand, print, withOwner } from "./owner-options.ts";
import { startProgress } from "./progress.ts";

const WAIT_MS = 10 * 60_000;

interface PairFlags extends OwnerFlags {
  readonly cloudState?: string;
  readonly access?: string;
  readonly out?: string;
  readonly reserve?: true;
  readonly finish?: true;
  readonly wait: boolean;
}

/** The command, to be added to the program. */
export function pairCommand(): Command {
  return ownerCommand("pair", "provision a new camera and adopt it")
    .argument("<name>", "your name for the camera: a-z, 0-9 and -")
    .option("--cloud-state <dir>", "register the camera at the development cloud running on <dir>")
    .option("--access <file>", "file with store and broker access for you and the camera")
    .option("--out <file>", "provisioning file to write, for the camera")
    .option("--reserve", "only choose the camera's id, so that its access can be set up")
    .option("--no-wait", "write the file and end; `ocellus pair NAME --finish` adopts later")
    .option("--finish", "wait for the claim of a camera that was provisioned before")
    .action(pair);
}

async function pair(name: string, flags: PairFlags): Promise<void> {
  const store = keystoreOf(flags);
  checkCameraName(name);
  if (flags.reserve) {
    const camera = await reserve(store, name);
    await withOwner(flags, async (owner) => tellReserved(flags, owner, camera));
    return;
  }
  if (!flags.finish) {
    await provision(store, name, flags);
    if (!flags.wait) {
      print(flags, { name, provisioning_file: flags.out }, () =>
        [
          `Give ${flags.out} to the camera, then run \`ocellus pair ${name} --finish\`.`,
          "The file holds secrets: that command deletes it here, but not the copies you make.",
        ].join("\n"),
      );
      return;
    }
  }
  await finish(store, name, flags);
}

/** The camera of that name if it is still expected, else a new one. */
async function reserve(store: Keystore, name: string): Promise<ExpectedCamera> {
  return changeOwner(store, (owner) => {
    const known = owner.cameras.find((camera) => camera.name === name);
    if (known?.state === "paired") throw alreadyPaired(name);
    const camera = known ?? expectCamera(name);
    return [withCamera(owner, camera), camera];
  });
}

function alreadyPaired(name: string): Problem {
  return new Problem(`camera "${name}" is paired already; choose another name for a new camera.`);
}

function tellReserved(flags: OwnerFlags, owner: Owner, camera: Camera): void {
  const id = toHex(camera.id);
  const prefix = `v1/${owner.tenant}/${id}/`;
  print(flags, { name: camera.name, camera: id, tenant: owner.tenant, prefix }, () =>
    [
      `Camera "${camera.name}" has the id ${id}.`,
      `Store:  let it put objects under ${prefix} (and read v1/${owner.tenant}/update/), nothing else.`,
      `Broker: let it publish ${prefix}{link,status,seg,evt,live,rsp} and subscribe to ${prefix}cmd.`,
      "Then run `ocellus pair` again with --access and --out.",
    ].join("\n"),
  );
}

async function provision(store: Keystore, name: string, flags: PairFlags): Promise<void> {
  const { out } = flags;
  if (!out) throw new Problem("name the provisioning file to write with --out FILE.");
  const camera = await reserve(store, name);
  const progress = startProgress();
  await changeOwner(store, async (owner) => {
    const [ownerAccess, cameraAccess] = await accessFor(owner, camera, flags, progress.tell);
    const changed = { ...owner, access: ownerAccess };
    const [asCamera, asOwner] = [openStore(cameraAccess.store), openStore(ownerAccess.store)];
    try {
      const warnings = await probeStore(asCamera, asOwner, owner.tenant, camera.id);
      for (const warning of warnings) progress.tell(`warning: ${warning}`);
    } finally {
      asCamera.close();
      asOwner.close();
    }
    await writeNewPrivateFile(out, provisioningFile(changed, camera, cameraAccess));
    const files = [...new Set([...(camera.files ?? []), resolve(out)])];
    return [withCamera(changed, { ...camera, files }), undefined];
  });
}

async function accessFor(
  owner: Owner,
  camera: Camera,
  flags: PairFlags,
  tell: (sentence: string) => void,
): Promise<[owner: Access, camera: Access]> {
  if (flags.cloudState) {
    const cloud = await connectCloud(flags.cloudState);
    const { tenant } = owner;
    return [await cloud.owner(tenant), await cloud.addCamera({ tenant, camera: toHex(camera.id) })];
  }
  if (!flags.access) {
    throw new Problem("say where the cloud is, with --access FILE or --cloud-state DIR.");
  }
  const file = parseAccessFile(await readNamed(flags.access), flags.access);
  if (file.tenant !== owner.tenant) {
    throw new Problem(
      `${flags.access} is for tenant ${file.tenant}, but these keys are for ${owner.tenant}.`,
    );
  }
  if (!file.camera) throw new Problem(`${flags.access}: "camera" is missing.`);
  const fill = rootsFiller({ tell });
  return [await fill(file.owner ?? accessOf(owner)), await fill(file.camera)];
}

async function finish(store: Keystore, name: string, flags: PairFlags): Promise<void> {
  const progress = startProgress();
  const change = <T>(by: (owner: Owner) => [Owner, T]) => changeOwner(store, by);
  const files = flags.out ? [flags.out] : [];
  const trouble = await withOwner(flags, async (owner) => {
    const camera = findCamera(owner, name);
    if (camera.state === "paired") throw alreadyPaired(name);
    files.unshift(...(camera.files ?? []));
    const pairing = { change, tell: progress.tell };
    return (await pairCamera(owner, camera, WAIT_MS, pairing)).trouble;
  });
  progress.end();
  await withOwner(flags, async (owner) => {
    const { id } = findCamera(owner, name);
    // They have done their work, and their secrets are worth something to a thief.
    const deleted = await deleteProvisioning(id, files);
    await renewBackup(owner);
    const result = { name, camera: toHex(id), state: "paired", provisioning_deleted: deleted };
    print(flags, result, () => tellPaired(name, deleted));
  });
  if (trouble) {
    throw new Problem(`camera "${name}" is paired, but has an older recipients' list: ${trouble}.`);
  }
}

function tellPaired(name: string, deleted: readonly string[]): string {
  const rest = "it holds the camera's access to store and broker";
  return [
    `Camera "${name}" is paired.`,
    deleted.length > 0
      ? `Deleted ${deleted.join(", ")}. Delete the copy that the camera was given, too: ${rest}.`
      : `Delete the provisioning file wherever it lies: ${rest}.`,
  ].join("\n");
}
