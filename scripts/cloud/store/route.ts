/**
 * What a request asks for: bucket, key and operation, by the tables of the Amazon S3 API reference.
 *
 * Path-style addressing only (`/bucket/key`). A query parameter an operation does not know is refused:
 * ignoring `?acl` or `?uploads` would turn one operation into another.
 */
import { S3Error } from "./errors.ts";
import type { SignedParts } from "./sigv4.ts";

interface Row {
  readonly method: string;
  readonly on: "bucket" | "object";
  /** Query parameter that tells this operation from others on the same path. */
  readonly marker?: string;
  /** Policy action asked for. */
  readonly action: string;
  /** Further query parameters it takes. */
  readonly takes?: readonly string[];
}

const RESPONSE_OVERRIDES = [
  ...["response-cache-control", "response-content-disposition", "response-content-encoding"],
  ...["response-content-language", "response-content-type", "response-expires"],
];
const LIST = ["prefix", "delimiter", "start-after", "continuation-token", "max-keys"];

const OPERATIONS = {
  ListObjectsV2: {
    method: "GET",
    on: "bucket",
    marker: "list-type",
    action: "s3:ListBucket",
    takes: [...LIST, "encoding-type", "fetch-owner"],
  },
  HeadBucket: { method: "HEAD", on: "bucket", action: "s3:ListBucket" },
  DeleteObjects: { method: "POST", on: "bucket", marker: "delete", action: "s3:DeleteObject" },
  GetBucketLifecycleConfiguration: {
    method: "GET",
    on: "bucket",
    marker: "lifecycle",
    action: "s3:GetLifecycleConfiguration",
  },
  PutBucketLifecycleConfiguration: {
    method: "PUT",
    on: "bucket",
    marker: "lifecycle",
    action: "s3:PutLifecycleConfiguration",
  },
  DeleteBucketLifecycle: {
    method: "DELETE",
    on: "bucket",
    marker: "lifecycle",
    action: "s3:PutLifecycleConfiguration",
  },
  GetBucketCors: { method: "GET", on: "bucket", marker: "cors", action: "s3:GetBucketCORS" },
  PutBucketCors: { method: "PUT", on: "bucket", marker: "cors", action: "s3:PutBucketCORS" },
  DeleteBucketCors: { method: "DELETE", on: "bucket", marker: "cors", action: "s3:PutBucketCORS" },
  PutObject: { method: "PUT", on: "object", action: "s3:PutObject" },
  GetObject: { method: "GET", on: "object", action: "s3:GetObject", takes: RESPONSE_OVERRIDES },
  HeadObject: { method: "HEAD", on: "object", action: "s3:GetObject", takes: RESPONSE_OVERRIDES },
  DeleteObject: { method: "DELETE", on: "object", action: "s3:DeleteObject" },
} as const satisfies Record<string, Row>;

/** Operations of the S3 API this store has. */
export type OperationName = keyof typeof OPERATIONS;

/** A request understood, before anything about rights is settled. */
export interface Call {
  readonly operation: OperationName;
  readonly bucket: string;
  /** "" where the operation is about the bucket. */
  readonly key: string;
  /** For instance "s3:GetObject". */
  readonly action: string;
}

/** Path and query of a request target, decoded. */
export interface Target {
  readonly path: string;
  readonly query: SignedParts["query"];
}

/** Splits and decodes a request target. Throws S3Error InvalidURI. */
export function parseTarget(target: string): Target {
  const [rawPath = "", rawQuery = ""] = splitOnce(target, "?");
  if (!rawPath.startsWith("/"))
    throw new S3Error("InvalidURI", "Couldn't parse the specified URI.");
  const query = rawQuery
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const [name = "", value = ""] = splitOnce(pair, "=");
      return [decode(name), decode(value)] as const;
    });
  return { path: decode(rawPath), query };
}

/** Bucket and key a path names; each may be "". */
export function splitPath(path: string): { bucket: string; key: string } {
  const [bucket = "", key = ""] = splitOnce(path.slice(1), "/");
  return { bucket, key };
}

/** @throws S3Error NotImplemented, MethodNotAllowed or InvalidArgument. */
export function route(method: string, target: Target): Call {
  const { bucket, key } = splitPath(target.path);
  if (bucket === "") throw new S3Error("AccessDenied", "Access Denied");
  const on = key === "" ? "bucket" : "object";
  const names = new Set(target.query.map(([name]) => name).filter((name) => !isOfSigning(name)));
  if (names.size < target.query.filter(([name]) => !isOfSigning(name)).length) {
    throw new S3Error("InvalidArgument", "A query parameter is given twice");
  }
  const rows: [string, Row][] = Object.entries(OPERATIONS);
  const candidates = rows.filter(([, row]) => row.method === method && row.on === on);
  if (candidates.length === 0) {
    throw new S3Error(
      "MethodNotAllowed",
      "The specified method is not allowed against this resource.",
    );
  }
  const found =
    candidates.find(([, row]) => row.marker !== undefined && names.has(row.marker)) ??
    candidates.find(([, row]) => row.marker === undefined);
  if (!found) throw new S3Error("NotImplemented", "This operation is not part of this store");
  const [name, row] = found;
  for (const parameter of names) {
    if (parameter === row.marker || row.takes?.includes(parameter)) continue;
    throw new S3Error("NotImplemented", `${parameter} is not part of this store`);
  }
  if (!isOperation(name)) throw new Error(`no such operation: ${name}`);
  return { operation: name, bucket, key, action: row.action };
}

function isOperation(name: string): name is OperationName {
  return name in OPERATIONS;
}

/** The SDK's x-id names the operation once more; X-Amz-* sign a URL, x-amz-* are its headers (`effectiveHeaders`). */
function isOfSigning(name: string): boolean {
  return name === "x-id" || /^x-amz-/i.test(name);
}

/**
 * Headers as the operation is to see them: a presigned URL carries S3's own in its query.
 * @param headers lower-case names, as received.
 */
export function effectiveHeaders(
  headers: ReadonlyMap<string, string>,
  target: Target,
): ReadonlyMap<string, string> {
  const hoisted = target.query.filter(([name]) => name.startsWith("x-amz-"));
  return hoisted.length === 0 ? headers : new Map([...hoisted, ...headers]);
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error("InvalidURI", "Couldn't parse the specified URI.");
  }
}
