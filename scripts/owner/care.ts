/**
 * Looking after the owner's keys in the cloud: backups in the store, and new recipients' lists for the cameras.
 */
import { ocellus } from "#proto";
import type { StoreAccess } from "../../agent/identity/access.ts";
import { Problem } from "../build/problem.mjs";
import { backupObjectName, backupPrefix, makeBackup } from "./backup.ts";
import { signList } from "./lists.ts";
import { listAll } from "./names.ts";
import { accessOf, freshVault, newestVault, type Owner } from "./owner.ts";
import { openStore } from "./store.ts";
import { startTalk } from "./talk.ts";
import { reasonOf } from "./trouble.ts";

const REPLY_MS = 15_000;

/** Puts a backup into the store. Throws Problem where the store fails. @returns its name there. */
export async function putBackup(owner: Owner, made_us: number, file: string): Promise<string> {
  const name = backupObjectName(owner.tenant, made_us, file);
  const store = openStore(accessOf(owner).store);
  try {
    await store.putNew(name, new TextEncoder().encode(file));
    return name;
  } finally {
    store.close();
  }
}

/**
 * After a change of keys or cameras: a fresh backup in the store, where there is a recovery phrase and a store.
 * Trouble is said on standard error only, since the change itself is done.
 */
export async function renewBackup(owner: Owner): Promise<void> {
  if (!owner.recovery || !owner.access) return;
  const made_us = Date.now() * 1000;
  await putBackup(owner, made_us, makeBackup(owner, made_us)).catch((error: unknown) => {
    process.stderr.write(
      `  no new backup in the store (${reasonOf(error)}); make one with \`ocellus keys backup\`.\n`,
    );
  });
}

/** The newest backup of a tenant by name. Throws Problem where there is none. */
export async function fetchNewestBackup(
  access: StoreAccess,
  tenant: string,
): Promise<{ name: string; file: string }> {
  const store = openStore(access);
  try {
    let name: string | null = null;
    for await (const listed of listAll(store, backupPrefix(tenant))) name = listed.name;
    const bytes = name && (await store.get(name));
    if (name && bytes) return { name, file: new TextDecoder().decode(bytes) };
    throw new Problem(`the store ${access.endpoint} holds no backup of tenant ${tenant}.`);
  } finally {
    store.close();
  }
}

/** The owner with one more vault key and a list of recipients that names it. */
export function rotateVault(owner: Owner, now_us: number): Owner {
  const vault = { version: newestVault(owner).version + 1, ...freshVault() };
  const rotated = { ...owner, vaults: [...owner.vaults, vault] };
  return { ...rotated, list: signList(rotated, owner.list.version + 1, now_us) };
}

/** Sends the newest list to every paired camera. @returns for each camera null, or why it does not have it. */
export async function sendList(
  owner: Owner,
): Promise<{ camera: string; trouble: string | null }[]> {
  const cameras = owner.cameras.filter((camera) => camera.state === "paired");
  if (cameras.length === 0) return [];
  const talk = await startTalk(owner, cameras);
  const { list, signature } = owner.list;
  const command = { action: "recipients", recipients: { list, signature } } as const;
  try {
    return await Promise.all(
      cameras.map(async (camera) => {
        const { status } = await talk.settled(camera, 3_000);
        const has = status !== null && "open" in status ? status.open.recipientsVersion : 0;
        if (has >= owner.list.version) return { camera: camera.name, trouble: null };
        try {
          const reply = await talk.send(camera, command, REPLY_MS);
          const ok = reply.result === ocellus.v1.Result.RESULT_OK;
          return { camera: camera.name, trouble: ok ? null : reply.text };
        } catch (error) {
          return { camera: camera.name, trouble: reasonOf(error) };
        }
      }),
    );
  } finally {
    await talk.close();
  }
}
