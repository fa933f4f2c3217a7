/**
 * Backups: all of an owner's secrets, sealed to the recovery recipient (FORMAT.md, "Backup").
 */
import { toHex } from "../../agent/identity/encoding.ts";
import { openBody, sealBody } from "../../agent/seal/record.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { Problem } from "../build/problem.mjs";
import { crypto, hmacSha256, keyId, toBase64, wipe } from "./crypto.ts";
import { bytes, count, type Fields, onlyFields, parseFields } from "./json.ts";
import type { Owner } from "./owner.ts";
import { recoveryKeys } from "./phrase.ts";
import { ownerJson, parseOwner } from "./state.ts";

const FORMAT = "ocellus-backup-1";
/** A backup is sealed under a key of its own, so the nonce's counters have nothing to tell apart. */
const ONLY = { boot: 0, seq: 0 } as const;

/**
 * Seals all secrets of an owner. Throws Problem where the owner has no recovery phrase.
 * @param made_us when, microseconds since 1970 UTC.
 * @returns the backup file's text; it needs no protection but against loss.
 */
export function makeBackup(owner: Owner, made_us: number): string {
  const { recovery } = owner;
  if (!recovery) {
    throw new Problem("these keys were made without a recovery phrase; no backup can be made.");
  }
  const plain = new TextEncoder().encode(ownerJson(owner));
  const sealed = sealBody(crypto, "backup", ONLY, [recovery.publicKey], plain);
  wipe(plain);
  const [wrap] = isRefused(sealed) ? [] : sealed.wraps;
  if (isRefused(sealed) || !wrap) throw new Error("the recovery key is a low-order point");
  const fields = {
    format: FORMAT,
    made_us,
    recipient: toBase64(wrap.recipient),
    ephemeral: toBase64(sealed.ephemeral),
    wrap: toBase64(wrap.sealed),
    commitment: toBase64(sealed.commitment),
    box: toBase64(sealed.box),
  };
  const mac = toBase64(macOf(recovery.mac, fields));
  return `${JSON.stringify({ ...fields, mac }, null, 2)}\n`;
}

/**
 * Opens a backup with the recovery phrase.
 * Throws Problem where it is damaged, altered, or of another phrase.
 * @returns the owner, whom the caller wipes, and when the backup was made.
 */
export function openBackup(file: string, source: string, phrase: string) {
  const fields = parseFields(file, source);
  onlyFields(fields, [...SIGNED, "mac"], source);
  if (fields.format !== FORMAT) {
    throw new Problem(`${source} is not a backup of this version of ocellus.`);
  }
  const part = (name: string, length?: number) => bytes(fields, name, source, length);
  const keys = recoveryKeys(phrase);
  try {
    if (!crypto.equal(part("recipient", 8), keyId(keys.box.publicKey))) {
      throw new Problem(`${source} belongs to another recovery phrase.`);
    }
    if (!crypto.equal(part("mac", 32), macOf(keys.mac, fields))) {
      throw new Problem(`${source} was altered after it was made; use another copy.`);
    }
    const sealed = {
      ephemeral: part("ephemeral", 32),
      epoch: 0,
      wraps: [{ recipient: part("recipient", 8), sealed: part("wrap", 48) }],
      commitment: part("commitment", 32),
      box: part("box"),
    };
    const plain = openBody(crypto, "backup", ONLY, sealed, [keys.box]);
    // With a right MAC only a defect of the maker gets here.
    if (isRefused(plain)) throw new Problem(`${source} does not open (${plain.refused}).`);
    const owner = parseOwner(new TextDecoder().decode(plain), source);
    wipe(plain);
    return { owner, made_us: count(fields, "made_us", source) };
  } finally {
    wipe(keys.box.secretKey, keys.mac);
  }
}

/** A backup's object in the store: newest last, and named by its contents so that none replaces another. */
export function backupObjectName(tenant: string, made_us: number, file: string): string {
  const time = new Date(made_us / 1000).toISOString().replace(/[-:]|\.\d+/g, "");
  const hash = toHex(crypto.sha256(new TextEncoder().encode(file)).subarray(0, 8));
  return `${backupPrefix(tenant)}${time}-${hash}`;
}

/** What all backups of a tenant in the store are named by. */
export function backupPrefix(tenant: string): string {
  return `v1/${tenant}/owner/backup-`;
}

const SIGNED = [
  "format",
  "made_us",
  "recipient",
  "ephemeral",
  "wrap",
  "commitment",
  "box",
] as const;

/** HMAC over the fields in order, each as `name=value\n`, so that no JSON has to be written the same way twice. */
function macOf(key: Uint8Array, fields: Fields): Uint8Array {
  const lines = SIGNED.map((name) => `${name}=${String(fields[name])}\n`).join("");
  return hmacSha256(key, new TextEncoder().encode(`ocellus/v1/backup\n${lines}`));
}
