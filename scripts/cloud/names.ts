/**
 * Names in the store and at the broker: which shapes are taken, and where a camera's things stand.
 *
 * The shapes are those of the provisioning file (agent/identity/FORMAT.md). None can hold a character
 * that means something in a policy's resource, an MQTT topic filter or mosquitto's files, so a name
 * that passed here needs no quoting anywhere.
 */
import { CloudTrouble } from "./trouble.ts";

/** The topics a camera publishes on; the rest, `cmd`, is the one it listens to (design, "Control"). */
export const CAMERA_PUBLISHES = ["link", "status", "seg", "evt", "live", "rsp"] as const;

/** Throws CloudTrouble unless `tenant` is one: `[a-z0-9][a-z0-9-]{0,31}`. */
export function checkTenant(tenant: string): void {
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(tenant)) {
    throw new CloudTrouble(
      `"${tenant}" is no tenant: up to 32 of a-z, 0-9 and "-", starting with a letter or digit`,
    );
  }
}

/** Throws CloudTrouble unless `camera` is a camera id: 32 lower-case hex digits. */
export function checkCamera(camera: string): void {
  if (!/^[0-9a-f]{32}$/.test(camera)) {
    throw new CloudTrouble(`"${camera}" is no camera id: 32 digits of 0-9 and a-f are asked for`);
  }
}

/** Everything of a tenant, in the store and at the broker; ends with "/". */
export function tenantPrefix(tenant: string): string {
  return `v1/${tenant}/`;
}

/** Everything a camera puts or publishes; ends with "/". */
export function cameraPrefix(tenant: string, camera: string): string {
  return `v1/${tenant}/${camera}/`;
}

/** What every camera of a tenant may read: signed updates; ends with "/". No camera id can equal "update". */
export function updatePrefix(tenant: string): string {
  return `v1/${tenant}/update/`;
}

/** The embedded store gives each tenant a bucket of its own, so bucket-wide rights stay within one. */
export function tenantBucket(tenant: string): string {
  return `ocellus-${tenant}`;
}
