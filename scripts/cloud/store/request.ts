/** A request as an operation sees it, once it is known to be genuine, and what it answers. */
import type { Readable } from "node:stream";
import { BodyCheck, readClaims } from "./checksums.ts";
import { S3Error } from "./errors.ts";
import type { ObjectFiles } from "./objects.ts";
import type { Call } from "./route.ts";

/** Bound on an XML body; a thousand keys to delete, each as long as may be, fit. */
const XML_MAX_BYTES = 2 * 1024 * 1024;

/** One request. */
export interface Request {
  readonly call: Call;
  /** Decoded query parameters. */
  readonly query: ReadonlyMap<string, string>;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  /** The body, to be read once; reading it sends "100 Continue" where the client waits for that. */
  readonly body: AsyncIterable<Uint8Array>;
  /** SHA-256 the signature says the body has, hex. */
  readonly bodySha256: string | undefined;
  /** Whether the identity may do `action` to object `key` of the same bucket. */
  readonly allowed: (action: string, key: string) => boolean;
  readonly now_ms: number;
}

/** A success. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is XML; a stream comes with its content-length. */
  readonly body?: string | Readable;
}

/** Where objects and bucket rules are. */
export interface Stores {
  readonly files: ObjectFiles;
  /** Directory of the buckets' rules. */
  readonly rules: string;
  /** Bound on one object. */
  readonly objectMax_bytes: number;
}

/** Reads and verifies an XML body. Throws S3Error MalformedXML where it is too large, or what its digests say. */
export async function readText(request: Request): Promise<string> {
  const check = new BodyCheck(readClaims(request.headers, request.bodySha256));
  const pieces: Uint8Array[] = [];
  let size_bytes = 0;
  for await (const bytes of request.body) {
    size_bytes += bytes.length;
    if (size_bytes > XML_MAX_BYTES) throw new S3Error("MalformedXML", "The XML body is too large");
    check.update(bytes);
    pieces.push(bytes);
  }
  check.finish();
  return Buffer.concat(pieces).toString();
}
