/** That a request counts only as signed: whole, in time, by a key that exists. Sent by hand. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { before, it } from "node:test";
import type { StoreAccess } from "../../../agent/identity/access.ts";
import { presign, type RawReply, request, send, sign } from "./raw.ts";
import type { Target } from "./target.ts";

/** Registers the tests of signatures; `target` is asked when they run. */
export function signatureSuite(target: () => Target): void {
  let owner: StoreAccess;
  let bucket: string;
  let prefix: string;
  before(() => {
    owner = target().owner;
    bucket = `/${owner.bucket}`;
    prefix = `${bucket}/v1/${target().tenant}/signature-tests`;
  });
  const path = (): string => `${prefix}/${randomBytes(8).toString("hex")}`;
  const stored = async (body = "stored"): Promise<string> => {
    const made = path();
    const reply = await send(owner, { method: "PUT", path: made, body });
    assert.equal(reply.status, 200, reply.text);
    return made;
  };
  const refusal = ({ status, code }: RawReply) => ({ status, code });

  it("nobody gets anything without a signature", async () => {
    const object = await stored();
    for (const [method, path] of [
      ["GET", object],
      ["PUT", object],
      ["PUT", `${object}-new`],
      ["DELETE", object],
      ["GET", `${bucket}?list-type=2`],
      ["GET", `${bucket}?lifecycle`],
      ["PUT", `${bucket}?cors`],
    ] as const) {
      const reply = await request(owner, method, path);
      assert.deepEqual(refusal(reply), { status: 403, code: "AccessDenied" }, `${method} ${path}`);
    }
    assert.equal((await send(owner, { method: "GET", path: object })).text, "stored");
  });

  it("a body is taken unsigned, or exactly as signed", async () => {
    const made = path();
    const unsigned = { method: "PUT", path: made, body: "a", payload: "UNSIGNED-PAYLOAD" };
    assert.equal((await send(owner, unsigned)).status, 200);
    const headers = await sign(owner, { method: "PUT", path: made, body: "signed" });
    const reply = await request(owner, "PUT", made, headers, "forged");
    assert.deepEqual(refusal(reply), { status: 400, code: "XAmzContentSHA256Mismatch" });
    assert.equal((await send(owner, { method: "GET", path: made })).text, "a");
  });

  it("whatever was signed cannot be changed afterwards", async () => {
    const mine = await stored("mine");
    const other = await stored("other");
    const wrong = { status: 403, code: "SignatureDoesNotMatch" };
    const headers = await sign(owner, {
      method: "GET",
      path: mine,
      headers: { range: "bytes=0-0" },
    });
    assert.equal((await request(owner, "GET", mine, headers)).text, "m");
    for (const [method, path, changed] of [
      ["GET", other, {}],
      ["DELETE", mine, {}],
      ["GET", `${mine}?response-content-type=text/html`, {}],
      ["GET", mine, { range: "bytes=1-3" }],
      ["GET", mine, { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" }],
      ["GET", mine, { authorization: (headers.authorization ?? "").replace(/.$/, flip) }],
    ] as const) {
      const reply = await request(owner, method, path, { ...headers, ...changed });
      assert.deepEqual(refusal(reply), wrong, `${method} ${path} ${JSON.stringify(changed)}`);
    }
  });

  it("a signature of another place or in another form is refused", async () => {
    const object = await stored();
    const good = await sign(owner, { method: "GET", path: object });
    for (const authorization of [
      "",
      "AWS4-HMAC-SHA256",
      "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0",
      (good.authorization ?? "").replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"),
      "Basic b2NlbGx1czpvY2VsbHVz",
      `AWS ${owner.accessKeyId}:c2lnbmF0dXJl`,
    ]) {
      const { status } = await request(owner, "GET", object, { ...good, authorization });
      assert.ok(status === 400 || status === 403, `${status} for ${authorization}`);
    }
    const abroad = await send({ ...owner, region: "eu-north-9" }, { method: "GET", path: object });
    if (target().differences.has("any-region")) assert.equal(abroad.status, 200);
    else assert.deepEqual(refusal(abroad), { status: 400, code: "AuthorizationHeaderMalformed" });
  });

  it("a header of S3's own that was not signed is refused", async () => {
    const made = path();
    const headers = await sign(owner, { method: "PUT", path: made });
    const reply = await request(owner, "PUT", made, { ...headers, "x-amz-meta-slipped": "in" });
    if (target().differences.has("unsigned-headers")) assert.equal(reply.status, 200);
    else assert.deepEqual(refusal(reply), { status: 403, code: "AccessDenied" });
  });

  it("a clock that is wrong by more than 15 minutes is told so, with the right time beside it", async () => {
    const object = await stored();
    for (const minutes of [-16, 16]) {
      const date = new Date(Date.now() + minutes * 60_000);
      const reply = await send(owner, { method: "GET", path: object, date });
      assert.deepEqual(refusal(reply), { status: 403, code: "RequestTimeTooSkewed" });
      const told_ms = Date.parse(reply.headers.date ?? "");
      assert.ok(Math.abs(told_ms - Date.now()) < 5000, reply.headers.date);
    }
  });

  it("every reply carries the date, refusals too", async () => {
    const replies = [
      await send(owner, { method: "GET", path: await stored() }),
      await send(owner, { method: "GET", path: path() }),
      await request(owner, "GET", path()),
      await send(owner, { method: "DELETE", path: path() }),
    ];
    assert.deepEqual(
      replies.map(({ status }) => status),
      [200, 404, 403, 204],
    );
    for (const { headers } of replies) {
      assert.match(headers.date ?? "", /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
    }
  });

  it("a body that is not what its digest says is refused, and nothing is stored", async () => {
    const made = path();
    const put = (headers: Record<string, string>) =>
      send(owner, { method: "PUT", path: made, body: "body", headers });
    const md5 = (text: string) => createHash("md5").update(text).digest("base64");
    const wrong = await put({ "content-md5": md5("other") });
    assert.deepEqual(refusal(wrong), { status: 400, code: "BadDigest" });
    const odd = await put({ "content-md5": "not base64 of 16 bytes" });
    assert.deepEqual(refusal(odd), { status: 400, code: "InvalidDigest" });
    if (!target().differences.has("checksums-ignored")) {
      const other = createHash("sha256").update("other").digest("base64");
      for (const [name, value] of [
        ["crc32", "AAAAAA=="],
        ["crc32c", "AAAAAA=="],
        ["sha256", other],
      ]) {
        const reply = await put({ [`x-amz-checksum-${name}`]: value ?? "" });
        assert.deepEqual(refusal(reply), { status: 400, code: "BadDigest" }, name);
      }
    }
    assert.equal((await send(owner, { method: "GET", path: made })).status, 404);
    // CRC-32 of "body" as zlib computes it.
    const right = { "content-md5": md5("body"), "x-amz-checksum-crc32": "26gLsg==" };
    assert.equal((await put(right)).status, 200);
  });

  it("a presigned URL serves one object to anybody until it expires", async () => {
    const object = await stored("shared");
    const url = await presign(owner, { method: "GET", path: object }, 60);
    const reply = await request(owner, "GET", url);
    assert.deepEqual([reply.status, reply.text], [200, "shared"]);
    const part = await request(owner, "GET", url, { range: "bytes=1-2" });
    assert.deepEqual([part.status, part.text], [206, "ha"]);

    const other = await stored("other");
    const wrong = { status: 403, code: "SignatureDoesNotMatch" };
    const swapped = url.replace(object, other);
    assert.notEqual(swapped, url);
    assert.deepEqual(refusal(await request(owner, "GET", swapped)), wrong);
    assert.deepEqual(refusal(await request(owner, "DELETE", url)), wrong);
    const longer = url.replace("X-Amz-Expires=60", "X-Amz-Expires=600");
    assert.notEqual(longer, url);
    assert.deepEqual(refusal(await request(owner, "GET", longer)), wrong);

    const date = new Date(Date.now() - 120_000);
    const old = await presign(owner, { method: "GET", path: object, date }, 60);
    const denied = { status: 403, code: "AccessDenied" };
    assert.deepEqual(refusal(await request(owner, "GET", old)), denied);
  });

  it("a presigned URL gives no more than its signer has", async () => {
    const [camera] = target().cameras;
    const object = await stored();
    const url = await presign(camera.access, { method: "GET", path: object }, 60);
    assert.deepEqual(refusal(await request(owner, "GET", url)), {
      status: 403,
      code: "AccessDenied",
    });
    const put = await presign(owner, { method: "PUT", path: object, note: "in the URL" }, 60);
    assert.equal((await request(owner, "PUT", put, {}, "replaced")).status, 200);
    const replaced = await send(owner, { method: "GET", path: object });
    assert.equal(replaced.text, "replaced");
    assert.equal(replaced.headers["x-amz-meta-note"], "in the URL");
  });

  it("a client may wait for 100 Continue before it sends a body", async () => {
    const made = path();
    const body = "after the nod";
    const headers = await sign(owner, { method: "PUT", path: made, body });
    const length = { "content-length": String(body.length), expect: "100-continue" };
    const taken = await request(owner, "PUT", made, { ...headers, ...length }, body);
    assert.equal(taken.status, 200);
    assert.equal((await send(owner, { method: "GET", path: made })).text, body);
  });
}

function flip(digit: string): string {
  return digit === "0" ? "1" : "0";
}
