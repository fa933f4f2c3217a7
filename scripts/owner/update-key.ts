/**
 * Update keys in files: for whoever signs images and roots without an owner's keys (FORMAT.md, "Update key file").
 */
import { same } from "../../agent/identity/encoding.ts";
import { asTyped } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { random, type SigningPair, signingPairOf, toBase64, wipe } from "./crypto.ts";
import { readNamed, writeNewPrivateFile } from "./files.ts";
import { bytes, parseFields } from "./json.ts";
import { openSealedFile, passphraseKey, sealedFile } from "./sealed-file.ts";

const FORMAT = "ocellus-update-key-1-sealed";

/** Gives the passphrase of a key file as UTF-8 bytes, which are wiped. `again`: ask twice, for a new one. */
export type AskKeyPassphrase = (path: string, again: boolean) => Promise<Uint8Array>;

/** Makes a key and writes it to a new private file. Throws Problem where something stands there. @returns the public key. */
export async function makeUpdateKey(path: string, ask: AskKeyPassphrase): Promise<Uint8Array> {
  const key = passphraseKey(await ask(path, true));
  const seed = random(32);
  const { publicKey, secretKey } = signingPairOf(seed);
  const plain = JSON.stringify({ secret: toBase64(seed) });
  wipe(seed, secretKey);
  const shown = { public_key: toBase64(publicKey) };
  await writeNewPrivateFile(path, sealedFile(FORMAT, key, plain, shown));
  return publicKey;
}

/** Reads a key; the holder wipes its secret. Throws Problem where the file is none, damaged, or of another passphrase. */
export async function readUpdateKey(path: string, ask: AskKeyPassphrase): Promise<SigningPair> {
  const fields = parseFields(await readNamed(path), path);
  if (fields.format !== FORMAT) {
    throw new Problem(
      `${path} is no update key of this version of ocellus; \`${asTyped("ota key --out FILE")}\` makes one.`,
    );
  }
  const publicKey = bytes(fields, "public_key", path, 32);
  const { plain } = openSealedFile(fields, path, await ask(path, false), (read) => read());
  try {
    const inner = parseFields(new TextDecoder().decode(plain), path);
    const pair = signingPairOf(bytes(inner, "secret", path, 32));
    // Else somebody could have the roots name another key than the one that signs.
    if (same(pair.publicKey, publicKey)) return pair;
    wipe(pair.secretKey);
    throw new Problem(`${path} was altered: its public key is not that of its secret.`);
  } finally {
    wipe(plain);
  }
}

/** A public key as people hand it on: 32 bytes in base64. Throws Problem where it is none. */
export function parsePublicKey(text: string): Uint8Array {
  const key = new Uint8Array(Buffer.from(text, "base64"));
  if (key.length === 32 && toBase64(key) === text) return key;
  throw new Problem(`"${text}" is no public key; it has 32 bytes in base64 (44 characters).`);
}
