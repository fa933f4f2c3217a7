import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test } from "node:test";
import { SignatureV4 } from "@smithy/signature-v4";
import fc from "fast-check";
import {
  type Credentials,
  encodePath,
  signRequest,
  UNSIGNED_PAYLOAD,
  type UnsignedRequest,
} from "../../../agent/upload/sigv4.ts";
import { nodeCrypto } from "../double/crypto.ts";
import { SEED } from "../properties.ts";

const crypto = nodeCrypto();

/** "Examples: Signature Calculations" of "Authenticating Requests: Using the Authorization Header", S3 API reference. */
const EXAMPLE: Credentials = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  sessionToken: "",
  region: "us-east-1",
};
const HOST = "examplebucket.s3.amazonaws.com";
const AT_US = Date.UTC(2013, 4, 24) * 1000;
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

function authorization(request: UnsignedRequest, credentials = EXAMPLE, wallUs = AT_US): string {
  const headers = new Map(signRequest(crypto, credentials, request, wallUs));
  return headers.get("authorization") ?? "";
}

const EXAMPLES: { what: string; request: UnsignedRequest; signed: string; signature: string }[] = [
  {
    what: "GET Object with a range",
    request: {
      method: "GET",
      host: HOST,
      path: "/test.txt",
      headers: [["range", "bytes=0-9"]],
      payloadHash: EMPTY,
    },
    signed: "host;range;x-amz-content-sha256;x-amz-date",
    signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  },
  {
    what: "PUT Object whose name needs encoding",
    request: {
      method: "PUT",
      host: HOST,
      path: `/${encodePath("test$file.text")}`,
      headers: [
        ["date", "Fri, 24 May 2013 00:00:00 GMT"],
        ["x-amz-storage-class", "REDUCED_REDUNDANCY"],
      ],
      payloadHash: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
    },
    signed: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
    signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
  },
];

for (const { what, request, signed, signature } of EXAMPLES)
  test(`AWS's example: ${what}`, () => {
    const scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
    assert.equal(
      authorization(request),
      `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=${signed}, Signature=${signature}`,
    );
  });

test("what is sent: host first, the date, the payload's hash, and the token where there is one", () => {
  const request = {
    method: "PUT",
    host: "store.test:9000",
    path: "/b/k",
    headers: [["if-none-match", "*"] as const],
    payloadHash: UNSIGNED_PAYLOAD,
  };
  const names = (credentials: Credentials) =>
    signRequest(crypto, credentials, request, AT_US).map(([name]) => name);
  const without = ["host", "if-none-match", "x-amz-date", "x-amz-content-sha256", "authorization"];
  assert.deepEqual(names(EXAMPLE), without);
  const signed = signRequest(crypto, { ...EXAMPLE, sessionToken: "tok" }, request, AT_US);
  assert.deepEqual(signed.at(-2), ["x-amz-security-token", "tok"]);
  assert.match(signed.at(-1)?.[1] ?? "", /x-amz-date;x-amz-security-token,/);
});

test("names are encoded once, slashes kept", () => {
  assert.equal(encodePath("a b/c+d/é!'()*~-._"), "a%20b/c%2Bd/%C3%A9%21%27%28%29%2A~-._");
});

/** SHA-256 in the shape that @smithy/signature-v4 wants. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    const key = typeof secret === "string" ? secret : secret && bytesOf(secret);
    this.#hash = key === undefined ? createHash("sha256") : createHmac("sha256", key);
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === "string" ? data : bytesOf(data));
  }
  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.#hash.digest());
  }
  reset(): void {}
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

const segment = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 12 });
const header = fc
  .tuple(
    fc.stringMatching(/^x-amz-meta-[a-z0-9]{1,8}$/),
    fc.stringMatching(/^[!-~]([ -~]{0,12}[!-~])?$/),
  )
  .map(([name, value]): [string, string] => [name, value]);

test("random requests get the signature that AWS's own library gives them", async () => {
  const requests = fc.record({
    method: fc.constantFrom("PUT", "GET", "HEAD"),
    name: fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
    headers: fc.uniqueArray(header, { maxLength: 4, selector: ([name]) => name }),
    atMs: fc.integer({ min: 0, max: 4e12 }),
    sessionToken: fc.constantFrom("", "a/token+with=signs"),
  });
  await fc.assert(
    fc.asyncProperty(requests, async ({ method, name, headers, atMs, sessionToken }) => {
      // The library normalizes "." and ".." away even where it is told not to encode; no name of ours has them.
      fc.pre(!name.split("/").some((part) => part === "." || part === ".." || part === ""));
      const credentials = { ...EXAMPLE, sessionToken };
      const path = `/bucket/${encodePath(name)}`;
      const ours = authorization(
        { method, host: "store.test", path, headers, payloadHash: UNSIGNED_PAYLOAD },
        credentials,
        atMs * 1000,
      );
      const signer = new SignatureV4({
        service: "s3",
        region: credentials.region,
        credentials: { ...credentials, ...(sessionToken ? { sessionToken } : {}) },
        sha256: Sha256,
        uriEscapePath: false,
        applyChecksum: true,
      });
      const theirs = await signer.sign(
        {
          method,
          protocol: "https:",
          hostname: "store.test",
          path,
          headers: {
            host: "store.test",
            "x-amz-content-sha256": UNSIGNED_PAYLOAD,
            ...Object.fromEntries(headers),
          },
        },
        { signingDate: new Date(atMs) },
      );
      assert.equal(ours, theirs.headers.authorization);
    }),
    { seed: SEED, numRuns: 150 },
  );
});
