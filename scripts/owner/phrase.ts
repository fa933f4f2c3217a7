/**
 * The recovery phrase: 24 words that stand for 32 random bytes (BIP-39, English), and the keys made from them.
 *
 * The bytes are as strong as a key already, so no slow derivation is needed; labelled hashes keep the two
 * keys apart (FORMAT.md, "Recovery phrase").
 */
import { entropyToMnemonic, mnemonicToEntropy, validateMnemonic } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { Problem } from "../build/problem.mjs";
import { type BoxPair, boxPairOf, crypto, inDomain, random, wipe } from "./crypto.ts";

const KEY_DOMAIN = "ocellus/v1/recovery-key\0";
const MAC_DOMAIN = "ocellus/v1/recovery-mac\0";

/** What a phrase opens. The holder wipes it. */
export interface RecoveryKeys {
  /** Opens backups and, as a recipient, footage. */
  readonly box: BoxPair;
  /** 32 bytes that authenticate backups: without the phrase nobody can put another in their place. */
  readonly mac: Uint8Array;
}

/** A fresh phrase of 24 words. */
export function makePhrase(): string {
  const entropy = random(32);
  try {
    return entropyToMnemonic(entropy, wordlist);
  } finally {
    wipe(entropy);
  }
}

/**
 * The keys of a phrase. Capitals and extra spaces do not matter.
 * Throws Problem where it is not a phrase: a word is unknown, one is missing, or the check fails.
 */
export function recoveryKeys(phrase: string): RecoveryKeys {
  const words = phrase.normalize("NFKD").toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length !== 24) {
    throw new Problem(`a recovery phrase has 24 words; this one has ${words.length}.`);
  }
  const unknown = words.find((word) => !wordlist.includes(word));
  if (unknown !== undefined) {
    const where = words.indexOf(unknown) + 1;
    throw new Problem(`word ${where} of the recovery phrase is not in the word list.`);
  }
  const clean = words.join(" ");
  if (!validateMnemonic(clean, wordlist)) {
    throw new Problem(
      "the recovery phrase's check fails: a word is wrong or two are in the wrong order.",
    );
  }
  const entropy = mnemonicToEntropy(clean, wordlist);
  try {
    return {
      box: boxPairOf(crypto.sha256(inDomain(KEY_DOMAIN, entropy))),
      mac: crypto.sha256(inDomain(MAC_DOMAIN, entropy)),
    };
  } finally {
    wipe(entropy);
  }
}

/** What the owner's state keeps of a phrase: it can seal backups and footage to its holder, and open none. */
export function recoveryPublic(phrase: string): { publicKey: Uint8Array; mac: Uint8Array } {
  const { box, mac } = recoveryKeys(phrase);
  wipe(box.secretKey);
  return { publicKey: box.publicKey, mac };
}
