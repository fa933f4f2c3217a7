/**
 * The recipients' list: who can open footage and who may sign commands (identity/FORMAT.md, "Recipients' list"). Pure
 * but for the cryptography it is given.
 */
import { ocellus } from "#proto";
import type { Native } from "../runtime/native.d.ts";
import { decodeMessage } from "../seal/decode.ts";
import { isRefused } from "../seal/refusal.ts";
import { ascii, join, keyId, toHex } from "./encoding.ts";
import { files } from "./files.ts";

const { Role } = ocellus.v1;

/** A list that the root key signed and whose every entry was checked. */
export interface Recipients {
  readonly version: number;
  /** SHA-256 of the list, raw as signed. */
  readonly hash: Uint8Array;
  /** X25519 public keys, 1 to 16, all different, none of low order. */
  readonly boxKeys: readonly Uint8Array[];
  readonly signers: readonly Signer[];
}

export interface Signer {
  /** 8 bytes. */
  readonly id: Uint8Array;
  /** Ed25519 public key. */
  readonly signingKey: Uint8Array;
  readonly roles: ReadonlySet<ocellus.v1.Role>;
}

/** What a list is judged by. */
export interface RecipientsJudge {
  readonly rootKey: Uint8Array;
  readonly tenant: string;
  /** The camera's own X25519 secret: a shared key is computed once to see whether a recipient's key is of low order. */
  readonly boxSecret: Uint8Array;
}

/** One sentence for the owner. */
export interface Mistake {
  readonly mistake: string;
}

type Crypto = Pick<Native, "verify" | "sha256" | "boxBefore" | "wipe">;

export const RECIPIENTS_MAX = 16;
export const SIGNERS_MAX = 32;
const DOMAIN = ascii("ocellus/v1/recipients\0");

const text = (why: string): Mistake => ({ mistake: `The recipients' list ${why}.` });

/** Checks signature, tenant and entries. That the version has risen is the caller's to check: it knows the counters. */
export function checkRecipients(
  signed: ocellus.v1.SignedRecipients.$Properties,
  judge: RecipientsJudge,
  crypto: Crypto,
): Recipients | Mistake {
  const { list: raw, signature } = signed;
  if (!raw || !signature) return text("is missing");
  // Verified before it is parsed: nothing of an unsigned list is looked at.
  if (!crypto.verify(signature, join(DOMAIN, raw), judge.rootKey)) {
    return text("is not signed by the owner's root key");
  }
  const list = decodeMessage(ocellus.v1.RecipientsList, raw);
  if (isRefused(list)) return text(`cannot be read (${list.refused})`);
  if (list.tenant !== judge.tenant) return text("belongs to another tenant");
  if (list.version < 1) return text("has no version");
  const boxKeys = readBoxKeys(list.recipients, judge, crypto);
  if ("mistake" in boxKeys) return boxKeys;
  const signers = readSigners(list.signers, crypto);
  if ("mistake" in signers) return signers;
  return { version: list.version, hash: crypto.sha256(raw), boxKeys, signers };
}

function readBoxKeys(
  recipients: readonly ocellus.v1.Recipient.$Properties[],
  judge: RecipientsJudge,
  crypto: Crypto,
): Uint8Array[] | Mistake {
  if (recipients.length < 1 || recipients.length > RECIPIENTS_MAX) {
    return text(`must hold 1 to ${RECIPIENTS_MAX} recipients, not ${recipients.length}`);
  }
  const seen = new Set<string>();
  const keys: Uint8Array[] = [];
  for (const { boxKey } of recipients) {
    if (boxKey?.length !== 32) return text("has a recipient whose key is not 32 bytes");
    const id = toHex(boxKey);
    if (seen.has(id)) return text("names a recipient twice");
    seen.add(id);
    const shared = crypto.boxBefore(boxKey, judge.boxSecret);
    if (shared === null) return text("has a recipient whose key is of low order");
    crypto.wipe(shared);
    keys.push(new Uint8Array(boxKey));
  }
  return keys;
}

function readSigners(
  signers: readonly ocellus.v1.Signer.$Properties[],
  crypto: Crypto,
): Signer[] | Mistake {
  if (signers.length > SIGNERS_MAX) {
    return text(`must hold at most ${SIGNERS_MAX} signers, not ${signers.length}`);
  }
  const seen = new Set<string>();
  const read: Signer[] = [];
  for (const { signingKey, roles } of signers) {
    if (signingKey?.length !== 32) return text("has a signer whose key is not 32 bytes");
    const id = keyId(crypto.sha256, signingKey);
    const hex = toHex(id);
    if (seen.has(hex)) return text("names a signer twice");
    seen.add(hex);
    read.push({ id, signingKey: new Uint8Array(signingKey), roles: new Set(roles ?? []) });
  }
  return read;
}

/**
 * Whether a signer with `roles` may do what needs `role`. Admin includes control, control includes view; operator is
 * apart and includes nothing of them.
 */
export function mayAct(roles: ReadonlySet<ocellus.v1.Role>, role: ocellus.v1.Role): boolean {
  if (roles.has(role)) return true;
  if (role === Role.ROLE_VIEW) {
    return roles.has(Role.ROLE_CONTROL) || roles.has(Role.ROLE_ADMIN);
  }
  return role === Role.ROLE_CONTROL && roles.has(Role.ROLE_ADMIN);
}

/**
 * The list kept on flash, for a start of a paired camera. `newest` is the highest version ever taken: an older list on
 * flash is one that somebody put back.
 */
export function loadRecipients(
  native: Pick<Native, "readState" | "writeState"> & Crypto,
  judge: RecipientsJudge,
  newest: number,
): Recipients | Mistake {
  const file = files.recipients.load(native);
  if (file.is === "absent") return { mistake: `The state file "recipients" is missing.` };
  if (file.is === "bad") return { mistake: file.why };
  const list = checkRecipients(file.value, judge, native);
  if ("mistake" in list) return list;
  return list.version >= newest
    ? list
    : text(`on flash has version ${list.version}, but ${newest} was taken before`);
}
