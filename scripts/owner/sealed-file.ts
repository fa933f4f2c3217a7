/**
 * Text under a passphrase, as files of secrets hold it (FORMAT.md, "Sealed files"): a secretbox under a scrypt key.
 *
 * A passphrase is asked for on the terminal or read from a file that the environment names; it never stands in a command line.
 */
import { scrypt } from "@noble/hashes/scrypt.js";
import { Problem } from "../build/problem.mjs";
import { crypto, random, toBase64, wipe } from "./crypto.ts";
import { bytes, count, type Fields, parseFields } from "./json.ts";

/** Cost of the passphrase: 2^17 × 8 × 128 B = 128 MiB and about a second (OWASP's first choice for scrypt). */
const SCRYPT = { log2_n: 17, r: 8, p: 1 } as const;

/** A key made from a passphrase, and how it was made. */
export interface PassphraseKey {
  readonly salt: Uint8Array;
  readonly secret: Uint8Array;
}

/** Makes the key of a new passphrase. The passphrase is wiped. */
export function passphraseKey(passphrase: Uint8Array, salt = random(16)): PassphraseKey {
  try {
    const secret = scrypt(passphrase, salt, {
      ...{ N: 2 ** SCRYPT.log2_n, r: SCRYPT.r, p: SCRYPT.p, dkLen: 32 },
    });
    return { salt, secret };
  } finally {
    wipe(passphrase);
  }
}

/**
 * The text of a file that holds `plain` under a key.
 * @param shown fields that stand in it unsealed, beside its format.
 */
export function sealedFile(
  format: string,
  key: PassphraseKey,
  plain: string,
  shown: Fields = {},
): string {
  const nonce = random(24);
  const encoded = new TextEncoder().encode(plain);
  const box = crypto.secretbox(encoded, nonce, key.secret);
  wipe(encoded);
  return `${JSON.stringify(
    {
      format,
      ...shown,
      scrypt: { ...SCRYPT, salt: toBase64(key.salt) },
      nonce: toBase64(nonce),
      box: toBase64(box),
    },
    null,
    2,
  )}\n`;
}

/** What a sealed file holds, and the key that it is under. The holder wipes `plain`. */
export interface OpenedFile {
  readonly plain: Uint8Array;
  readonly key: PassphraseKey;
}

/**
 * Opens a sealed file with its passphrase, which is wiped. Throws Problem where it is another passphrase's, or of another cost.
 * @param whole reads fields; adds to the Problem of one that is damaged what helps.
 */
export function openSealedFile(
  fields: Fields,
  path: string,
  passphrase: Uint8Array,
  whole: <T>(read: () => T) => T,
): OpenedFile {
  const cost = parseFields(JSON.stringify(fields.scrypt ?? null), `${path}: "scrypt"`);
  for (const name of ["log2_n", "r", "p"] as const) {
    // Another cost would let whoever can write the file make the owner's machine run out of memory.
    if (count(cost, name, path) !== SCRYPT[name]) {
      throw new Problem(`${path}: the cost of its passphrase is not one this version makes.`);
    }
  }
  const { salt, box, nonce } = whole(() => ({
    salt: bytes(cost, "salt", path, 16),
    box: bytes(fields, "box", path),
    nonce: bytes(fields, "nonce", path, 24),
  }));
  const key = passphraseKey(passphrase, salt);
  const plain = crypto.secretboxOpen(box, nonce, key.secret);
  if (plain === null) throw new Problem(`the passphrase does not open ${path}; try again.`);
  return { plain, key };
}
