/**
 * Backups: all of an owner's secrets, sealed to the recovery recipient (FORMAT.md, "Backup").
 */
import { toHex } from "../../agent/identity/encoding.ts";
import { NONCE_KIND, nonce, subkey } from "../../agent/seal/nonce.ts";
import { crypto, hmacSha256, keyId, random, toBase64, wipe } from "./crypto.ts";
import { bytes, count, type Fields, onlyFields, parseFields } from "./json.ts";
import type { Owner } from "./owner.ts";
import { recoveryKeys } from "./phrase.ts";
import { ownerJson, parseOwner } from "./state.ts";
import { OwnerTrouble } from "./trouble.ts";

const FORMAT = "ocellus-backup-1";
/** A backup is sealed under a key of its own, so the nonce's counters have nothing to tell apart. */
const ONLY = { stream: 0, boot: 0, epoch: 0, seq: 0 } as const;

/**
 * Seals all secrets of an owner. Throws OwnerTrouble where the owner has no recovery phrase.
 * @param made_us when, microseconds since 1970 UTC.
 * @returns the backup file's text; it needs no protection but against loss.
 */
export function makeBackup(owner: Owner, made_us: number): string {
  const { recovery } = owner;
  if (!recovery) {
    throw new OwnerTrouble(
      "These keys were made without a recovery phrase; no backup can be made.",
    );
  }
  const ephemeral = crypto.boxKeypair();
  const shared = crypto.boxBefore(recovery.publicKey, ephemeral.secretKey);
  if (shared === null) throw new Error("the recovery key is a low-order point");
  const key = random(32);
  const body = subkey(crypto, "body", key);
  const plain = new TextEncoder().encode(ownerJson(owner));
  const fields = {
    format: FORMAT,
    made_us,
    recipient: toBase64(keyId(recovery.publicKey)),
    ephemeral: toBase64(ephemeral.publicKey),
    wrap: toBase64(crypto.secretbox(key, nonce(NONCE_KIND.backupWrap, ONLY), shared)),
    commitment: toBase64(subkey(crypto, "commitment", key)),
    box: toBase64(crypto.secretbox(plain, nonce(NONCE_KIND.backupBody, ONLY), body)),
  };
  wipe(ephemeral.secretKey, shared, key, body, plain);
  const mac = toBase64(macOf(recovery.mac, fields));
  return `${JSON.stringify({ ...fields, mac }, null, 2)}\n`;
}

/**
 * Opens a backup with the recovery phrase.
 * Throws OwnerTrouble where it is damaged, altered, or of another phrase.
 * @returns the owner, whom the caller wipes, and when the backup was made.
 */
export function openBackup(file: string, source: string, phrase: string) {
  const fields = parseFields(file, source);
  onlyFields(fields, [...SIGNED, "mac"], source);
  if (fields.format !== FORMAT) {
    throw new OwnerTrouble(`${source} is not a backup of this version of ocellus.`);
  }
  const part = (name: string, length?: number) => bytes(fields, name, source, length);
  const keys = recoveryKeys(phrase);
  try {
    if (!crypto.equal(part("recipient", 8), keyId(keys.box.publicKey))) {
      throw new OwnerTrouble(`${source} belongs to another recovery phrase.`);
    }
    if (!crypto.equal(part("mac", 32), macOf(keys.mac, fields))) {
      throw new OwnerTrouble(`${source} was altered after it was made; use another copy.`);
    }
    const shared = crypto.boxBefore(part("ephemeral", 32), keys.box.secretKey);
    const key =
      shared && crypto.secretboxOpen(part("wrap", 48), nonce(NONCE_KIND.backupWrap, ONLY), shared);
    // With a right MAC only a defect of the maker gets here.
    if (!key || !crypto.equal(part("commitment", 32), subkey(crypto, "commitment", key))) {
      throw new OwnerTrouble(`${source} does not open with this phrase.`);
    }
    const body = subkey(crypto, "body", key);
    const plain = crypto.secretboxOpen(part("box"), nonce(NONCE_KIND.backupBody, ONLY), body);
    if (!plain) throw new OwnerTrouble(`${source} does not open with this phrase.`);
    const owner = parseOwner(new TextDecoder().decode(plain), source);
    wipe(shared ?? undefined, key, body, plain);
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
