/**
 * The provisioning file `ocellus-provision.json` (identity/FORMAT.md, "Provisioning file"). Pure.
 * A mistake becomes one sentence that names the field; unknown fields are refused, so that a typing error cannot pass
 * as a default.
 */

import { isTenant } from "../seal/names.ts";
import {
  type CaRule,
  type CheckedAccess,
  checkAccess,
  mistakeInBroker,
  mistakeInStore,
} from "./access.ts";
import { fromBase64, fromHex } from "./encoding.ts";

/** Everything the owner hands to a new camera. `token`, `seed` and the credentials in `access` and `wifi` are secret. */
export interface Provisioning {
  /** 16 bytes. */
  readonly camera: Uint8Array;
  readonly tenant: string;
  /** 32 bytes each. */
  readonly token: Uint8Array;
  readonly rootKey: Uint8Array;
  readonly seed: Uint8Array;
  readonly access: CheckedAccess;
  /** For boards with Wi-Fi (later): checked, and used by nothing yet. `null` where the file has none. */
  readonly wifi: Wifi | null;
}

export interface Wifi {
  /** 1 to 32 bytes of UTF-8, of any characters. */
  readonly ssid: string;
  /** Secret: 8 to 63 printable ASCII characters, or the key itself as 64 hex digits (IEEE 802.11); `null`: an open network. */
  readonly passphrase: string | null;
  /** Not announced by its access point. */
  readonly hidden: boolean;
}

/** At least one sentence, in the order of the fields in FORMAT.md. */
export interface Mistakes {
  readonly mistakes: readonly string[];
}

export const PROVISIONING_FORMAT = "ocellus-provision-1";
export const PROVISIONING_BYTES = 65_536;

type Fields = { readonly [name: string]: unknown };

const TOP = ["format", "camera", "tenant", "token", "root_key", "seed", "store", "broker"];
const STORE_REQUIRED = ["endpoint", "region", "bucket", "access_key_id", "secret_access_key"];
const STORE_OPTIONAL = ["ca_pem", "path_style", "session_token"];
const BROKER_REQUIRED = ["url", "username", "password"];
/** All other fields of sections are text. */
const BOOLEANS = ["path_style", "hidden"];

const SSID_BYTES = 32;
const WIFI_PASSPHRASE = /^(?:[ -~]{8,63}|[0-9a-fA-F]{64})$/;

/** `decode` is UTF-8 with U+FFFD for malformed sequences (native.utf8Decode). */
export function parseProvisioning(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => string,
): Provisioning | Mistakes {
  if (bytes.length > PROVISIONING_BYTES) {
    return { mistakes: [`The provisioning file is larger than ${PROVISIONING_BYTES} bytes.`] };
  }
  const text = decode(bytes);
  if (text.includes("\ufffd")) return { mistakes: ["The provisioning file is not UTF-8."] };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { mistakes: ["The provisioning file is not JSON; write it again with `ocellus pair`."] };
  }
  const file = fieldsOf(json);
  if (file === null) return { mistakes: ["The provisioning file must be one JSON object."] };
  // Of another format nothing else can be said with certainty.
  if (file.format !== PROVISIONING_FORMAT) {
    return { mistakes: [`"format" must be "${PROVISIONING_FORMAT}".`] };
  }
  return readFields(file);
}

function readFields(file: Fields): Provisioning | Mistakes {
  const mistakes: string[] = [];
  const say = (mistake: string | null) => {
    if (mistake !== null) mistakes.push(mistake);
  };

  for (const mistake of wrongNames(file, "", TOP, ["wifi"])) say(mistake);
  const camera = "camera" in file ? hexField(file.camera) : null;
  if (camera === null && "camera" in file) say(`"camera" must be 32 lower-case hex digits.`);
  const tenant = file.tenant;
  const tenantFits = typeof tenant === "string" && isTenant(tenant);
  if (!tenantFits && "tenant" in file) {
    say(
      `"tenant" must be 1 to 32 lower-case letters, digits or hyphens, not starting with a hyphen.`,
    );
  }
  const keys = {
    token: keyField(file, "token"),
    root_key: keyField(file, "root_key"),
    seed: keyField(file, "seed"),
  };
  for (const [name, key] of Object.entries(keys)) {
    if (key === null && name in file) say(`"${name}" must be 32 bytes in base64.`);
  }
  const access = readAccess(file, say);
  const wifi = "wifi" in file ? readWifi(file.wifi, say) : null;

  const { token, root_key: rootKey, seed } = keys;
  if (
    mistakes.length > 0 ||
    camera === null ||
    !tenantFits ||
    token === null ||
    rootKey === null ||
    seed === null ||
    access === null
  ) {
    return { mistakes };
  }
  return { camera, tenant, token, rootKey, seed, access, wifi };
}

