/**
 * What the conformance suite asks of whoever plays the camera: the AWS SDK here, and the camera's own upload
 * code from wherever it is built. A driver retries nothing and hides nothing: one call, one request.
 */
import type { StoreAccess } from "../../../agent/identity/access.ts";

/** How a request ended. */
export interface Outcome {
  /** HTTP status. A connection that gave none is an error to throw. */
  readonly status: number;
  /** S3 error code of the reply's body; undefined for a success, or where there is no body. */
  readonly code: string | undefined;
}

/** One camera's connection to a store. */
export interface CameraSession {
  /** Puts an object. `ifNoneMatch` sends `If-None-Match: *`. */
  put(key: string, bytes: Uint8Array, options: { ifNoneMatch: boolean }): Promise<Outcome>;
  /** Gets an object, as a whole or as a range that holds it (206). */
  get(key: string): Promise<Outcome & { readonly body: Uint8Array }>;
  close(): Promise<void>;
}

/** A way to be a camera. */
export interface CameraDriver {
  /** For the tests' names. */
  readonly name: string;
  /** Whether it can put without `If-None-Match: *`; the camera's own code cannot, and need not. */
  readonly canOmitIfNoneMatch: boolean;
  /** Opens a session. `clockOffset_ms` is how far the camera's clock is ahead of the real one. */
  open(access: StoreAccess, options?: { clockOffset_ms?: number }): Promise<CameraSession>;
}
