/**
 * Update roots: the keys that sign images, and their succession (ota/FORMAT.md, "Roots"). Pure but for the cryptography it is
 * given.
 *
 * A camera starts from `ownerRoots`, or from `anchoredRoots` where its provisioning file brings some, and takes version after
 * version with `nextRoots`. What it keeps it reads again with `keptRoots`.
 */
import { ocellus } from "#proto";
import { ascii, same, toHex } from "../identity/encoding.ts";
import { isUpdateRefused, refuseUpdate, type UpdateRefused } from "./refusal.ts";
import {
  decodeBounded,
  readSigned,
  type Signed,
  signersOf,
  type UpdateCrypto,
} from "./signatures.ts";

export const ROOT_KEYS_MAX = 16;
export const ROOTS_DOMAIN = ascii("ocellus/v1/update-roots\0");

/** Whose signatures, and how many of them, make an update good. Every field was checked. */
export interface UpdateRoots {
  readonly tenant: string;
  /** 0: the owner's root key alone; from 1 what was published. */
  readonly version: number;
  /** 1 to the number of keys. */
  readonly threshold: number;
  /** Ed25519 public keys, 1 to 16, all different. */
  readonly keys: readonly Uint8Array[];
  /** Images with a lower security counter are revoked. */
  readonly securityCounterLeast: number;
}

/** y of the points of small order, in the encodings that decode to them, without the sign bit: as libsodium refuses them. */
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/** What an owner has who set nothing up: 1 of 1, the owner's root key. */
export function ownerRoots(tenant: string, rootKey: Uint8Array): UpdateRoots {
  return { tenant, version: 0, threshold: 1, keys: [rootKey], securityCounterLeast: 0 };
}

/** Roots out of a source that is trusted by itself, such as a provisioning file. Refuses `roots-threshold`, `roots-keys`. */
export function anchoredRoots(roots: UpdateRoots): UpdateRoots | UpdateRefused {
  return checkKeys(roots) ?? roots;
}

/** Takes SignedRoots apart; verifies nothing. Refuses `too-long`, `malformed`, `critical-field`, `too-many-signatures`, `field-value`. */
export function parseSignedRoots(bytes: Uint8Array): Signed | UpdateRefused {
  const message = decodeBounded(ocellus.v1.SignedRoots, bytes);
  return isUpdateRefused(message) ? message : readSigned(message.roots, message.signatures);
}

/**
 * Decodes raw UpdateRoots, signed or not. Refuses `malformed`, `critical-field`, `field-value`, `roots-threshold`, `roots-keys`.
 */
export function readRoots(raw: Uint8Array): UpdateRoots | UpdateRefused {
  const message = decodeBounded(ocellus.v1.UpdateRoots, raw);
  if (isUpdateRefused(message)) return message;
  const { tenant, version, threshold, keys, securityCounterLeast, signedUs } = message;
  if (version < 1 || signedUs < 1) return refuseUpdate("field-value");
  return anchoredRoots({ tenant, version, threshold, keys, securityCounterLeast });
}

function checkKeys({ keys, threshold }: UpdateRoots): UpdateRefused | null {
  if (keys.length < 1 || keys.length > ROOT_KEYS_MAX) return refuseUpdate("roots-keys");
  for (const [i, key] of keys.entries()) {
    const isTwice = keys.slice(0, i).some((other) => same(other, key));
    if (key.length !== 32 || isTwice || isSmallOrder(key)) return refuseUpdate("roots-keys");
  }
  return threshold < 1 || threshold > keys.length ? refuseUpdate("roots-threshold") : null;
}

/** Whether anybody can sign for such a key where a verifier does not look: libsodium does, tweetnacl and OpenSSL do not. */
function isSmallOrder(key: Uint8Array): boolean {
  const y = key.slice();
  y[31] = (y[31] ?? 0) & 0x7f;
  return SMALL_ORDER.includes(toHex(y));
}

/**
 * The version after the one in force. Refuses what `parseSignedRoots` and `readRoots` do, `roots-tenant`, `roots-version` (not
 * the next), `roots-counter`, `signature`, `roots-old`, `roots-new`. Tenant and version are told apart before signatures, so
 * that the reason is the nearest; nothing is believed of roots that are refused.
 */
export function nextRoots(
  crypto: UpdateCrypto,
  bytes: Uint8Array,
  current: UpdateRoots,
): UpdateRoots | UpdateRefused {
  const read = readBoth(bytes);
  if (isUpdateRefused(read)) return read;
  const [signed, next] = read;
  if (next.tenant !== current.tenant) return refuseUpdate("roots-tenant");
  if (next.version !== current.version + 1) return refuseUpdate("roots-version");
  if (next.securityCounterLeast < current.securityCounterLeast)
    return refuseUpdate("roots-counter");
  const old = signersOf(crypto, ROOTS_DOMAIN, signed, current.keys);
  if (isUpdateRefused(old)) return old;
  if (old.length < current.threshold) return refuseUpdate("roots-old");
  return signedByItself(crypto, signed, next);
}

/**
 * Roots that were taken before and kept where only the updater writes: their own threshold and the tenant are checked again.
 * Refuses what `parseSignedRoots` and `readRoots` do, `roots-tenant`, `signature`, `roots-new`.
 */
export function keptRoots(
  crypto: UpdateCrypto,
  bytes: Uint8Array,
  tenant: string,
): UpdateRoots | UpdateRefused {
  const read = readBoth(bytes);
  if (isUpdateRefused(read)) return read;
  const [signed, roots] = read;
  return roots.tenant === tenant
    ? signedByItself(crypto, signed, roots)
    : refuseUpdate("roots-tenant");
}

function readBoth(bytes: Uint8Array): [Signed, UpdateRoots] | UpdateRefused {
  const signed = parseSignedRoots(bytes);
  if (isUpdateRefused(signed)) return signed;
  const roots = readRoots(signed.raw);
  return isUpdateRefused(roots) ? roots : [signed, roots];
}

function signedByItself(
  crypto: UpdateCrypto,
  signed: Signed,
  roots: UpdateRoots,
): UpdateRoots | UpdateRefused {
  const own = signersOf(crypto, ROOTS_DOMAIN, signed, roots.keys);
  if (isUpdateRefused(own)) return own;
  return own.length < roots.threshold ? refuseUpdate("roots-new") : roots;
}
