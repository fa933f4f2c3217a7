/**
 * AWS Signature Version 4 in the Authorization header.
 *
 * Source: "AWS Signature Version 4 for API requests" (IAM User Guide) and "Authenticating Requests: Using the Authorization
 * Header" (S3 API reference): S3 encodes each path segment once and does not normalize the path. Checked against AWS's
 * published examples and, over random requests, against @smithy/signature-v4, which is not used here itself: in the agent's
 * bundle it comes to 14.3 KB and builds on Node's streams, for the one header that these lines make.
 */
import { amzDate } from "../clock/http-date.ts";
import { ascii, join, toHex } from "../identity/encoding.ts";

/** What signing needs of the machine. */
export interface SigningCrypto {
  sha256(bytes: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Empty where the credentials are not temporary. */
  readonly sessionToken: string;
  readonly region: string;
}

export interface UnsignedRequest {
  readonly method: string;
  /** As sent in Host: with the port where it is not 443. */
  readonly host: string;
  /** Starts with a slash; encoded by `encodePath`. */
  readonly path: string;
  /** Further headers to sign; lower-case names. */
  readonly headers: readonly (readonly [string, string])[];
  /** `UNSIGNED-PAYLOAD`, or the payload's SHA-256 in hexadecimal. */
  readonly payloadHash: string;
}

/** TLS protects the payload, the chunk hashes prove it; hashing it once more would cost 45 instructions a byte. */
export const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";

const ALGORITHM = "AWS4-HMAC-SHA256";

/** Encodes an object's name for the path: RFC 3986 unreserved characters and slashes stay. */
export function encodePath(name: string): string {
  const encoded = encodeURIComponent(name).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return encoded.replaceAll("%2F", "/");
}

/**
 * All headers to send, in order: host, those given, x-amz-date, x-amz-content-sha256, x-amz-security-token where there is
 * one, authorization. @param wallUs the camera's best guess at wall time.
 */
export function signRequest(
  crypto: SigningCrypto,
  credentials: Credentials,
  request: UnsignedRequest,
  wallUs: number,
): [string, string][] {
  const time = amzDate(wallUs);
  const headers: [string, string][] = [
    ["host", request.host],
    ...request.headers.map(([name, value]): [string, string] => [name, value]),
    ["x-amz-date", time],
    ["x-amz-content-sha256", request.payloadHash],
  ];
  if (credentials.sessionToken !== "")
    headers.push(["x-amz-security-token", credentials.sessionToken]);
  const sorted = [...headers].sort(([a], [b]) => (a < b ? -1 : 1));
  const signedHeaders = sorted.map(([name]) => name).join(";");
  const canonical = [
    request.method,
    request.path,
    "", // no query: nothing the camera asks for has one
    ...sorted.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, " ")}`),
    "",
    signedHeaders,
    request.payloadHash,
  ].join("\n");
  const scope = `${time.slice(0, 8)}/${credentials.region}/s3/aws4_request`;
  const hash = toHex(crypto.sha256(ascii(canonical)));
  const toSign = [ALGORITHM, time, scope, hash].join("\n");
  const key = signingKey(crypto, credentials, scope);
  const signature = toHex(crypto.hmacSha256(key, ascii(toSign)));
  key.fill(0);
  const credential = `Credential=${credentials.accessKeyId}/${scope}`;
  const authorization = `${ALGORITHM} ${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  headers.push(["authorization", authorization]);
  return headers;
}

/** HMAC over date, region, service and "aws4_request" in turn. */
function signingKey(crypto: SigningCrypto, credentials: Credentials, scope: string): Uint8Array {
  let key = join(ascii("AWS4"), ascii(credentials.secretAccessKey));
  for (const part of scope.split("/")) {
    const next = crypto.hmacSha256(key, ascii(part));
    key.fill(0);
    key = next;
  }
  return key;
}
