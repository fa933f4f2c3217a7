/** Names of objects in the store and of MQTT topics (FORMAT.md, "Chain and name", "Records"), both ways. */
import { fromHex, toHex } from "../identity/encoding.ts";
import { type Refused, refuse } from "./refusal.ts";

/** What lets the store's life-cycle rules tell footage apart; `all` where the owner turned classes off. */
export type FootageClass = "event" | "continuous" | "all";

export interface SegmentName {
  readonly tenant: string;
  /** 16 bytes. */
  readonly camera: Uint8Array;
  /** 0 or 1. */
  readonly stream: number;
  readonly footageClass: FootageClass;
  /** 1 to 2^32 - 1. */
  readonly boot: number;
  /** 0 to 9,999,999,999. */
  readonly seq: number;
  /** First 16 bytes of the header hash. A longer hash may be given for making a name; parsing gives 16. */
  readonly hash: Uint8Array;
}

const TENANT = "[a-z0-9][a-z0-9-]{0,31}";
const CAMERA = "[0-9a-f]{32}";
const TEN = "[0-9]{10}";
const SEGMENT = new RegExp(
  `^v1/(${TENANT})/(${CAMERA})/([01])/(event|continuous|all)/(${TEN})/(${TEN})-([0-9a-f]{32})$`,
);
const BOOT = new RegExp(`^(v1/(${TENANT})/(${CAMERA})/boot/(${TEN}))-([0-9a-f]{32})$`);

/** True for a tenant that names may carry. */
export function isTenant(text: string): boolean {
  return new RegExp(`^${TENANT}$`).test(text);
}

/** Everything a camera puts stands under this prefix, `v1/<tenant>/<camera>/`. */
export function cameraPrefix(tenant: string, camera: Uint8Array): string {
  if (!isTenant(tenant) || camera.length !== 16) throw new RangeError("not a tenant and a camera");
  return `v1/${tenant}/${toHex(camera)}/`;
}

function ten(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0 || value > 9_999_999_999)
    throw new RangeError("does not fit ten digits");
  return value.toString().padStart(10, "0");
}

/** The object's name; throws RangeError for fields out of range. */
export function segmentObjectName(name: SegmentName): string {
  const { stream, footageClass, boot, seq, hash } = name;
  const prefix = cameraPrefix(name.tenant, name.camera);
  return `${prefix}${stream}/${footageClass}/${ten(boot)}/${ten(seq)}-${toHex(hash.subarray(0, 16))}`;
}

/** Refuses (`name`) whatever `segmentObjectName` would not have made. */
export function parseSegmentObjectName(text: string): SegmentName | Refused {
  const match = SEGMENT.exec(text);
  if (match === null) return refuse("name");
  const [, tenant = "", cameraHex = "", stream, footageClass, boot, seq, hashHex = ""] = match;
  const camera = fromHex(cameraHex);
  const hash = fromHex(hashHex);
  const bootNumber = Number(boot);
  if (camera === null || hash === null || !isBoot(bootNumber)) return refuse("name");
  if (footageClass !== "event" && footageClass !== "continuous" && footageClass !== "all")
    return refuse("name");
  return {
    tenant,
    camera,
    stream: Number(stream),
    footageClass,
    boot: bootNumber,
    seq: Number(seq),
    hash,
  };
}

/** What a boot record is signed over instead of an MQTT topic: its object's name without the last `-<…>`. */
export function bootRecordTopic(tenant: string, camera: Uint8Array, boot: number): string {
  return `${cameraPrefix(tenant, camera)}boot/${ten(boot)}`;
}

/** Name of a boot record; `envelopeSha256` is the SHA-256 of its envelope. */
export function bootObjectName(
  tenant: string,
  camera: Uint8Array,
  boot: number,
  envelopeSha256: Uint8Array,
): string {
  return `${bootRecordTopic(tenant, camera, boot)}-${toHex(envelopeSha256.subarray(0, 16))}`;
}

export interface BootObjectName {
  readonly tenant: string;
  readonly camera: Uint8Array;
  readonly boot: number;
  /** First 16 bytes of the envelope's SHA-256. */
  readonly hash: Uint8Array;
  /** What the record is signed over. */
  readonly topic: string;
}

/** Refuses (`name`) whatever `bootObjectName` would not have made. */
export function parseBootObjectName(text: string): BootObjectName | Refused {
  const match = BOOT.exec(text);
  if (match === null) return refuse("name");
  const [, topic = "", tenant = "", cameraHex = "", bootText, hashHex = ""] = match;
  const camera = fromHex(cameraHex);
  const hash = fromHex(hashHex);
  const boot = Number(bootText);
  if (camera === null || hash === null || !isBoot(boot)) return refuse("name");
  return { tenant, camera, boot, hash, topic };
}

/** The last level of a camera's MQTT topics. */
export type TopicLeaf = "link" | "status" | "seg" | "evt" | "live" | "cmd" | "rsp";

/** `v1/<tenant>/<camera>/<leaf>`. */
export function topicName(tenant: string, camera: Uint8Array, leaf: TopicLeaf): string {
  return cameraPrefix(tenant, camera) + leaf;
}

/** True for a boot counter: 1 to 2^32 - 1. */
export function isBoot(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 0xffff_ffff;
}
