/**
 * Verifies AWS Signature Version 4, in the Authorization header and in a presigned URL.
 *
 * Source: "Authenticating requests (AWS Signature Version 4)", Amazon S3 API reference. Written here because
 * the published libraries only sign, and rearrange the request while they do; the canonical form is
 * the same few lines either way. The body's hash is the caller's to check (checksums.ts).
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { S3Error } from "./errors.ts";

/** A signer's clock may differ from ours by this much. */
const SKEW_MS = 15 * 60_000;
/** A presigned URL lives at most seven days. */
const PRESIGNED_MAX_S = 604_800;
const ALGORITHM = "AWS4-HMAC-SHA256";

/** What a signature is checked against. */
export interface Expectations {
  readonly region: string;
  /** Milliseconds since 1970. */
  readonly now_ms: number;
  /** The secret of an access key, or undefined where there is no such key. */
  readonly secretOf: (accessKeyId: string) => string | undefined;
}

/** The parts of a request a signature covers. */
export interface SignedParts {
  readonly method: string;
  /** Path as decoded: "/bucket/key". */
  readonly path: string;
  /** Query parameters as decoded, in any order. */
  readonly query: readonly (readonly [name: string, value: string])[];
  /** Lower-case names; repeated headers joined by ",". */
  readonly headers: ReadonlyMap<string, string>;
}

/** A request whose signature is right. */
export interface Verified {
  readonly accessKeyId: string;
  /** SHA-256 the body must have, hex; undefined where the signature leaves the body open. */
  readonly bodySha256: string | undefined;
}

interface Signature {
  accessKeyId: string;
  /** Scope's date, YYYYMMDD. */
  day: string;
  region: string;
  /** YYYYMMDD'T'HHMMSS'Z' */
  time: string;
  signedHeaders: string[];
  signature: string;
  payload: string;
}

/**
 * @throws S3Error: AccessDenied (anonymous, expired, a header left unsigned), InvalidAccessKeyId,
 *   SignatureDoesNotMatch, RequestTimeTooSkewed, AuthorizationHeaderMalformed and their like.
 */
export function verify(request: SignedParts, expected: Expectations): Verified {
  const header = request.headers.get("authorization");
  const presigned = request.query.some(([name]) => name === "X-Amz-Signature");
  if (header !== undefined && presigned) {
    throw new S3Error("InvalidArgument", "Only one auth mechanism allowed");
  }
  if (header === undefined && !presigned) throw new S3Error("AccessDenied", "Access Denied");
  const signature = header === undefined ? readQuery(request) : readHeader(header, request.headers);
  checkScope(signature, expected.region);
  checkHeadersSigned(signature, request.headers);
  const secret = expected.secretOf(signature.accessKeyId);
  if (secret === undefined) {
    throw new S3Error("InvalidAccessKeyId", "The AWS access key Id you provided does not exist.");
  }
  if (!isEqual(signature.signature, sign(request, signature, secret))) {
    throw new S3Error("SignatureDoesNotMatch", "The request signature does not match.");
  }
  // After the signature, so that only who holds a key learns anything of the clock but the Date header.
  if (presigned) checkExpiry(request.query, signature.time, expected.now_ms);
  else checkSkew(signature.time, expected.now_ms);
  return {
    accessKeyId: signature.accessKeyId,
    bodySha256: signature.payload === "UNSIGNED-PAYLOAD" ? undefined : signature.payload,
  };
}

function readHeader(header: string, headers: ReadonlyMap<string, string>): Signature {
  const match =
    /^AWS4-HMAC-SHA256 +Credential=([^,\s]+)\s*, *SignedHeaders=([^,\s]+)\s*, *Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (!match) throw malformed("The authorization header that you provided is not valid.");
  const payload = headers.get("x-amz-content-sha256");
  if (payload === undefined) {
    throw new S3Error("InvalidRequest", "Missing required header: x-amz-content-sha256");
  }
  if (payload.startsWith("STREAMING-")) {
    throw new S3Error("NotImplemented", "Chunked signatures are not taken here");
  }
  if (payload !== "UNSIGNED-PAYLOAD" && !/^[0-9a-f]{64}$/.test(payload)) {
    throw new S3Error(
      "InvalidArgument",
      "x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a SHA-256",
    );
  }
  const time = headers.get("x-amz-date");
  if (time === undefined) {
    throw new S3Error("AccessDenied", "AWS authentication requires a valid x-amz-date header");
  }
  const [, credential = "", signedHeaders = "", signature = ""] = match;
  return {
    ...readCredential(credential),
    time,
    signedHeaders: signedHeaders.split(";"),
    signature,
    payload,
  };
}

