/**
 * Decoding of messages that come from outside or from flash: never throws, and refuses critical fields.
 *
 * Source: "Field numbers 64 to 127 are critical in every message" (identity.proto, record.proto); the protobuf wire
 * format (protobuf.dev/programming-guides/encoding) puts the field number in the tag's upper bits.
 */
import { Reader } from "protobufjs/minimal.js";

/** A generated message type of `#proto`. */
export interface MessageType<T> {
  decode(reader: Reader): T;
}

export type Decoded<T> = { readonly ok: true; readonly value: T } | Malformed;

/** `why` is a sentence without a secret in it. */
export interface Malformed {
  readonly ok: false;
  readonly why: string;
}

/** Lowest and highest field number that a reader must know or refuse. */
const CRITICAL_FIRST = 64;
const CRITICAL_LAST = 127;

/**
 * Decodes a whole message. Byte fields of the result are views of `bytes`, not copies. Unknown fields outside 64–127
 * are ignored; unknown ones within, at any depth, make the message malformed.
 */
export function decodeStrictly<T extends object>(
  type: MessageType<T>,
  bytes: Uint8Array,
): Decoded<T> {
  const reader = Reader.create(bytes);
  // Kept only for the walk below, which is what sees fields of nested messages.
  reader.discardUnknown = false;
  let value: T;
  try {
    value = type.decode(reader);
  } catch {
    return { ok: false, why: "it is not a valid message" };
  }
  const critical = criticalUnknown(value);
  return critical === null
    ? { ok: true, value }
    : { ok: false, why: `it has the critical field ${critical}, which this version does not know` };
}

function criticalUnknown(message: object): number | null {
  const unknowns: unknown = Reflect.get(message, "$unknowns");
  if (Array.isArray(unknowns)) {
    for (const raw of unknowns) {
      if (!(raw instanceof Uint8Array)) continue;
      const field = Reader.create(raw).uint32() >>> 3;
      if (field >= CRITICAL_FIRST && field <= CRITICAL_LAST) return field;
    }
  }
  for (const part of Object.values(message)) {
    for (const item of Array.isArray(part) ? part : [part]) {
      if (typeof item !== "object" || item === null || item instanceof Uint8Array) continue;
      const found = criticalUnknown(item);
      if (found !== null) return found;
    }
  }
  return null;
}
