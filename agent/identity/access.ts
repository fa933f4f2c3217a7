/**
 * Store and broker access: shape checks, and the rule that old access is kept until the new one has worked.
 * Message: `AccessState` in identity.proto. Pure.
 */
import type { ocellus } from "#proto";
import { parseOrigin } from "./origin.ts";

type Access = ocellus.v1.Access.$Properties;
type Store = ocellus.v1.StoreAccess.$Properties;
type Broker = ocellus.v1.BrokerAccess.$Properties;

/** Access with every part present and of the right shape. */
export interface CheckedAccess {
  readonly store: StoreAccess;
  readonly broker: BrokerAccess;
}

export interface StoreAccess {
  /** https://host[:port] */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** PEM of the authorities that may sign the store's certificate: the camera has no others. */
  readonly caPem: string;
  readonly pathStyle: boolean;
  /** Empty: none. */
  readonly sessionToken: string;
}

export interface BrokerAccess {
  /** mqtts://host[:port] */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** As for the store. */
  readonly caPem: string;
}

/** Whether `ca_pem` may be empty: only on the owner's side, which finds it out before a camera gets the access. */
export type CaRule = "ca required" | "ca optional";

/** One file holds two accesses with two sets of certificates each, so each set is bounded well below a quarter of it. */
export const CA_PEM_LENGTH = 12_288;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
/** Goes into HTTP headers and the signature's scope: visible ASCII without a slash in the region. */
const REGION = /^[A-Za-z0-9-]{1,64}$/;
const VISIBLE = /^[!-~]+$/;

/** The first mistake in store access, as one sentence that names the field; `null` where there is none. */
export function mistakeInStore(store: Store, rule: CaRule = "ca required"): string | null {
  if (parseOrigin(store.endpoint ?? "", "https", 443) === null) {
    return `"store.endpoint" must be https://host or https://host:port, without a path.`;
  }
  if (!REGION.test(store.region ?? "")) {
    return `"store.region" must be 1 to 64 letters, digits or hyphens, such as us-east-1.`;
  }
  if (!BUCKET.test(store.bucket ?? "")) {
    return `"store.bucket" must be a bucket's name: 3 to 63 lower-case letters, digits, dots or hyphens.`;
  }
  return (
    mistakeInCredential("store.access_key_id", store.accessKeyId, 256) ??
    mistakeInCredential("store.secret_access_key", store.secretAccessKey, 256) ??
    (store.sessionToken
      ? mistakeInCredential("store.session_token", store.sessionToken, 4096)
      : null) ??
    mistakeInCa("store.ca_pem", store.caPem, rule)
  );
}

/** The first mistake in broker access, likewise. */
export function mistakeInBroker(broker: Broker, rule: CaRule = "ca required"): string | null {
  if (parseOrigin(broker.url ?? "", "mqtts", 8883) === null) {
    return `"broker.url" must be mqtts://host or mqtts://host:port, without a path.`;
  }
  return (
    mistakeInLogin("broker.username", broker.username) ??
    mistakeInLogin("broker.password", broker.password) ??
    mistakeInCa("broker.ca_pem", broker.caPem, rule)
  );
}

function mistakeInCredential(
  field: string,
  value: string | null | undefined,
  most: number,
): string | null {
  const text = value ?? "";
  return VISIBLE.test(text) && text.length <= most
    ? null
    : `"${field}" must be 1 to ${most} visible ASCII characters.`;
}

function mistakeInLogin(field: string, value: string | null | undefined): string | null {
  const text = value ?? "";
  const printable = [...text].every((letter) => letter >= " " && letter !== "\x7f");
  return text.length >= 1 && text.length <= 256 && printable
    ? null
    : `"${field}" must be 1 to 256 characters without control characters.`;
}

function mistakeInCa(field: string, value: string | null | undefined, rule: CaRule): string | null {
  const text = value ?? "";
  if (text === "") {
    return rule === "ca optional"
      ? null
      : `"${field}" is missing: a camera trusts no authority but those named there.`;
  }
  if (text.length > CA_PEM_LENGTH) return `"${field}" must be at most ${CA_PEM_LENGTH} characters.`;
  return text.includes("-----BEGIN CERTIFICATE-----") && text.includes("-----END CERTIFICATE-----")
    ? null
    : `"${field}" must hold certificates in PEM form.`;
}

/** Checks a whole access, as a command or the state file carries it. */
export function checkAccess(
  access: Access,
  rule: CaRule = "ca required",
): CheckedAccess | { readonly mistake: string } {
  const { store, broker } = access;
  if (!store) return { mistake: `"store" is missing.` };
  if (!broker) return { mistake: `"broker" is missing.` };
  const mistake = mistakeInStore(store, rule) ?? mistakeInBroker(broker, rule);
  if (mistake !== null) return { mistake };
  return {
    store: {
      endpoint: store.endpoint ?? "",
      region: store.region ?? "",
      bucket: store.bucket ?? "",
      accessKeyId: store.accessKeyId ?? "",
      secretAccessKey: store.secretAccessKey ?? "",
      caPem: store.caPem ?? "",
      pathStyle: store.pathStyle ?? false,
      sessionToken: store.sessionToken ?? "",
    },
    broker: {
      url: broker.url ?? "",
      username: broker.username ?? "",
      password: broker.password ?? "",
      caPem: broker.caPem ?? "",
    },
  };
}
