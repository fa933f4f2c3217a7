/** Why sealed or signed bytes are refused. FORMAT.md, "Refusals", has the same list. */

/** A refusal: the typed result of every parse, check and opening here. */
export interface Refused {
  readonly refused: RefusalReason;
}

export type RefusalReason =
  // Prelude, or the fixed start of a pruned object or live part.
  | "too-short"
  | "magic"
  | "version"
  | "suite"
  | "critical-flag"
  | "reserved"
  | "header-length"
  | "chunk-size"
  | "length"
  // Protobuf on the wire.
  | "malformed"
  | "critical-field"
  | "number-too-large"
  // Shape of a header, metadata, record or announcement.
  | "field-length"
  | "field-value"
  | "wraps"
  | "chunks"
  | "fragments"
  | "bitmap"
  | "pruned-too-far"
  // What it says it is against where it was found.
  | "name"
  | "kind"
  | "camera"
  | "boot"
  | "stream"
  | "session"
  | "replayed"
  | "signer"
  // Cryptography.
  | "signature"
  | "chain"
  | "no-wrap"
  | "unwrap"
  | "commitment"
  | "metadata"
  | "box"
  | "chunk-hash"
  | "chunk-open";

/** Makes a refusal. */
export function refuse(refused: RefusalReason): Refused {
  return { refused };
}

/** Tells a refusal from a result. */
export function isRefused(value: unknown): value is Refused {
  return typeof value === "object" && value !== null && "refused" in value;
}
