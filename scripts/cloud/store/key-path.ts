/**
 * How a key becomes a path, and back.
 *
 * Each segment between "/" becomes one file name: unreserved characters stand for themselves, every other
 * byte of its UTF-8 is percent-encoded, as are the "." of "." and "..", and an empty segment is "%". The
 * last segment, the object's file, ends with "@", which no other name holds: so the object "a" and the
 * directory of "a/b" never meet.
 */
import { join } from "node:path";
import { S3Error } from "./errors.ts";

/** S3's bound on a key, bytes of UTF-8. */
const KEY_MAX_BYTES = 1024;
/** XML 1.0 section 2.2. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_IN_XML = /[\u0000-\u001f\u007f\ufffe\uffff]/;
/** A file name's bound (NAME_MAX) less the object's ending. */
const SEGMENT_MAX_BYTES = 254;

/**
 * @param directory the bucket's.
 * @returns the path of the file of object `key`, always inside `directory`.
 * @throws S3Error KeyTooLongError, InvalidArgument. Two kinds of keys that S3 takes are refused: with a
 *   segment beyond 254 encoded bytes (no file name), and with a character that XML cannot hold (no listing).
 */
export function objectPath(directory: string, key: string): string {
  const names = key.split("/").map(encodeSegment);
  if (
    Buffer.byteLength(key) > KEY_MAX_BYTES ||
    names.some((name) => name.length > SEGMENT_MAX_BYTES)
  ) {
    throw new S3Error("KeyTooLongError", "Your key is too long");
  }
  if (NOT_IN_XML.test(key)) {
    throw new S3Error("InvalidArgument", "A key holds no control characters here");
  }
  return `${join(directory, ...names)}@`;
}

/** A name found in a bucket's directories. */
export interface StoredName {
  readonly segment: string;
  readonly isObject: boolean;
}

/** Reads a file name back; the inverse of what `objectPath` makes of one segment. */
export function decodeName(name: string): StoredName {
  const isObject = name.endsWith("@");
  const encoded = isObject ? name.slice(0, -1) : name;
  return { segment: encoded === "%" ? "" : decodeURIComponent(encoded), isObject };
}

function encodeSegment(segment: string): string {
  if (segment === "") return "%";
  if (segment === "." || segment === "..") return segment.replaceAll(".", "%2E");
  return encodeURIComponent(segment);
}
