/**
 * What somebody is given to use the cloud: for a camera and for an owner the same shape, which is the
 * agent's own (agent/identity/access.ts). All of it is secret.
 */
import type { BrokerAccess, StoreAccess } from "../../agent/identity/access.ts";

/** Access to the broker, with its other address. */
export interface CloudBrokerAccess extends BrokerAccess {
  /** wss://host:port, the same broker for browsers. */
  readonly webSocketUrl: string;
}

/** Access to store and broker. */
export interface CloudAccess {
  readonly store: StoreAccess;
  readonly broker: CloudBrokerAccess;
}

/** Whom access is about. */
export interface CameraName {
  /** Default: the tenant the cloud was started with. */
  readonly tenant?: string;
  /** 32 lower-case hex digits. */
  readonly camera: string;
}

/** Managing who has access; the same in the cloud's process and, by `connectCloud`, from another. */
export interface CloudControl {
  /** An owner's access; a tenant that is new is made. */
  owner(tenant?: string): Promise<CloudAccess>;
  /** A camera's access, valid at once; for a camera that is known, what it was given last. */
  addCamera(name: CameraName): Promise<CloudAccess>;
  /** Further access for a known camera. What it has goes on being valid until `retireCamera`. */
  rotateCamera(name: CameraName): Promise<CloudAccess>;
  /** Ends all access of a camera but the newest; connections made with the older are closed. */
  retireCamera(name: CameraName): Promise<void>;
  /** Ends a camera's access; what it stored stays. */
  removeCamera(name: CameraName): Promise<void>;
  /** Ids of a tenant's cameras. */
  cameras(tenant?: string): Promise<string[]>;
}
