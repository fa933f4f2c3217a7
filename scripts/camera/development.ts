/**
 * The cameras of `ocellus run`, each paired on its first start, with an owner whose keys stand in the cloud's state
 * directory, so that nobody's real keys are touched.
 *
 *     <state>/owner/            the owner's keys, as in ~/.config/ocellus
 *     <state>/camera/           the camera of host processes (host.ts), and `name`: the owner's name for it
 *     <state>/camera-<board>/   the emulated camera of a board (qemu.ts), its console.log, and `name`
 *
 * They are cameras of their own, with keys, names and footage of their own, in one cloud; one of them runs at a time.
 */
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { toHex } from "../../agent/identity/encoding.ts";
import { boardNames } from "../board/board.mjs";
import { checkout } from "../build/ensure.mjs";
import { Problem } from "../build/problem.mjs";
import { boardId } from "../build/recipes/board-id.mjs";
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
import type { Play } from "./host.ts";
import { seenFrom } from "./tested.ts";

/** An emulated one boots meanwhile, on a machine that may be busy. */
const PAIR_MS = 120_000;
const NAME_FILE = "name";

/** A camera, whichever kind it is. Nothing runs until it is told to; the holder calls `stop`. */
export interface DevelopmentCamera {
  /** Where it is kept. */
  readonly directory: string;
  /** The host name or address at which it reaches a cloud on this machine. */
  readonly cloudHost: string;
  /** What it sees from its next start on, or from now on. */
  play(play: Play): Promise<void>;
  /** Gives it a provisioning file for its next start. */
  provision(file: string): Promise<void>;
  start(): Promise<void>;
  /** Takes the provisioning file away. */
  forgetProvisioning(): Promise<void>;
  /** Throws Problem where something of it has ended unasked. */
  check(): void;
  stop(): Promise<void>;
}

const DIRECTORY = "camera";

/** Where a camera of a cloud's state directory is. @param board of an emulated one; else that of host processes. */
export function cameraDirectory(cloud: Cloud, board?: string): string {
  return join(cloud.state, board === undefined ? DIRECTORY : `${DIRECTORY}-${boardId(board)}`);
}

/** The other cameras that are kept beside one: the owner's names for them, and what flags start them. */
export async function othersBeside(directory: string): Promise<{ name: string; how: string }[]> {
  const others: { name: string; how: string }[] = [];
  const boards = boardNames(checkout).map((board) => [`-${boardId(board)}`, `--board ${board}`]);
  for (const [suffix, how = ""] of [["", "--on host"], ...boards]) {
    const other = join(dirname(directory), `${DIRECTORY}${suffix}`);
    if (other === directory) continue;
    const name = (await readIfThere(join(other, NAME_FILE)))?.trim();
    if (name) others.push({ name, how });
  }
  return others;
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

/** A camera that is to be started in a cloud. */
export interface Starting {
  readonly cloud: Cloud;
  readonly store: Keystore;
  readonly owner: Owner;
  readonly device: DevelopmentCamera;
  /** What `findCamera` finds in the device's directory. */
  readonly known: ExpectedCamera | PairedCamera;
}

/**
 * Starts a camera, paired: on its first start it is provisioned and adopted.
 * @param tell told what takes long.
 */
export async function startPaired(
  { cloud, store, owner, device, known }: Starting,
  tell: (text: string) => void,
): Promise<PairedCamera> {
  if (known.state === "paired") {
    // A start that was cut short may have left it.
    await device.forgetProvisioning();
    await device.start();
    return known;
  }
  const access = await cloud.addCamera({ tenant: owner.tenant, camera: toHex(known.id) });
  await device.provision(provisioningFile(owner, known, seenFrom(device.cloudHost, access)));
  await device.start();
  const change = <T>(by: (current: Owner) => [Owner, T]) => changeOwner(store, by);
  const paired = await pairCamera(owner, known, PAIR_MS, { change, tell });
  await device.forgetProvisioning();
  if (paired.trouble) tell(`${known.name}: ${paired.trouble}`);
  return paired.camera;
}

/** The camera whose directory this is; a new one where it is nobody's yet. */
export async function findCamera(
  directory: string,
  store: Keystore,
  owner: Owner,
): Promise<ExpectedCamera | PairedCamera> {
  const file = join(directory, NAME_FILE);
  const name = (await readIfThere(file))?.trim();
  const known = owner.cameras.find((camera) => camera.name === name);
  if (known) return known.state === "expected" ? known : findPaired(owner, known.name);
  if (name !== undefined) {
    throw new Problem(
      `the camera in ${directory} belongs to other keys than those in ${store.home}; remove ${directory} to start with a new camera.`,
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
