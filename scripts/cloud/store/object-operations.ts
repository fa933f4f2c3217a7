/** PutObject, GetObject and HeadObject. */
import { BodyCheck, CHECKSUM_NAMES, readClaims } from "./checksums.ts";
import { preconditionFailed, S3Error } from "./errors.ts";
import type { ObjectInfo } from "./objects.ts";
import type { Reply, Request, Stores } from "./request.ts";

/** An object's headers that are kept and given back. */
const KEPT_HEADERS =
  /^(content-type|content-encoding|content-language|content-disposition|cache-control|expires|x-amz-meta-[\w.-]+)$/;
/** Other x-amz- headers a put may carry; any further one asks for something not done here. */
const PUT_HEADERS =
  /^x-amz-(date|content-sha256|acl|checksum-.*|sdk-checksum-algorithm|user-agent|decoded-content-length)$/;
/** S3's bound on user metadata (2 KB) with room for the other kept headers. */
const KEPT_HEADERS_MAX_BYTES = 8 * 1024;

/** Receives an object. Throws S3Error for whatever it refuses; then nothing was stored. */
export async function putObject(stores: Stores, request: Request): Promise<Reply> {
  const { call, headers } = request;
  checkPutHeaders(headers);
  const length = headers.get("content-length");
  if (length === undefined) {
    throw new S3Error("MissingContentLength", "You must provide the Content-Length HTTP header.");
  }
  if (Number(length) > stores.objectMax_bytes) {
    throw new S3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
  }
  const claims = readClaims(headers, request.bodySha256);
  const info = await stores.files.put({
    bucket: call.bucket,
    key: call.key,
    body: request.body,
    check: new BodyCheck(claims),
    onlyIfAbsent: headers.has("if-none-match"),
    modified_ms: request.now_ms,
    headers: Object.fromEntries([...headers].filter(([name]) => KEPT_HEADERS.test(name))),
    checksums: Object.fromEntries(
      [...claims.checksums].map(([name, bytes]) => [name, bytes.toString("base64")]),
    ),
  });
  return { status: 200, headers: { etag: `"${info.etag}"`, ...checksumHeaders(info) } };
}

/** Refuses what would change the meaning of a put and is not done here. */
function checkPutHeaders(headers: ReadonlyMap<string, string>): void {
  const acl = headers.get("x-amz-acl") ?? "private";
  if (acl !== "private" && acl !== "bucket-owner-full-control") {
    throw new S3Error("AccessControlListNotSupported", "The bucket does not allow ACLs");
  }
  if (headers.has("if-match") || (headers.get("if-none-match") ?? "*") !== "*") {
    throw new S3Error("NotImplemented", "Of conditional puts only If-None-Match: * is done here");
  }
  let kept_bytes = 0;
  for (const [name, value] of headers) {
    if (KEPT_HEADERS.test(name)) kept_bytes += name.length + value.length;
    else if (name.startsWith("x-amz-") && !PUT_HEADERS.test(name)) {
      throw new S3Error("NotImplemented", `${name} is not part of this store`);
    }
  }
  if (kept_bytes > KEPT_HEADERS_MAX_BYTES) {
    throw new S3Error("MetadataTooLarge", "Your metadata headers exceed the maximum allowed size");
  }
}

/** Serves an object, a range of it, or (without body) its headers. */
export async function getObject(
  stores: Stores,
  request: Request,
  withBody: boolean,
): Promise<Reply> {
  const { call, headers, query } = request;
  const object = await stores.files.open(call.bucket, call.key);
  if (!object) {
    // As AWS does: who may not list must not learn which keys exist.
    if (!request.allowed("s3:ListBucket", "")) throw new S3Error("AccessDenied", "Access Denied");
    throw new S3Error("NoSuchKey", "The specified key does not exist.");
  }
  const { info } = object;
  try {
    const described = { ...describe(info), ...overrides(query) };
    const etag = `"${info.etag}"`;
    if (!matches(headers.get("if-match") ?? "*", etag)) throw preconditionFailed();
    if (matches(headers.get("if-none-match") ?? "", etag)) {
      return { status: 304, headers: { etag, "last-modified": described["last-modified"] } };
    }
    const ifRange = headers.get("if-range") ?? etag;
    const wanted = ifRange === etag ? headers.get("range") : undefined;
    const range = parseRange(wanted, info.size_bytes);
    const first = range?.first ?? 0;
    const last = range?.last ?? info.size_bytes - 1;
    const checked = range === undefined && headers.get("x-amz-checksum-mode") === "ENABLED";
    return {
      status: range ? 206 : 200,
      headers: {
        ...described,
        ...(checked ? checksumHeaders(info) : {}),
        ...(range ? { "content-range": `bytes ${first}-${last}/${info.size_bytes}` } : {}),
        "content-length": String(last - first + 1),
      },
      ...(withBody && last >= first ? { body: object.read(first, last) } : {}),
    };
  } finally {
    await object.closeUnlessRead();
  }
}

function describe(info: ObjectInfo): Record<string, string> & { "last-modified": string } {
  return {
    "content-type": "binary/octet-stream",
    ...info.headers,
    etag: `"${info.etag}"`,
    "last-modified": new Date(info.modified_ms).toUTCString(),
    "accept-ranges": "bytes",
  };
}

function checksumHeaders(info: ObjectInfo): Record<string, string> {
  return Object.fromEntries(
    CHECKSUM_NAMES.flatMap((name) => {
      const value = info.checksums[name];
      return value === undefined ? [] : [[`x-amz-checksum-${name}`, value]];
    }),
  );
}

/** Headers of the reply that a signed request may set by `response-…` parameters. */
function overrides(query: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries(
    [...query].flatMap(([name, value]) =>
      name.startsWith("response-") ? [[name.slice("response-".length), value]] : [],
    ),
  );
}

/** RFC 9110 section 13.1: "*", or a list of entity tags; "" matches nothing. */
function matches(list: string, etag: string): boolean {
  const tags = list.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(etag);
}

/**
 * One byte range (RFC 9110 section 14.1.2). Several, or another unit, count as none, as in S3.
 * @throws S3Error InvalidRange where it lies beyond the object's end.
 */
function parseRange(
  header: string | undefined,
  size_bytes: number,
): { first: number; last: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  const [, start = "", end = ""] = match ?? [];
  if (start === "" && end === "") return undefined;
  if (start !== "" && end !== "" && Number(end) < Number(start)) return undefined;
  const first = start === "" ? Math.max(0, size_bytes - Number(end)) : Number(start);
  const last = start === "" || end === "" ? size_bytes - 1 : Math.min(Number(end), size_bytes - 1);
  if (first > last) throw new S3Error("InvalidRange", "The requested range is not satisfiable");
  return { first, last };
}
