/**
 * Looking after the owner's keys in the cloud: backups in the store.
 */

import type { StoreAccess } from "../../agent/identity/access.ts";
import { asTyped } from "../build/invoked.mjs";
import { complain, Problem } from "../build/problem.mjs";
import { backupObjectName, backupPrefix, makeBackup } from "./backup.ts";
import { listAll } from "./names.ts";
import { accessOf, type Owner } from "./owner.ts";
import { openStore } from "./store.ts";
import { reasonOf } from "./trouble.ts";

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
 * A fresh backup in the store. False where none can be made: without a recovery phrase there is nobody to seal it to, without
 * a store nowhere to put it. Throws Problem where the store fails.
 */
export async function backUp(owner: Owner): Promise<boolean> {
  if (!owner.recovery || !owner.access) return false;
  const made_us = Date.now() * 1000;
  await putBackup(owner, made_us, makeBackup(owner, made_us));
  return true;
}

/** After a change of keys or cameras: `backUp`, whose trouble is said on standard error only, since the change itself is done. */
export async function renewBackup(owner: Owner): Promise<void> {
  await backUp(owner).catch((error: unknown) => {
    complain(
      `no new backup in the store (${reasonOf(error)}); make one with \`${asTyped("keys backup")}\`.`,
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
    throw new Problem(
      `the store ${access.endpoint} holds no backup of tenant ${tenant}; name a file with --from, or open footage with the phrase alone: \`${asTyped("ls CAMERA_ID --phrase-file FILE --access FILE")}\`.`,
    );
  } finally {
    store.close();
  }
}
