/**
 * Names in the store and at the broker: which shapes are taken, and where a camera's things stand.
 *
 * The shapes are the agent's (agent/seal/names.ts). None can hold a character
 * that means something in a policy's resource, an MQTT topic filter or mosquitto's files, so a name
 * that passed here needs no quoting anywhere.
 */
import { isTenant, cameraPrefix as prefixOfCamera } from "../../agent/seal/names.ts";
import { Problem } from "../build/problem.mjs";

/** The topics a camera publishes on. It listens to the rest, `cmd`, and later to its tenant's updates. */
export const CAMERA_PUBLISHES = ["link", "status", "seg", "evt", "live", "rsp"] as const;

/** Throws Problem unless `tenant` is a tenant. */
export function checkTenant(tenant: string): void {
  if (!isTenant(tenant)) {
    throw new Problem(`"${tenant}" cannot be a tenant; use a-z, 0-9 and -, at most 32 characters.`);
  }
}

/** Throws Problem unless `camera` is a camera id: 32 lower-case hex digits. */
export function checkCamera(camera: string): void {
  if (!/^[0-9a-f]{32}$/.test(camera)) {
    throw new Problem(`"${camera}" is no camera id; it has 32 digits of 0-9 and a-f.`);
  }
}

/** Everything of a tenant, in the store and at the broker; ends with "/". */
export function tenantPrefix(tenant: string): string {
  return `v1/${tenant}/`;
}

/** Everything a camera puts or publishes; ends with "/". Throws Problem for a malformed name. */
export function cameraPrefix(tenant: string, camera: string): string {
  checkTenant(tenant);
  checkCamera(camera);
  return prefixOfCamera(tenant, Buffer.from(camera, "hex"));
}

/**
 * What every camera of a tenant may read, objects and topics: signed updates; ends with "/". No camera id can equal "update":
 * it has 32 hex digits.
 */
export { updatePrefix } from "../../agent/update/names.ts";

/** The embedded store gives each tenant a bucket of its own, so bucket-wide rights stay within one. */
export function tenantBucket(tenant: string): string {
  return `ocellus-${tenant}`;
}
