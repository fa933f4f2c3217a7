/**
 * Who may do what in the store, as AWS policy documents.
 *
 * One text, three uses: the README shows it for AWS S3, MinIO and others; the embedded store enforces
 * it (policy-check.ts); the tests put it on Debian's radosgw. Grammar: "IAM JSON policy elements
 * reference" (AWS IAM user guide); actions and condition keys: "Actions, resources, and condition keys
 * for Amazon S3" (AWS service authorization reference); `s3:if-none-match`: "Enforce conditional writes
 * on Amazon S3 buckets" (Amazon S3 user guide).
 */
import { cameraPrefix, checkCamera, checkTenant, tenantPrefix, updatePrefix } from "./names.ts";

/** The one condition operator in use. */
export interface PolicyCondition {
  /** By condition key. "true": the key must be absent from the request; "false": present. */
  readonly Null: Readonly<Record<string, readonly ["true" | "false"]>>;
}

/** One statement. Exactly one of Action and NotAction, and one of Resource and NotResource, is there. */
export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  /** In a bucket policy only: whose requests the statement is about. */
  readonly Principal?: { readonly AWS: readonly string[] };
  readonly Action?: readonly string[];
  readonly NotAction?: readonly string[];
  readonly Resource?: readonly string[];
  readonly NotResource?: readonly string[];
  readonly Condition?: PolicyCondition;
}

/** A policy document, ready for JSON.stringify. */
export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly PolicyStatement[];
}

/** What a camera's policy is made from. */
export interface CameraPolicyRequest {
  readonly bucket: string;
  readonly tenant: string;
  /** 32 lower-case hex digits. */
  readonly camera: string;
  /**
   * Whether the store knows the condition key `s3:if-none-match` (AWS does since November 2024; radosgw 16
   * does not, and would refuse every put). With it a put that does not ask for "only if absent" is
   * refused; without it the store still answers 412 to a put that asks, but a stolen camera's
   * credentials could overwrite that camera's own objects.
   */
  readonly conditionalPut: boolean;
}

/**
 * A camera puts new objects under its own prefix and reads its tenant's updates: no listing, no reading
 * back, no deleting. The denials repeat the bounds, since an explicit denial stands against
 * whatever else the account or an object's own access list grants (radosgw makes the uploader an
 * object's owner, who may read it).
 */
export function cameraPolicy(request: CameraPolicyRequest): PolicyDocument {
  const { bucket, tenant, camera, conditionalPut } = request;
  checkTenant(tenant);
  checkCamera(camera);
  const own = `arn:aws:s3:::${bucket}/${cameraPrefix(tenant, camera)}*`;
  const updates = `arn:aws:s3:::${bucket}/${updatePrefix(tenant)}*`;
  const onlyIfAbsent: PolicyCondition = { Null: { "s3:if-none-match": ["false"] } };
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "PutOwnFootage",
        Effect: "Allow",
        Action: ["s3:PutObject"],
        Resource: [own],
        ...(conditionalPut ? { Condition: onlyIfAbsent } : {}),
      },
      { Sid: "ReadUpdates", Effect: "Allow", Action: ["s3:GetObject"], Resource: [updates] },
      { Sid: "PutNowhereElse", Effect: "Deny", Action: ["s3:PutObject"], NotResource: [own] },
      { Sid: "ReadNothingElse", Effect: "Deny", Action: ["s3:GetObject"], NotResource: [updates] },
      {
        Sid: "DoNothingElse",
        Effect: "Deny",
        NotAction: ["s3:PutObject", "s3:GetObject"],
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      },
    ],
  };
}

/**
 * The owner reads, puts and deletes under the tenant's prefix, lists, and sets the bucket's life-cycle
 * rules (`ocellus retention`) and CORS rules (the viewer). Rules are the whole bucket's in every S3 store,
 * and only who may list all of it is told a missing object (404) from a forbidden one (403): so an
 * owner should have a bucket of their own.
 */
export function ownerPolicy(request: { bucket: string; tenant: string }): PolicyDocument {
  const { bucket, tenant } = request;
  checkTenant(tenant);
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Footage",
        Effect: "Allow",
        Action: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
        Resource: [`arn:aws:s3:::${bucket}/${tenantPrefix(tenant)}*`],
      },
      {
        Sid: "List",
        Effect: "Allow",
        Action: ["s3:ListBucket"],
        Resource: [`arn:aws:s3:::${bucket}`],
      },
      {
        Sid: "Rules",
        Effect: "Allow",
        Action: [
          "s3:GetLifecycleConfiguration",
          "s3:PutLifecycleConfiguration",
          "s3:GetBucketCORS",
          "s3:PutBucketCORS",
        ],
        Resource: [`arn:aws:s3:::${bucket}`],
      },
    ],
  };
}

/**
 * The same rules as one bucket policy, for stores whose users have no policies of their own.
 * AWS takes at most 20 KB of it, which is about 15 cameras; there, give each user its own policy.
 * @param grants each policy with the principal it is for (AWS: `arn:aws:iam::ACCOUNT:user/NAME`, radosgw:
 *   `arn:aws:iam:::user/NAME`).
 */
export function bucketPolicy(
  grants: readonly { principal: string; policy: PolicyDocument }[],
): PolicyDocument {
  return {
    Version: "2012-10-17",
    Statement: grants.flatMap(({ principal, policy }, index) =>
      policy.Statement.map((statement) => ({
        ...statement,
        Sid: `${statement.Sid}${index}`,
        Principal: { AWS: [principal] },
      })),
    ),
  };
}
