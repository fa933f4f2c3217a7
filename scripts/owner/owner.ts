/**
 * What an owner holds: keys, the newest recipients' list, access to the cloud, and the cameras.
 */

import { asTyped } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import type { Access } from "./access.ts";
import {
  type BoxPair,
  boxPairOf,
  crypto,
  inDomain,
  random,
  type SigningPair,
  signingPairOf,
  wipe,
} from "./crypto.ts";

/** All secrets of an owner. Whoever loaded or made it wipes it (`wipeOwner`). */
export interface Owner {
  /** First part of all names in the store and topics at the broker. */
  readonly tenant: string;
  /** Signs camera records and recipients' lists. */
  readonly root: SigningPair;
  /** Signs this device's commands. */
  readonly signer: SigningPair;
  /** Versions of the vault key, rising from 1; the last is in force. Older ones open older footage. */
  readonly vaults: readonly VaultKey[];
  /** What the recovery phrase stands for, as far as its holder need not be asked; absent where none was made. */
  readonly recovery?: RecoveryPublic;
  /** The newest recipients' list. */
  readonly list: SignedList;
  /** Absent until a cloud was named. */
  readonly access?: Access;
  readonly cameras: readonly Camera[];
}

export interface VaultKey extends BoxPair {
  readonly version: number;
}

export interface RecoveryPublic {
  /** X25519, 32 bytes: a recipient of footage and backups. */
  readonly publicKey: Uint8Array;
  /** 32 bytes that authenticate backups; secret. */
  readonly mac: Uint8Array;
}

export interface SignedList {
  /** Rises with every change. */
  readonly version: number;
  /** A RecipientsList, raw as signed. */
  readonly list: Uint8Array;
  /** The root key's, 64 bytes. */
  readonly signature: Uint8Array;
}

/** A camera that is expected, paired or retired. */
export type Camera = ExpectedCamera | KnownCamera;

/** A camera whose footage can be told from what others made. */
export type KnownCamera = PairedCamera | RetiredCamera;

interface CameraNames {
  /** The owner's name for it, [a-z0-9][a-z0-9-]{0,31}. */
  readonly name: string;
  /** 16 bytes. */
  readonly id: Uint8Array;
}

/** Provisioned but not adopted: its one-time token is kept to check its claim. */
export interface ExpectedCamera extends CameraNames {
  readonly state: "expected";
  /** 32 bytes, secret. */
  readonly token: Uint8Array;
  /** Sent to the camera; whether it took it is not known yet. */
  readonly answer?: SignedRecord;
  /** Absolute paths at which its provisioning file was written, to be deleted once it is paired. */
  readonly files?: readonly string[];
}

export interface PairedCamera extends CameraNames, SignedRecord {
  readonly state: "paired";
}

/** Stolen, broken, sold: what it made is believed as far as its record goes, and nothing waits for it. */
export interface RetiredCamera extends CameraNames, SignedRecord {
  readonly state: "retired";
  /** When it left the owner's hands, microseconds since 1970 UTC, as he says. */
  readonly retired_us: number;
  /** 32 bytes, secret; there where it was answered but never known to be paired. */
  readonly token?: Uint8Array;
}

/** A CameraRecord, raw as signed by the root key. */
export interface SignedRecord {
  readonly record: Uint8Array;
  readonly signature: Uint8Array;
}

/** Makes the keys of a new owner, with vault version 1 and no list yet (`signList` in lists.ts makes it). */
export function makeKeys(tenant: string, recovery: RecoveryPublic | undefined) {
  const vault = { version: 1, ...freshVault() };
  return {
    tenant,
    root: signingPairOf(random(32)),
    signer: signingPairOf(random(32)),
    vaults: [vault],
    ...(recovery ? { recovery } : {}),
    cameras: [],
  };
}

/** A fresh X25519 pair for the vault. */
export function freshVault(): BoxPair {
  return boxPairOf(random(32));
}

/** The vault key in force. */
export function newestVault(owner: Pick<Owner, "vaults">): VaultKey {
  const newest = owner.vaults.at(-1);
  if (!newest) throw new Error("an owner has at least one vault key");
  return newest;
}

/** The camera of that name or id (32 hex digits). Throws Problem that lists the names there are. */
export function findCamera(owner: Owner, name: string): Camera {
  const found = owner.cameras.find(
    (camera) => camera.name === name || Buffer.from(camera.id).toString("hex") === name,
  );
  if (found) return found;
  const names = owner.cameras.map((camera) => camera.name).join(", ");
  throw new Problem(
    names
      ? `There is no camera "${name}"; there are: ${names}.`
      : `There is no camera "${name}"; pair one with \`${asTyped("pair")}\` first.`,
  );
}

/** The camera of that name, which must be paired and not retired. */
export function findPaired(owner: Owner, name: string): PairedCamera {
  const camera = findKnown(owner, name);
  if (camera.state === "paired") return camera;
  throw new Problem(
    `camera "${camera.name}" is retired; \`${asTyped(`pair ${camera.name} --unretire`)}\` takes that back.`,
  );
}

/** The camera of that name, which must be paired or have been. */
export function findKnown(owner: Owner, name: string): KnownCamera {
  const camera = findCamera(owner, name);
  if (camera.state !== "expected") return camera;
  throw new Problem(
    `camera "${camera.name}" is not paired yet; run \`${asTyped(`pair ${camera.name} --finish`)}\`.`,
  );
}

/** Whether two are the same camera, whatever they are called. */
export function sameCamera(a: Pick<Camera, "id">, b: Pick<Camera, "id">): boolean {
  return crypto.equal(a.id, b.id);
}

/** The owner with one camera added, or put in the place of the one with its id. */
export function withCamera(owner: Owner, camera: Camera): Owner {
  const others = owner.cameras.filter((one) => !sameCamera(one, camera));
  return { ...owner, cameras: [...others, camera] };
}

/** Access to the cloud. Throws Problem where none was told yet. */
export function accessOf(owner: Owner): Access {
  if (owner.access) return owner.access;
  throw new Problem(
    `no store and broker are known yet; name them with \`${asTyped("pair … --access FILE")}\` or \`--cloud-state DIR\`.`,
  );
}

/** Signs with the root key under a domain of agent/identity/FORMAT.md. */
export function signAsRoot(owner: Pick<Owner, "root">, domain: string, message: Uint8Array) {
  return crypto.sign(inDomain(domain, message), owner.root.secretKey);
}

/** Overwrites all secrets of an owner that is no longer needed. */
export function wipeOwner(owner: Owner): void {
  wipe(owner.root.secretKey, owner.signer.secretKey, owner.recovery?.mac);
  for (const vault of owner.vaults) wipe(vault.secretKey);
  for (const camera of owner.cameras) if (camera.state !== "paired") wipe(camera.token);
}
