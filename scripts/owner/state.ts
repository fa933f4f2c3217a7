/**
 * An owner as JSON text, for the state file and for backups, and back (FORMAT.md, "State file").
 */

import { toHex } from "../../agent/identity/encoding.ts";
import { isTenant } from "../../agent/seal/names.ts";
import { Problem } from "../build/problem.mjs";
import { accessFrom, accessJson } from "./access.ts";
import { boxPairOf, type SigningPair, signingPairOf, toBase64 } from "./crypto.ts";
import {
  asFields,
  bytes,
  count,
  type Fields,
  list,
  onlyFields,
  parseFields,
  text,
} from "./json.ts";
import type { Camera, Owner, SignedList } from "./owner.ts";

const CAMERA_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** Checks the owner's name for a camera. Throws Problem where it is malformed. */
export function checkCameraName(name: string): string {
  if (CAMERA_NAME.test(name)) return name;
  throw new Problem(
    `"${name}" cannot be a camera's name; use a-z, 0-9 and -, at most 32 characters.`,
  );
}

/** The owner as JSON. Holds all secrets. */
export function ownerJson(owner: Owner): string {
  return JSON.stringify(
    {
      tenant: owner.tenant,
      root_secret: toBase64(owner.root.secretKey.subarray(0, 32)),
      signer_secret: toBase64(owner.signer.secretKey.subarray(0, 32)),
      vaults: owner.vaults.map((vault) => ({
        version: vault.version,
        secret: toBase64(vault.secretKey),
      })),
      recovery: owner.recovery && {
        public_key: toBase64(owner.recovery.publicKey),
        mac: toBase64(owner.recovery.mac),
      },
      list: {
        version: owner.list.version,
        list: toBase64(owner.list.list),
        signature: toBase64(owner.list.signature),
      },
      access: owner.access && accessJson(owner.access),
      cameras: owner.cameras.map(cameraJson),
    },
    null,
    2,
  );
}

function cameraJson(camera: Camera) {
  const token = camera.state === "paired" ? undefined : camera.token;
  const record = camera.state === "expected" ? camera.answer : camera;
  return {
    name: camera.name,
    id: toHex(camera.id),
    token: token && toBase64(token),
    provisioning_files: camera.state === "expected" ? camera.files : undefined,
    record: record && toBase64(record.record),
    signature: record && toBase64(record.signature),
    retired_us: camera.state === "retired" ? camera.retired_us : undefined,
  };
}

/** Reads what `ownerJson` made. Throws Problem that names `source` and the field. */
export function parseOwner(json: string, source: string): Owner {
  const fields = parseFields(json, source);
  onlyFields(
    fields,
    [
      ...["tenant", "root_secret", "signer_secret", "vaults", "recovery"],
      ...["list", "access", "cameras"],
    ],
    source,
  );
  const tenant = text(fields, "tenant", source);
  if (!isTenant(tenant)) throw new Problem(`${source}: "tenant" is malformed.`);
  const recovery = fields.recovery;
  const access = fields.access;
  return {
    tenant,
    root: pair(fields, "root_secret", source),
    signer: pair(fields, "signer_secret", source),
    vaults: list(fields, "vaults", source).map((vault) => ({
      version: count(vault, "version", source),
      ...boxPairOf(bytes(vault, "secret", source, 32)),
    })),
    ...(recovery === undefined ? {} : { recovery: readRecovery(recovery, source) }),
    list: readList(fields.list, source),
    ...(access === undefined ? {} : { access: accessFrom(access, `${source}: "access"`) }),
    cameras: list(fields, "cameras", source).map((camera) => readCamera(camera, source)),
  };
}

function pair(fields: Fields, name: string, source: string): SigningPair {
  return signingPairOf(bytes(fields, name, source, 32));
}

function readRecovery(value: unknown, source: string) {
  const fields = asFields(value, `${source}: "recovery"`);
  return {
    publicKey: bytes(fields, "public_key", source, 32),
    mac: bytes(fields, "mac", source, 32),
  };
}

function readList(value: unknown, source: string): SignedList {
  const fields = asFields(value, `${source}: "list"`);
  return {
    version: count(fields, "version", source),
    list: bytes(fields, "list", source),
    signature: bytes(fields, "signature", source, 64),
  };
}

function readCamera(fields: Fields, source: string): Camera {
  const names = {
    name: text(fields, "name", source, CAMERA_NAME),
    id: new Uint8Array(Buffer.from(text(fields, "id", source, /^[0-9a-f]{32}$/), "hex")),
  };
  const record =
    fields.record === undefined
      ? undefined
      : {
          record: bytes(fields, "record", source),
          signature: bytes(fields, "signature", source, 64),
        };
  const has = (name: string) => fields[name] !== undefined;
  if (record && has("retired_us")) {
    const token = has("token") ? { token: bytes(fields, "token", source, 32) } : {};
    const retired_us = count(fields, "retired_us", source);
    return { ...names, state: "retired", retired_us, ...record, ...token };
  }
  if (record && !has("token")) return { ...names, state: "paired", ...record };
  const token = bytes(fields, "token", source, 32);
  const files = fields.provisioning_files === undefined ? {} : { files: paths(fields, source) };
  return { ...names, state: "expected", token, ...(record ? { answer: record } : {}), ...files };
}

function paths(fields: Fields, source: string): string[] {
  const found = fields.provisioning_files;
  const isPath = (value: unknown) => typeof value === "string";
  if (Array.isArray(found) && found.every(isPath)) return found;
  throw new Problem(`${source}: "provisioning_files" must be a list of paths.`);
}
