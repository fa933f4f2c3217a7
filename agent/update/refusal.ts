/** Why an update, or the roots it is judged by, are refused. ota/FORMAT.md, "Refusals", has the same list. */

/** A refusal: the typed result of every parse and check of updates. */
export interface UpdateRefused {
  readonly refused: UpdateRefusal;
}

/** Reason by reason, the sentence that a log or a person is told. */
const SENTENCES = {
  // What is read before anything is known of it.
  "too-long": "The signed manifest or roots are longer than 8,192 bytes.",
  malformed: "It is no message of this format: damaged, cut short, or something else.",
  "critical-field": "It needs something that this version of ocellus does not know.",
  "field-value": "A field has a value that cannot be.",
  // Signatures.
  "too-many-signatures": "It has more than 32 signatures.",
  signature: "A signature under the name of one of the roots' keys is not that key's.",
  "below-threshold": "Fewer different keys of the roots have signed it than it takes.",
  // Manifest.
  "block-size": "Its blocks are not of 65,536 bytes.",
  "block-count": "It has not exactly one hash for each block.",
  board: "It is for another board.",
  "security-counter": "It is older than the oldest image that may still be installed.",
  "image-size": "The image does not fit into a slot of this board, or has no bytes.",
  application: "This board has no room for the application part that it brings.",
  // The image itself.
  "image-magic": "What should be a uImage is none.",
  "image-crc": "The checksum of the uImage's header is wrong.",
  "image-length": "The uImage says another length than the manifest.",
  "image-kind": "The uImage is no LZMA-compressed Linux kernel for MIPS.",
  "image-address": "The uImage is not for this board's memory.",
  "image-build": "The uImage is of another build than the manifest says.",
  "image-data": "The checksum of what the uImage holds is wrong.",
  "block-hash": "A block of the image is not the one that was signed.",
  "image-hash": "The image is not the one that was signed.",
  // Roots.
  "roots-tenant": "The roots belong to another tenant.",
  "roots-version": "The roots are not the version that follows the ones in force.",
  "roots-threshold": "The roots' threshold is 0 or more than they have keys.",
  "roots-keys": "The roots name no key, more than 16, one of them twice, or one that is none.",
  "roots-counter": "The roots would let revoked images come back.",
  "roots-old": "Too few different keys of the roots in force have signed the new ones.",
  "roots-new": "Too few different keys of the new roots have signed them.",
  // Bundle.
  "bundle-magic": "This is no ocellus update.",
  "bundle-version": "This update is of a format that this version of ocellus does not know.",
  "bundle-length": "The update is cut short, or has something behind its end.",
} as const;

export type UpdateRefusal = keyof typeof SENTENCES;

/** Makes a refusal. */
export function refuseUpdate(refused: UpdateRefusal): UpdateRefused {
  return { refused };
}

/** Tells a refusal from a result. */
export function isUpdateRefused(value: unknown): value is UpdateRefused {
  return typeof value === "object" && value !== null && "refused" in value;
}

/** One sentence for a log or a person. */
export function updateSentence({ refused }: UpdateRefused): string {
  return SENTENCES[refused];
}

/** The same within another sentence: without its capital letter and full stop. */
export function updateClause(refused: UpdateRefused): string {
  const sentence = updateSentence(refused).replace(/\.$/, "");
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

/** Every reason, for those who list them. */
export function updateRefusals(): UpdateRefusal[] {
  return Object.keys(SENTENCES).filter((name): name is UpdateRefusal => name in SENTENCES);
}
