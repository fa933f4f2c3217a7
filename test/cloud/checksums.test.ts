import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BodyCheck, readClaims } from "../../scripts/cloud/store/checksums.ts";

const BODY = Buffer.from("123456789");
const ETAG = "25f9e794323b453885f5181f1b624d0b";
/** Of "123456789": the CRCs' check values in the catalogue of CRC algorithms, the hashes by other programs. */
const RIGHT: Readonly<Record<string, string>> = {
  "content-md5": ETAG,
  "x-amz-checksum-crc32": "cbf43926",
  "x-amz-checksum-crc32c": "e3069283",
  "x-amz-checksum-sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
  "x-amz-checksum-sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
};

const base64 = (hex: string) => Buffer.from(hex, "hex").toString("base64");
const check = (headers: Record<string, string>, signedSha256?: string) => {
  const body = new BodyCheck(readClaims(new Map(Object.entries(headers)), signedSha256));
  for (const byte of BODY) body.update(Buffer.from([byte]));
  return body.finish();
};

describe("digests of a body", () => {
  it("are taken where they are right, whatever pieces the body came in", () => {
    for (const [name, hex] of Object.entries(RIGHT)) {
      assert.equal(check({ [name]: base64(hex) }), ETAG, name);
    }
    assert.equal(check({}, RIGHT["x-amz-checksum-sha256"]), ETAG);
  });

  it("are refused where they are wrong in one bit", () => {
    for (const [name, hex] of Object.entries(RIGHT)) {
      const bytes = Buffer.from(hex, "hex");
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      assert.throws(() => check({ [name]: bytes.toString("base64") }), { code: "BadDigest" }, name);
      const wrong = { code: "XAmzContentSHA256Mismatch" };
      if (bytes.length === 32) assert.throws(() => check({}, bytes.toString("hex")), wrong);
    }
  });

  it("are refused where they are no digests, or of a kind not known here", () => {
    const short = base64("cbf439");
    assert.throws(() => check({ "content-md5": short }), { code: "InvalidDigest" });
    assert.throws(() => check({ "x-amz-checksum-crc32": short }), { code: "InvalidRequest" });
    const hex = { "x-amz-checksum-crc32": "cbf43926" };
    assert.throws(() => check(hex), { code: "InvalidRequest" });
    const nvme = { "x-amz-checksum-crc64nvme": base64("0011223344556677") };
    assert.throws(() => check(nvme), { code: "NotImplemented" });
  });
});
