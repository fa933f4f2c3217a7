/** What the owner's tools rely on: reading, ranges, listing, deleting, rules. All by the AWS SDK. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, it } from "node:test";
import {
  DeleteBucketCorsCommand,
  DeleteBucketLifecycleCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketCorsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { request } from "./raw.ts";
import { outcomeOf, sdkClient } from "./sdk.ts";
import type { Target } from "./target.ts";

/** Registers the owner's tests; `target` is asked when they run. */
export function ownerSuite(target: () => Target): void {
  let client: S3Client;
  let Bucket: string;
  let root: string;
  before(() => {
    client = sdkClient(target().owner);
    Bucket = target().owner.bucket;
    root = `v1/${target().tenant}/owner-tests`;
  });
  after(() => client.destroy());

  const put = async (Key: string, Body: Buffer | string = "x"): Promise<void> => {
    await client.send(new PutObjectCommand({ Bucket, Key, Body }));
  };
  const list = async (input: Partial<ListObjectsV2CommandInput>) => {
    const reply = await client.send(new ListObjectsV2Command({ Bucket, ...input }));
    return {
      keys: (reply.Contents ?? []).map(({ Key }) => Key?.slice(root.length + 1)),
      groups: (reply.CommonPrefixes ?? []).map(({ Prefix }) => Prefix?.slice(root.length + 1)),
      token: reply.NextContinuationToken,
      truncated: reply.IsTruncated,
      count: reply.KeyCount,
    };
  };

  it("an object comes back with its length, ETag, date and type", async () => {
    const Key = `${root}/described`;
    const Body = randomBytes(1000);
    const etag = `"${createHash("md5").update(Body).digest("hex")}"`;
    const before_ms = Date.now();
    const stored = await client.send(
      new PutObjectCommand({
        ...{ Bucket, Key, Body, ContentType: "video/mp4", CacheControl: "max-age=60" },
        Metadata: { note: "seen" },
      }),
    );
    assert.equal(stored.ETag, etag);
    for (const reply of [
      await client.send(new HeadObjectCommand({ Bucket, Key })),
      await client.send(new GetObjectCommand({ Bucket, Key })),
    ]) {
      assert.equal(reply.ContentLength, 1000);
      assert.equal(reply.ETag, etag);
      assert.equal(reply.ContentType, "video/mp4");
      assert.equal(reply.CacheControl, "max-age=60");
      assert.deepEqual(reply.Metadata, { note: "seen" });
      assert.equal(reply.AcceptRanges, "bytes");
      const modified_ms = reply.LastModified?.getTime() ?? 0;
      assert.ok(Math.abs(modified_ms - before_ms) < 5000, `${modified_ms} against ${before_ms}`);
      if ("Body" in reply) {
        assert.deepEqual(Buffer.from((await reply.Body?.transformToByteArray()) ?? []), Body);
      }
    }
  });

  it("a range of bytes is served as 206, and one beyond the end refused as 416", async () => {
    const Key = `${root}/ranged`;
    const bytes = randomBytes(1000);
    await put(Key, bytes);
    const served: [range: string, first: number, end: number][] = [
      ["bytes=0-0", 0, 1],
      ["bytes=10-19", 10, 20],
      ["bytes=990-", 990, 1000],
      ["bytes=-5", 995, 1000],
      ["bytes=990-5000", 990, 1000],
      ["bytes=-5000", 0, 1000],
    ];
    for (const [Range, first, end] of served) {
      const reply = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
      assert.equal(reply.$metadata.httpStatusCode, 206, Range);
      assert.equal(reply.ContentRange, `bytes ${first}-${end - 1}/1000`);
      const body = Buffer.from((await reply.Body?.transformToByteArray()) ?? []);
      assert.deepEqual(body, bytes.subarray(first, end), Range);
    }
    for (const Range of ["bytes=1000-", "bytes=5000-6000"]) {
      const call = client.send(new GetObjectCommand({ Bucket, Key, Range }));
      assert.deepEqual(await outcomeOf(call), { status: 416, code: "InvalidRange" });
    }
  });

  it("conditions on a read are honoured", async () => {
    const Key = `${root}/conditional`;
    await put(Key);
    const { ETag = "" } = await client.send(new HeadObjectCommand({ Bucket, Key }));
    const get = (condition: { IfMatch?: string; IfNoneMatch?: string }) =>
      outcomeOf(client.send(new GetObjectCommand({ Bucket, Key, ...condition })));
    assert.equal((await get({ IfMatch: ETag })).status, 200);
    assert.equal((await get({ IfMatch: '"0"' })).status, 412);
    assert.equal((await get({ IfNoneMatch: ETag })).status, 304);
    assert.equal((await get({ IfNoneMatch: '"0"' })).status, 200);
  });

  it("an object that is not there answers 404 to who may list", async () => {
    const missing = { Bucket, Key: `${root}/missing` };
    const get = await outcomeOf(client.send(new GetObjectCommand(missing)));
    assert.deepEqual(get, { status: 404, code: "NoSuchKey" });
    const head = await outcomeOf(client.send(new HeadObjectCommand(missing)));
    assert.equal(head.status, 404);
    assert.equal((await outcomeOf(client.send(new HeadBucketCommand({ Bucket })))).status, 200);
  });

  it("the owner replaces objects, unless asking not to", async () => {
    const Key = `${root}/replaced`;
    await put(Key, "one");
    await put(Key, "two");
    const guarded = client.send(
      new PutObjectCommand({ Bucket, Key, Body: "three", IfNoneMatch: "*" }),
    );
    assert.deepEqual(await outcomeOf(guarded), { status: 412, code: "PreconditionFailed" });
    const reply = await client.send(new GetObjectCommand({ Bucket, Key }));
    assert.equal(await reply.Body?.transformToString(), "two");
  });

  it("keys hold whatever a key may hold, and stay apart", async () => {
    const names = [
      ...["a b", "a+b", "a%20b", "a%2Fb", "ä€😀", "<script>&\"'", "a//b", "a/./b", "a/../b"],
      ...["a/", "a", ".", "..", "~tilde", "a@", "@", "%", "a?b=c#d", "*", "a\\b", "=;,:$!()'"],
    ];
    for (const name of names) await put(`${root}/odd/${name}`, name);
    for (const name of names) {
      const reply = await client.send(new GetObjectCommand({ Bucket, Key: `${root}/odd/${name}` }));
      assert.equal(await reply.Body?.transformToString(), name);
    }
    const { keys } = await list({ Prefix: `${root}/odd/` });
    const byBytes = (left = "", right = "") =>
      Buffer.compare(Buffer.from(left), Buffer.from(right));
    assert.deepEqual(keys, names.map((name) => `odd/${name}`).sort(byBytes));
  });

  it("listing knows prefix, delimiter, start and pages", async () => {
    const names = ["a", "a-b", "a/1", "a/2", "a/b/3", "a0", "b/1", "c", "c/1", "d"];
    for (const name of names) await put(`${root}/list/${name}`);
    const Prefix = `${root}/list/`;
    const named = (...wanted: string[]) => wanted.map((name) => `list/${name}`);

    const all = await list({ Prefix });
    assert.deepEqual(
      all.keys,
      named("a", "a-b", "a/1", "a/2", "a/b/3", "a0", "b/1", "c", "c/1", "d"),
    );
    assert.equal(all.count, names.length);
    assert.equal(all.truncated, false);

    const grouped = await list({ Prefix, Delimiter: "/" });
    assert.deepEqual(grouped.keys, named("a", "a-b", "a0", "c", "d"));
    assert.deepEqual(grouped.groups, named("a/", "b/", "c/"));
    assert.equal(grouped.count, 8);

    const inside = await list({ Prefix: `${Prefix}a/`, Delimiter: "/" });
    assert.deepEqual([inside.keys, inside.groups], [named("a/1", "a/2"), named("a/b/")]);
    const partial = await list({ Prefix: `${Prefix}a` });
    assert.deepEqual(partial.keys, named("a", "a-b", "a/1", "a/2", "a/b/3", "a0"));
    const later = await list({ Prefix, StartAfter: `${Prefix}a/2` });
    assert.deepEqual(later.keys, named("a/b/3", "a0", "b/1", "c", "c/1", "d"));
    const between = await list({ Prefix, StartAfter: `${Prefix}b` });
    assert.deepEqual(between.keys, named("b/1", "c", "c/1", "d"));
    assert.deepEqual((await list({ Prefix: `${root}/list-nothing/` })).keys, []);
    assert.deepEqual((await list({ Prefix, MaxKeys: 0 })).keys, []);

    for (const Delimiter of [undefined, "/"]) {
      for (const MaxKeys of [1, 2, 3, 7]) {
        const keys: unknown[] = [];
        const groups: unknown[] = [];
        let ContinuationToken: string | undefined;
        do {
          const page = await list({
            ...{ Prefix, MaxKeys },
            ...(Delimiter ? { Delimiter } : {}),
            ...(ContinuationToken ? { ContinuationToken } : {}),
          });
          assert.ok((page.count ?? 0) <= MaxKeys);
          assert.equal(page.truncated, page.token !== undefined);
          keys.push(...page.keys);
          groups.push(...page.groups);
          ContinuationToken = page.token;
        } while (ContinuationToken);
        const whole = Delimiter ? grouped : all;
        assert.deepEqual([keys, groups], [whole.keys, whole.groups], `${Delimiter} by ${MaxKeys}`);
      }
    }
  });

  it("deleting removes, one or many, and what is absent counts as deleted", async () => {
    const names = ["one", "two", "three", " edge "].map((name) => `${root}/delete/${name}`);
    for (const name of [...names, `${root}/delete/edge`]) await put(name);
    const [one = "", ...others] = names;
    const first = client.send(new DeleteObjectCommand({ Bucket, Key: one }));
    assert.equal((await outcomeOf(first)).status, 204);
    const again = client.send(new DeleteObjectCommand({ Bucket, Key: one }));
    assert.equal((await outcomeOf(again)).status, 204);
    const many = client.send(
      new DeleteObjectsCommand({
        Bucket,
        Delete: { Objects: [...others, `${root}/delete/absent`].map((Key) => ({ Key })) },
      }),
    );
    if (target().differences.has("no-multi-delete")) {
      assert.equal((await outcomeOf(many)).status, 403);
      return;
    }
    const reply = await many;
    assert.deepEqual(
      (reply.Deleted ?? []).map(({ Key }) => Key).sort(),
      [...others, `${root}/delete/absent`].sort(),
    );
    assert.deepEqual(reply.Errors ?? [], []);
    assert.deepEqual((await list({ Prefix: `${root}/delete/` })).keys, ["delete/edge"]);
  });

  it("an owner has no rights in another's bucket, or outside the tenant's prefix", async () => {
    const { stranger } = target();
    const foreign = stranger.bucket;
    const Key = "v1/elsewhere/x";
    const strangers = sdkClient(stranger);
    await strangers.send(new PutObjectCommand({ Bucket: foreign, Key, Body: "theirs" }));
    strangers.destroy();
    const refused = { status: 403, code: "AccessDenied" };
    for (const call of [
      () => client.send(new GetObjectCommand({ Bucket: foreign, Key })),
      () => client.send(new PutObjectCommand({ Bucket: foreign, Key, Body: "mine" })),
      () => client.send(new DeleteObjectCommand({ Bucket: foreign, Key })),
      () => client.send(new ListObjectsV2Command({ Bucket: foreign })),
      () => client.send(new GetBucketCorsCommand({ Bucket: foreign })),
      () => client.send(new PutObjectCommand({ Bucket, Key, Body: "astray" })),
    ]) {
      assert.deepEqual(await outcomeOf(call()), refused);
    }
  });

  it("life-cycle rules are kept, and delete what has come of age under their prefix", async () => {
    const none = client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    assert.deepEqual(await outcomeOf(none), { status: 404, code: "NoSuchLifecycleConfiguration" });
    const rule = (ID: string, Days: number, Status: "Enabled" | "Disabled") => ({
      ...{ ID, Status, Filter: { Prefix: `${root}/aging/${ID}/` } },
      Expiration: { Days },
    });
    const Rules = [
      rule("short", 1, "Enabled"),
      rule("long", 1000, "Enabled"),
      rule("off", 1, "Disabled"),
    ];
    await client.send(
      new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }),
    );
    const kept = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    const byId = (left: { ID?: string | undefined }, right: { ID?: string | undefined }) =>
      (left.ID ?? "").localeCompare(right.ID ?? "");
    assert.deepEqual(
      kept.Rules?.map(({ ID, Status, Filter, Expiration }) => ({
        ...{ ID, Status, Prefix: Filter?.Prefix, Days: Expiration?.Days },
      })).sort(byId),
      Rules.map(({ ID, Status, Filter, Expiration }) => ({
        ...{ ID, Status, Prefix: Filter.Prefix, Days: Expiration.Days },
      })).sort(byId),
    );
    for (const name of ["short/1", "short/2", "long/1", "off/1", "short", "beside/1"]) {
      await put(`${root}/aging/${name}`);
    }
    await target().passDays(2);
    const { keys } = await list({ Prefix: `${root}/aging/` });
    assert.deepEqual(keys, ["aging/beside/1", "aging/long/1", "aging/off/1", "aging/short"]);
    await client.send(new DeleteBucketLifecycleCommand({ Bucket }));
    const gone = client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    assert.equal((await outcomeOf(gone)).status, 404);
  });

  it("a page from an allowed origin may fetch by range, and from another may not", async () => {
    const Key = `${root}/from-a-page`;
    await put(Key, "picture");
    const CORSRules = [
      {
        AllowedOrigins: ["https://viewer.example", "https://*.home.example"],
        AllowedMethods: ["GET", "HEAD"],
        AllowedHeaders: ["range", "x-amz-*"],
        ExposeHeaders: ["etag", "content-range"],
        MaxAgeSeconds: 600,
      },
    ];
    await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }));
    const kept = await client.send(new GetBucketCorsCommand({ Bucket }));
    assert.equal(kept.CORSRules?.[0]?.MaxAgeSeconds, 600);
    const ask = async (origin: string, method: string, headers: string) =>
      preflight(target(), `/${Bucket}/${Key}`, {
        origin,
        "access-control-request-method": method,
        "access-control-request-headers": headers,
      });
    for (const origin of ["https://viewer.example", "https://a.home.example"]) {
      const reply = await ask(origin, "GET", "range,x-amz-date");
      assert.equal(reply.status, 200);
      assert.equal(reply.headers["access-control-allow-origin"], origin);
      assert.match(String(reply.headers["access-control-allow-methods"]), /GET/);
      assert.match(String(reply.headers["access-control-allow-headers"]), /range/);
      assert.equal(reply.headers["access-control-max-age"], "600");
      assert.match(String(reply.headers["access-control-expose-headers"]), /content-range/);
    }
    for (const [origin, method, headers] of [
      ["https://evil.example", "GET", "range"],
      ["https://viewer.example.evil.example", "GET", "range"],
      ["https://viewer.example", "PUT", "range"],
      ["https://viewer.example", "GET", "cookie"],
    ] as const) {
      const reply = await ask(origin, method, headers);
      assert.equal(reply.status, 403, `${origin} ${method} ${headers}`);
      assert.equal(reply.headers["access-control-allow-origin"], undefined);
    }
    await client.send(new DeleteBucketCorsCommand({ Bucket }));
    assert.equal((await ask("https://viewer.example", "GET", "range")).status, 403);
  });
}

async function preflight(
  target: Target,
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; headers: Record<string, unknown> }> {
  const { status, headers: received } = await request(target.owner, "OPTIONS", path, headers);
  return { status, headers: received };
}
