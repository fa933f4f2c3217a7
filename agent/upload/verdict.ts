/**
 * What an answer of the store means (design, "Upload"). Pure. Sources: S3 API reference, "Error responses" and "PutObject";
 * RFC 9110, 13.1.2 (If-None-Match); what AWS, Ceph's radosgw and MinIO answer, as far as tests reach them.
 */
import type { HttpAnswer, HttpFailure } from "./http.ts";

/** Trouble as status tells it. */
export interface UploadTrouble {
  /** Machine-readable: a NativeErrorCode, or store-… */
  readonly cause: string;
  /** One sentence for the owner. */
  readonly reason: string;
}

/** What to do with an object after an attempt to put it. */
export type PutVerdict =
  /** It is in the store. */
  | { readonly is: "stored" }
  /** Another object stands under its name: reported, never counted as uploaded, never tried again. */
  | { readonly is: "conflict"; readonly trouble: UploadTrouble }
  /** This object will never be taken: drop it. */
  | { readonly is: "refused"; readonly trouble: UploadTrouble }
  /** The store judges our clock wrong; its Date tells the right time. Try again once that was taken. */
  | { readonly is: "skewed"; readonly trouble: UploadTrouble }
  /** The kept connection was closed under the request, by either side: try again at once. */
  | { readonly is: "stale" }
  /** Try again after a while. `answered`: the store is there, and it is this object that it did not take. */
  | { readonly is: "later"; readonly trouble: UploadTrouble; readonly answered: boolean };

/** The `<Code>` of an S3 error answer; empty where there is none. */
export function errorCode(body: Uint8Array): string {
  let text = "";
  for (const byte of body.subarray(0, 4096)) text += String.fromCharCode(byte);
  return /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(text)?.[1] ?? "";
}

function trouble(cause: string, reason: string): UploadTrouble {
  return { cause, reason };
}

/** Codes that say the same whatever status they come with. */
const BY_CODE = new Map<string, UploadTrouble>([
  ["NoSuchBucket", trouble("store-no-bucket", "The store has no such bucket.")],
  [
    "InvalidAccessKeyId",
    trouble("store-forbidden", "The store does not know the camera's access key."),
  ],
  [
    "SignatureDoesNotMatch",
    trouble("store-forbidden", "The store says that the camera's secret key is wrong."),
  ],
  ["ExpiredToken", trouble("store-expired", "The camera's temporary credentials have expired.")],
  ["InvalidToken", trouble("store-forbidden", "The store refuses the camera's session token.")],
  [
    "AuthorizationHeaderMalformed",
    trouble("store-region", "The store wants another region; look at the camera's access."),
  ],
  [
    "NotImplemented",
    trouble(
      "store-unsupported",
      "The store does not support If-None-Match, which protects footage.",
    ),
  ],
  ["SlowDown", trouble("store-busy", "The store asks to slow down.")],
  ["QuotaExceeded", trouble("store-full", "The store's quota is used up.")],
  ["XMinioStorageFull", trouble("store-full", "The store is full.")],
]);

/** Objects that no retry makes acceptable. */
const NEVER = new Set(["EntityTooLarge", "KeyTooLongError", "EntityTooSmall"]);

/**
 * @param uncertain whether an earlier attempt of ours to put this object into this store ended without an answer: then an
 * object under its name is taken for ours.
 */
export function judgePut(result: HttpAnswer | HttpFailure, uncertain: boolean): PutVerdict {
  if ("failed" in result) return judgeFailure(result);
  const { status } = result;
  const code = errorCode(result.body);
  if (status === 200 || status === 201 || status === 204) return { is: "stored" };
  if (status === 412) {
    if (uncertain) return { is: "stored" };
    const reason = "The store already has another object under a segment's name.";
    return { is: "conflict", trouble: trouble("store-conflict", reason) };
  }
  if (isSkew(status, code))
    return {
      is: "skewed",
      trouble: trouble("store-clock", "The store says that the camera's time is wrong."),
    };
  if (status === 413 || NEVER.has(code)) {
    const reason = `The store refuses a segment for good (${code || status}).`;
    return { is: "refused", trouble: trouble("store-refused", reason) };
  }
  return { is: "later", trouble: answerTrouble(status, code), answered: true };
}

/** A request without an answer, whatever it was for. */
export function judgeFailure(failure: HttpFailure): PutVerdict & { is: "stale" | "later" } {
  if (failure.stale || failure.failed === "stopped") return { is: "stale" };
  return { is: "later", trouble: failureTrouble(failure), answered: false };
}

/** Whether what became of the object is unknown after this result. */
export function leavesUncertain(result: HttpAnswer | HttpFailure): boolean {
  return "failed" in result ? result.uncertain : result.status >= 500;
}

/** S3 and radosgw say 403 RequestTimeTooSkewed; others AccessDenied with this code in words. */
export function isSkew(status: number, code: string): boolean {
  return status === 403 && (code === "RequestTimeTooSkewed" || code === "RequestExpired");
}

/** Trouble for an answer that is no success. */
export function answerTrouble(status: number, code: string): UploadTrouble {
  const known = BY_CODE.get(code);
  if (known !== undefined) return known;
  const said = code === "" ? `${status}` : `${status} ${code}`;
  if (status === 401 || status === 403)
    return trouble("store-forbidden", `The store forbids the camera to put footage (${said}).`);
  if (status === 404)
    return trouble("store-no-bucket", `The store finds no such bucket (${said}).`);
  if (status === 409)
    return trouble("store-busy", `The store is at work on the same object (${said}).`);
  if (status >= 300 && status < 400)
    return trouble(
      "store-redirect",
      `The store sends the camera elsewhere (${said}): its endpoint is not that of the bucket's region.`,
    );
  if (status === 429) return trouble("store-busy", "The store asks to slow down.");
  if (status >= 500) return trouble("store-error", `The store has an error of its own (${said}).`);
  return trouble("store-refused", `The store refuses a request (${said}).`);
}

/** Trouble for a request without an answer. */
function failureTrouble({ failed, text }: HttpFailure): UploadTrouble {
  const causes: Partial<Record<HttpFailure["failed"], string>> = {
    slow: "store-slow",
    closed: "store-closed",
    early: "store-malformed",
    malformed: "store-malformed",
    "too-large": "store-malformed",
  };
  return trouble(causes[failed] ?? failed, `The store cannot be reached: ${text}.`);
}
