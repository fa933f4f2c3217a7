/**
 * Strict decoding of signed or sealed protobuf messages.
 *
 * Source: protobuf.dev/programming-guides/encoding (tags, unknown fields, last one wins); FORMAT.md, "Header" 5.
 */
import { Reader } from "protobufjs/minimal.js";
import { type Refused, refuse } from "./refusal.ts";

/** A generated message type of `#proto`. */
export interface MessageType<T> {
  decode(reader: Reader): T;
}

/** Field numbers that a reader must know or refuse. */
const CRITICAL_FIRST = 64;
const CRITICAL_LAST = 127;

/**
 * Decodes a whole message; its byte fields are views of `bytes`. Unknown fields outside 64–127 are ignored. Refuses
 * `malformed`, `critical-field` (unknown, at any depth) and `number-too-large` (a known u64 of 2^53 or more, at any depth).
 */
export function decodeMessage<T extends object>(
  type: MessageType<T>,
  bytes: Uint8Array,
): T | Refused {
  const reader = Reader.create(bytes);
  // Unknown fields are kept only for the walk below, which is what sees those of nested messages.
  reader.discardUnknown = false;
  let value: T;
  try {
    value = type.decode(reader);
  } catch {
    return refuse("malformed");
  }
  return fault(value) ?? value;
}

function fault(message: object): Refused | null {
  for (const [name, part] of Object.entries(message)) {
    if (name === "$unknowns") continue;
    for (const item of Array.isArray(part) ? part : [part]) {
      if (typeof item === "number" && !Number.isSafeInteger(item))
        return refuse("number-too-large");
      if (typeof item !== "object" || item === null || item instanceof Uint8Array) continue;
      const found = fault(item);
      if (found !== null) return found;
    }
  }
  return criticalField(message) ? refuse("critical-field") : null;
}

/** True where the decoder met a field of 64 to 127 that it does not know. */
function criticalField(message: object): boolean {
  const unknowns: unknown = Reflect.get(message, "$unknowns");
  if (!Array.isArray(unknowns)) return false;
  return unknowns.some((raw) => {
    if (!(raw instanceof Uint8Array)) return false;
    const field = Reader.create(raw).uint32() >>> 3;
    return field >= CRITICAL_FIRST && field <= CRITICAL_LAST;
  });
}
