/**
 * Access to a store and a broker in the JSON form that provisioning files, access files and the owner's
 * state share (agent/identity/FORMAT.md, "Provisioning file"; FORMAT.md here, "Access file").
 */
import type { BrokerAccess, CheckedAccess, StoreAccess } from "../../agent/identity/access.ts";
import { readAccess } from "../../agent/identity/provisioning.ts";
import { isTenant } from "../../agent/seal/names.ts";
import { Problem } from "../build/problem.mjs";
import { asFields, onlyFields, parseFields, text } from "./json.ts";

/** Store and broker access of one party, the owner or a camera; a `caPem` may be empty: see roots.ts. Holds secrets. */
export type Access = CheckedAccess;

/** What an access file holds. */
export interface AccessFile {
  /** Whose prefix the credentials are good for. */
  readonly tenant: string;
  /** For the owner's tools; absent where the owner's state has it already. */
  readonly owner?: Access;
  /** For the camera; absent where only the owner's access is told. */
  readonly camera?: Access;
}

/** Reads an access file's text. Throws Problem with a sentence that names the field. */
export function parseAccessFile(json: string, source: string): AccessFile {
  const fields = parseFields(json, source);
  onlyFields(fields, ["format", "tenant", "owner", "camera"], source);
  if (fields.format !== "ocellus-access-1") {
    throw new Problem(`${source}: "format" must be "ocellus-access-1".`);
  }
  const tenant = text(fields, "tenant", source);
  if (!isTenant(tenant)) {
    throw new Problem(`${source}: "tenant" must be a-z, 0-9 and -, at most 32 characters.`);
  }
  const party = (name: "owner" | "camera"): Partial<AccessFile> =>
    fields[name] === undefined ? {} : { [name]: accessFrom(fields[name], `${source}: "${name}"`) };
  return { tenant, ...party("owner"), ...party("camera") };
}

/** Checks one party's access in JSON form. Throws Problem with a sentence that names the field. */
export function accessFrom(value: unknown, source: string): Access {
  const mistakes: string[] = [];
  const say = (mistake: string | null) => {
    if (mistake !== null) mistakes.push(mistake);
  };
  const access = readAccess(asFields(value, source), say, "ca optional");
  if (access && mistakes.length === 0) return access;
  throw new Problem(`${source}: ${mistakes[0] ?? '"store" or "broker" is missing.'}`);
}

/** One party's access as JSON. */
export function accessJson(access: Access) {
  return { store: storeJson(access.store), broker: brokerJson(access.broker) };
}

function storeJson(store: StoreAccess) {
  return {
    endpoint: store.endpoint,
    region: store.region,
    bucket: store.bucket,
    access_key_id: store.accessKeyId,
    secret_access_key: store.secretAccessKey,
    // undefined is left out of JSON: an empty text would be refused on reading.
    ca_pem: store.caPem || undefined,
    path_style: store.pathStyle,
    session_token: store.sessionToken || undefined,
  };
}

function brokerJson(broker: BrokerAccess) {
  return {
    url: broker.url,
    username: broker.username,
    password: broker.password,
    ca_pem: broker.caPem || undefined,
  };
}
