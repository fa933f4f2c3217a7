/**
 * The S3 errors the store answers with: codes and statuses as "Error responses", Amazon S3 API
 * reference, has them.
 *
 * Inside the store they are thrown, and caught at one place (server.ts), which writes the reply.
 */
import { document } from "./xml.ts";

const STATUS = {
  AccessDenied: 403,
  AccessForbidden: 403,
  AccessControlListNotSupported: 400,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  EntityTooLarge: 400,
  IncompleteBody: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidDigest: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedXML: 400,
  MetadataTooLarge: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchCORSConfiguration: 404,
  NoSuchKey: 404,
  NoSuchLifecycleConfiguration: 404,
  NotImplemented: 501,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  RequestTimeout: 400,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  XAmzContentSHA256Mismatch: 400,
} as const;

/** Every code this store itself answers with. */
export type S3ErrorCode = keyof typeof STATUS;

/** A refusal to be told to the client; never a defect of the store. */
export class S3Error extends Error {
  override readonly name = "S3Error";
  /** HTTP status. */
  readonly status: number;
  readonly code: S3ErrorCode;

  /** @param message one sentence for a person; it must hold no secret, since it goes out on the wire. */
  constructor(code: S3ErrorCode, message: string) {
    super(message);
    this.code = code;
    this.status = STATUS[code];
  }
}

/** The refusal of a conditional request whose condition does not hold. */
export function preconditionFailed(): S3Error {
  return new S3Error(
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
  );
}

/** The XML body of an error reply. */
export function errorBody(
  code: string,
  message: string,
  resource: string,
  requestId: string,
): string {
  return document("Error", {
    Code: code,
    Message: message,
    Resource: resource,
    RequestId: requestId,
  });
}
