/** What somebody is given to use the cloud: the same shapes for a camera and for an owner. All of it is secret. */

/** Access to the object store. */
export interface StoreAccess {
  /** https://host:port; objects are at `endpoint/bucket/key`. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The only authority to trust for this endpoint, PEM. */
  readonly caPem: string;
}

/** Access to the broker. */
export interface BrokerAccess {
  /** mqtts://host:port */
  readonly url: string;
  /** wss://host:port, for browsers. */
  readonly webSocketUrl: string;
  readonly username: string;
  readonly password: string;
  /** The only authority to trust for both addresses, PEM. */
  readonly caPem: string;
}

/** Access to both. */
export interface CloudAccess {
  readonly store: StoreAccess;
  readonly broker: BrokerAccess;
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
