import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bucketPolicy, cameraPolicy, ownerPolicy } from "../../scripts/cloud/policy.ts";
import { allows } from "../../scripts/cloud/policy-check.ts";
import { cameraId } from "./support.ts";

const BUCKET = "footage";
const CAMERA = cameraId("a");
const OWN = `v1/home/${CAMERA}/0/all/0000000001/x`;
const ARN = `arn:aws:s3:::${BUCKET}`;
const ABSENT = { "s3:if-none-match": "*" };

describe("policies", () => {
  const request = { bucket: BUCKET, tenant: "home", camera: CAMERA };
  const strict = cameraPolicy({ ...request, conditionalPut: true });
  const lenient = cameraPolicy({ ...request, conditionalPut: false });
  const may = (action: string, resource: string, context: Record<string, string> = {}) =>
    [strict, lenient].map((policy) => allows(policy, { action, resource, context }));

  it("a camera puts under its prefix, where the store can tell only if absent", () => {
    assert.deepEqual(may("s3:PutObject", `${ARN}/${OWN}`, ABSENT), [true, true]);
    assert.deepEqual(may("s3:PutObject", `${ARN}/${OWN}`), [false, true]);
  });

  it("a camera does nothing else, whatever it sends along", () => {
    const other = `v1/home/${cameraId("b")}/x`;
    for (const [action, resource] of [
      ["s3:PutObject", `${ARN}/${other}`],
      ["s3:PutObject", `${ARN}/v1/home/${CAMERA}`],
      ["s3:PutObject", `${ARN}/v1/home/update/x`],
      ["s3:PutObject", `arn:aws:s3:::another/${OWN}`],
      ["s3:GetObject", `${ARN}/${OWN}`],
      ["s3:GetObject", `${ARN}/v1/away/update/x`],
      ["s3:DeleteObject", `${ARN}/${OWN}`],
      ["s3:PutObjectAcl", `${ARN}/${OWN}`],
      ["s3:ListBucket", ARN],
      ["s3:PutLifecycleConfiguration", ARN],
    ] as const) {
      assert.deepEqual(may(action, resource, ABSENT), [false, false], `${action} ${resource}`);
    }
    assert.deepEqual(may("s3:GetObject", `${ARN}/v1/home/update/manifest`), [true, true]);
  });

  it("an explicit denial stands against an allowance from elsewhere", () => {
    const all = { Sid: "All", Effect: "Allow", Action: ["s3:*"], Resource: ["*"] } as const;
    const generous = { Version: "2012-10-17", Statement: [...strict.Statement, all] } as const;
    const access = { action: "s3:GetObject", resource: `${ARN}/${OWN}`, context: {} };
    assert.equal(allows(generous, access), false);
    assert.equal(allows({ Version: "2012-10-17", Statement: [all] }, access), true);
  });

  it("an owner has the tenant's prefix, the listing and the rules of one bucket", () => {
    const policy = ownerPolicy({ bucket: BUCKET, tenant: "home" });
    const owner = (action: string, resource: string) =>
      allows(policy, { action, resource, context: {} });
    for (const action of ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]) {
      assert.equal(owner(action, `${ARN}/${OWN}`), true);
      assert.equal(owner(action, `${ARN}/v1/away/x`), false);
      assert.equal(owner(action, `arn:aws:s3:::another/${OWN}`), false);
    }
    assert.equal(owner("s3:ListBucket", ARN), true);
    assert.equal(owner("s3:PutLifecycleConfiguration", ARN), true);
    assert.equal(owner("s3:PutBucketPolicy", ARN), false);
    assert.equal(owner("s3:ListBucket", "arn:aws:s3:::another"), false);
  });

  it("a pattern's characters mean themselves but for * and ?", () => {
    const policy = (pattern: string) => ({
      ...{ Version: "2012-10-17" as const },
      Statement: [{ Sid: "S", Effect: "Allow" as const, Action: ["a"], Resource: [pattern] }],
    });
    const fits = (pattern: string, resource: string) =>
      allows(policy(pattern), { action: "a", resource, context: {} });
    assert.equal(fits("a.c", "abc"), false);
    assert.equal(fits("a?c", "abc"), true);
    assert.equal(fits("a*", "a/b\nc"), true);
    assert.equal(fits("a*c", "ab"), false);
    assert.equal(fits("(a|b)[c]", "(a|b)[c]"), true);
    assert.equal(fits("a", "ab"), false);
  });

  it("a name that could mean more than itself makes no policy", () => {
    for (const tenant of ["", "*", "home/*", "Home", "a b", "a".repeat(33), "$name"]) {
      assert.throws(() => cameraPolicy({ ...request, tenant, conditionalPut: true }), /tenant/);
      assert.throws(() => ownerPolicy({ bucket: BUCKET, tenant }), /tenant/);
    }
    for (const camera of ["", "*", "a", CAMERA.toUpperCase(), `${CAMERA}*`]) {
      assert.throws(() => cameraPolicy({ ...request, camera, conditionalPut: true }), /camera id/);
    }
  });

  it("a bucket policy says of whom each statement is, with ids of their own", () => {
    const grants = ["one", "two"].map((principal) => ({ principal, policy: strict }));
    const { Statement } = bucketPolicy(grants);
    assert.equal(new Set(Statement.map(({ Sid }) => Sid)).size, Statement.length);
    assert.deepEqual(
      [...new Set(Statement.map(({ Principal }) => Principal?.AWS.join()))],
      ["one", "two"],
    );
    // AWS takes 20 KB: what policy.ts says of it must stay true.
    const fifteen = Array.from({ length: 15 }, () => ({
      principal: `arn:aws:iam::123456789012:user/${CAMERA}`,
      policy: cameraPolicy({ ...request, bucket: "b".repeat(20), conditionalPut: true }),
    }));
    assert.ok(JSON.stringify(bucketPolicy(fifteen)).length < 20_480);
  });
});