/**
 * Reads `store` and `broker` of `file`, saying each mistake but their absence; `null` after any. The owner's files share
 * it, with a rule of their own: there `caPem` may be empty.
 */
export function readAccess(
  file: Fields,
  say: (mistake: string | null) => void,
  rule: CaRule = "ca required",
): CheckedAccess | null {
  const store = section(file, "store", STORE_REQUIRED, STORE_OPTIONAL, say);
  const broker = section(file, "broker", BROKER_REQUIRED, ["ca_pem"], say);
  if (store === null || broker === null) return null;
  const pathStyle = store.path_style ?? true;
  if (typeof pathStyle !== "boolean") {
    say(`"store.path_style" must be true or false.`);
    return null;
  }
  const wireStore = {
    endpoint: textOf(store, "endpoint"),
    region: textOf(store, "region"),
    bucket: textOf(store, "bucket"),
    accessKeyId: textOf(store, "access_key_id"),
    secretAccessKey: textOf(store, "secret_access_key"),
    caPem: textOf(store, "ca_pem"),
    sessionToken: textOf(store, "session_token"),
    pathStyle,
  };
  const wireBroker = {
    url: textOf(broker, "url"),
    username: textOf(broker, "username"),
    password: textOf(broker, "password"),
    caPem: textOf(broker, "ca_pem"),
  };
  say(mistakeInStore(wireStore, rule));
  say(mistakeInBroker(wireBroker, rule));
  const access = checkAccess({ store: wireStore, broker: wireBroker }, rule);
  return "mistake" in access ? null : access;
}

/** The object `file[name]` with only known fields, all of text but BOOLEANS; `null` after saying what is wrong. */
function section(
  file: Fields,
  name: string,
  required: readonly string[],
  optional: readonly string[],
  say: (mistake: string) => void,
): Fields | null {
  if (!(name in file)) return null;
  const fields = fieldsOf(file[name]);
  if (fields === null) {
    say(`"${name}" must be an object.`);
    return null;
  }
  const mistakes = wrongNames(fields, `${name}.`, required, optional);
  for (const [field, value] of Object.entries(fields)) {
    const known = required.includes(field) || optional.includes(field);
    if (known && !BOOLEANS.includes(field) && typeof value !== "string") {
      mistakes.push(`"${name}.${field}" must be text in quotes.`);
    }
  }
  for (const mistake of mistakes) say(mistake);
  return mistakes.length === 0 ? fields : null;
}

function readWifi(value: unknown, say: (mistake: string) => void): Wifi | null {
  const fields = section({ wifi: value }, "wifi", ["ssid"], ["passphrase", "hidden"], say);
  if (fields === null) return null;
  const ssid = textOf(fields, "ssid");
  const ssidBytes = utf8Length(ssid);
  if (ssidBytes === null || ssidBytes < 1 || ssidBytes > SSID_BYTES) {
    say(`"wifi.ssid" must be 1 to ${SSID_BYTES} bytes of UTF-8.`);
  }
  const passphrase = "passphrase" in fields ? textOf(fields, "passphrase") : null;
  if (passphrase !== null && !WIFI_PASSPHRASE.test(passphrase)) {
    say(
      `"wifi.passphrase" must be 8 to 63 printable ASCII characters or 64 hex digits; leave it out for an open network.`,
    );
  }
  const hidden = "hidden" in fields ? fields.hidden : false;
  if (typeof hidden !== "boolean") {
    say(`"wifi.hidden" must be true or false.`);
    return null;
  }
  return { ssid, passphrase, hidden };
}

/** Bytes of `text` in UTF-8; `null` where half a surrogate pair has none. */
function utf8Length(text: string): number | null {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xd800 && code <= 0xdfff) return null;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}

function wrongNames(
  fields: Fields,
  prefix: string,
  required: readonly string[],
  optional: readonly string[],
): string[] {
  const mistakes: string[] = [];
  for (const name of required) {
    if (!Object.hasOwn(fields, name)) mistakes.push(`"${prefix}${name}" is missing.`);
  }
  for (const name of Object.keys(fields)) {
    if (!required.includes(name) && !optional.includes(name)) {
      mistakes.push(`"${prefix}${printable(name)}" is not a field of this file.`);
    }
  }
  return mistakes;
}

/** A name from the file as it may stand in the log. */
function printable(name: string): string {
  return name.slice(0, 64).replace(/[^ -~]/g, "?");
}

function fieldsOf(value: unknown): Fields | null {
  return isFields(value) ? value : null;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === "string" ? value : "";
}

function hexField(value: unknown): Uint8Array | null {
  return typeof value === "string" && value.length === 32 ? fromHex(value) : null;
}

function keyField(file: Fields, name: string): Uint8Array | null {
  const value = file[name];
  const bytes = typeof value === "string" ? fromBase64(value) : null;
  return bytes?.length === 32 ? bytes : null;
}
