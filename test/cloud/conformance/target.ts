/**
 * A store under test, with everybody the suite needs in it, and where it may differ from AWS.
 */
import type { StoreAccess } from "../../../agent/identity/access.ts";

/** Where a target differs from what AWS documents, and why that is accepted. Each is asserted, not skipped. */
export const DIFFERENCES = {
  "no-put-condition":
    "radosgw 16.2 has no policy key s3:if-none-match: a camera's credentials can overwrite that camera's own objects",
  "range-of-nothing": "a range beyond an empty object",
  "no-multi-delete":
    "radosgw 16.2 asks the policy about the bucket instead of each key, and so refuses DeleteObjects",
  "any-region": "radosgw takes a signature for any region; a region means nothing to it",
  "unsigned-headers": "radosgw 16.2 takes x-amz- headers that the signature does not cover",
  "checksums-ignored": "radosgw 16.2 does not know x-amz-checksum-*; Content-MD5 it verifies",
} as const;

export type Difference = keyof typeof DIFFERENCES;

/** A store with one tenant's bucket, its owner and two cameras in it. */
export interface Target {
  readonly name: string;
  readonly differences: ReadonlySet<Difference>;
  readonly tenant: string;
  readonly owner: StoreAccess;
  readonly cameras: readonly [TargetCamera, TargetCamera];
  /** Owner of another tenant; its bucket is another. */
  readonly stranger: StoreAccess;
  /** Lets `days` pass for objects already there, and executes the life-cycle rules. */
  passDays(days: number): Promise<void>;
  stop(): Promise<void>;
}

/** A camera of the target. */
export interface TargetCamera {
  /** 32 lower-case hex digits. */
  readonly id: string;
  readonly access: StoreAccess;
}
