/** Debian's radosgw as a target, with the very policies the README shows. */

import { setTimeout as sleep } from "node:timers/promises";
import { CreateBucketCommand, PutBucketPolicyCommand, type S3Client } from "@aws-sdk/client-s3";
import type { StoreAccess } from "../../../agent/identity/access.ts";
import { bucketPolicy, cameraPolicy, ownerPolicy } from "../../../scripts/cloud/policy.ts";
import { RADOSGW_DAY_S, type Radosgw, startRadosgw } from "../radosgw.ts";
import { sdkClient } from "./sdk.ts";
import type { Target } from "./target.ts";

const TENANT = "home";
const BUCKET = "ocellus-home";

/**
 * Starts a gateway of its own. The bucket belongs to a keeper who takes no part in the tests: owner
 * and cameras have only what the bucket policy gives them.
 */
export async function startRadosgwTarget(): Promise<Target> {
  const radosgw = await startRadosgw();
  const keeper = sdkClient(await addUser(radosgw, "keeper", ""));
  try {
    const owner = await addUser(radosgw, "owner", BUCKET);
    const cameras = [
      { id: "a".repeat(32), access: await addUser(radosgw, "camera-a", BUCKET) },
      { id: "b".repeat(32), access: await addUser(radosgw, "camera-b", BUCKET) },
    ] as const;
    const stranger = await addUser(radosgw, "stranger", "ocellus-elsewhere");
    await makeBucket(keeper, BUCKET, [
      { user: "owner", policy: ownerPolicy({ bucket: BUCKET, tenant: TENANT }) },
      ...cameras.map(({ id: camera }, index) => ({
        user: `camera-${"ab"[index]}`,
        policy: cameraPolicy({ bucket: BUCKET, tenant: TENANT, camera, conditionalPut: false }),
      })),
    ]);
    await makeBucket(keeper, stranger.bucket, [
      { user: "stranger", policy: ownerPolicy({ bucket: stranger.bucket, tenant: "elsewhere" }) },
    ]);
    return {
      name: "radosgw",
      differences: new Set([
        ...(["no-put-condition", "no-multi-delete", "any-region"] as const),
        ...(["unsigned-headers", "checksums-ignored"] as const),
      ]),
      tenant: TENANT,
      ...{ owner, cameras, stranger },
      async passDays(days) {
        await sleep((days * RADOSGW_DAY_S + 1) * 1000);
        await radosgw.processLifecycle();
      },
      stop: () => radosgw.stop(),
    };
  } catch (error) {
    await radosgw.stop();
    throw error;
  } finally {
    keeper.destroy();
  }
}

async function addUser(radosgw: Radosgw, name: string, bucket: string): Promise<StoreAccess> {
  const user = await radosgw.addUser(name);
  const { endpoint, caPem } = radosgw;
  return {
    endpoint,
    caPem,
    region: "us-east-1",
    bucket,
    pathStyle: true,
    sessionToken: "",
    ...user,
  };
}

async function makeBucket(
  keeper: S3Client,
  Bucket: string,
  grants: { user: string; policy: ReturnType<typeof ownerPolicy> }[],
): Promise<void> {
  await keeper.send(new CreateBucketCommand({ Bucket }));
  const policy = bucketPolicy(
    grants.map(({ user, policy }) => ({ principal: `arn:aws:iam:::user/${user}`, policy })),
  );
  await keeper.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(policy) }));
}
