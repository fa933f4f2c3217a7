/** Names of updates in the store (ota/FORMAT.md, "Store"). A camera may read all of them and put none. */
import { toHex } from "../identity/encoding.ts";

/** Everything about updates of a tenant; ends with "/". */
export function updatePrefix(tenant: string): string {
  return `v1/${tenant}/update/`;
}

/** Where one image's objects stand; ends with "/". */
export function imagePrefix(tenant: string, board: string, id: Uint8Array): string {
  return `${updatePrefix(tenant)}images/${board.replace("/", "-")}/${toHex(id)}/`;
}

/** The SignedManifest. */
export function manifestObject(tenant: string, board: string, id: Uint8Array): string {
  return `${imagePrefix(tenant, board, id)}manifest`;
}

/** The uImage. */
export function imageObject(tenant: string, board: string, id: Uint8Array): string {
  return `${imagePrefix(tenant, board, id)}image`;
}

/** SignedRoots of a version, from 1. */
export function rootsObject(tenant: string, version: number): string {
  return `${updatePrefix(tenant)}roots/${String(version).padStart(10, "0")}`;
}