function readQuery(request: SignedParts): Signature {
  const values = new Map(request.query);
  const value = (name: string): string => {
    const found = values.get(name);
    if (found !== undefined) return found;
    throw new S3Error("AuthorizationQueryParametersError", `Query parameter ${name} is missing`);
  };
  if (value("X-Amz-Algorithm") !== ALGORITHM) {
    throw new S3Error("AuthorizationQueryParametersError", `X-Amz-Algorithm must be ${ALGORITHM}`);
  }
  return {
    ...readCredential(value("X-Amz-Credential")),
    time: value("X-Amz-Date"),
    signedHeaders: value("X-Amz-SignedHeaders").split(";"),
    signature: value("X-Amz-Signature"),
    payload: "UNSIGNED-PAYLOAD",
  };
}

function readCredential(credential: string): Pick<Signature, "accessKeyId" | "day" | "region"> {
  const match = /^([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request$/.exec(credential);
  if (!match) throw malformed("The Credential is mal-formed.");
  const [, accessKeyId = "", day = "", region = ""] = match;
  return { accessKeyId, day, region };
}

function checkScope(signature: Signature, region: string): void {
  if (signature.region !== region) {
    throw malformed(`The region '${signature.region}' is wrong; expecting '${region}'`);
  }
  if (!/^\d{8}T\d{6}Z$/.test(signature.time)) {
    throw new S3Error("AccessDenied", "AWS authentication requires a date as YYYYMMDDTHHMMSSZ");
  }
  if (!signature.time.startsWith(signature.day))
    throw malformed("Date in Credential is another day");
}

/** Host and every x-amz- header must be covered: an intermediary could else add or change them. */
function checkHeadersSigned(signature: Signature, headers: ReadonlyMap<string, string>): void {
  const signed = new Set(signature.signedHeaders);
  for (const name of headers.keys()) {
    if ((name !== "host" && !name.startsWith("x-amz-")) || signed.has(name)) continue;
    throw new S3Error("AccessDenied", `The header ${name} was not signed`);
  }
}

function checkSkew(time: string, now_ms: number): void {
  if (Math.abs(parseTime(time) - now_ms) <= SKEW_MS) return;
  throw new S3Error(
    "RequestTimeTooSkewed",
    "The difference between the request time and the current time is too large.",
  );
}

function checkExpiry(query: SignedParts["query"], time: string, now_ms: number): void {
  const lifetime = new Map(query).get("X-Amz-Expires") ?? "";
  const lifetime_s = /^\d{1,6}$/.test(lifetime) ? Number(lifetime) : 0;
  if (lifetime_s < 1 || lifetime_s > PRESIGNED_MAX_S) {
    throw new S3Error(
      "AuthorizationQueryParametersError",
      "X-Amz-Expires must be 1 to 604800 seconds",
    );
  }
  const start_ms = parseTime(time);
  if (start_ms - SKEW_MS > now_ms) throw new S3Error("AccessDenied", "Request is not valid yet");
  if (start_ms + lifetime_s * 1000 < now_ms)
    throw new S3Error("AccessDenied", "Request has expired");
}

/** @returns the signature the request should carry, lower-case hex. */
function sign(request: SignedParts, signature: Signature, secret: string): string {
  const query = request.query
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([name, value], [otherName, otherValue]) =>
      name === otherName ? compare(value, otherValue) : compare(name, otherName),
    );
  const canonical = [
    request.method,
    encode(request.path, true),
    query.map(([name, value]) => `${name}=${value}`).join("&"),
    ...signature.signedHeaders.map(
      (name) => `${name}:${(request.headers.get(name) ?? "").trim().replace(/\s+/g, " ")}`,
    ),
    "",
    signature.signedHeaders.join(";"),
    signature.payload,
  ].join("\n");
  const scope = `${signature.day}/${signature.region}/s3/aws4_request`;
  const hash = createHash("sha256").update(canonical).digest("hex");
  const text = `${ALGORITHM}\n${signature.time}\n${scope}\n${hash}`;
  const key = [signature.day, signature.region, "s3", "aws4_request"].reduce<Buffer>(
    (previous, part) => createHmac("sha256", previous).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  );
  return createHmac("sha256", key).update(text).digest("hex");
}

/** Orders ASCII text by its bytes. */
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Percent-encodes UTF-8 but for RFC 3986's unreserved characters (and "/" in a path). */
function encode(text: string, path = false): string {
  const encoded = encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return path ? encoded.replaceAll("%2F", "/") : encoded;
}

function parseTime(time: string): number {
  const iso = time.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
  const parsed_ms = Date.parse(iso);
  if (Number.isNaN(parsed_ms)) throw new S3Error("AccessDenied", "The date is no date");
  return parsed_ms;
}

function isEqual(given: string, expected: string): boolean {
  const left = Buffer.from(given);
  const right = Buffer.from(expected);
  return left.length === right.length && timingSafeEqual(left, right);
}

function malformed(message: string): S3Error {
  return new S3Error("AuthorizationHeaderMalformed", message);
}
