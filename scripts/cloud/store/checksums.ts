/**
 * The digests a client may send with a body, and the check that the body has them.
 *
 * `Content-MD5` (RFC 1864) and `x-amz-checksum-*` ("Checking object integrity", Amazon S3 user guide): the
 * AWS SDK sends CRC-32 unasked. CRC-64/NVME is not known here and is refused, not ignored.
 */
import { createHash, type Hash } from "node:crypto";
import { S3Error } from "./errors.ts";

const LENGTHS = { crc32: 4, crc32c: 4, sha1: 20, sha256: 32 } as const;

/** Names as in the header `x-amz-checksum-<name>`. */
export type ChecksumName = keyof typeof LENGTHS;
export const CHECKSUM_NAMES = ["crc32", "crc32c", "sha1", "sha256"] as const;

interface Digest {
  update(bytes: Uint8Array): unknown;
  digest(): Buffer;
}

/** What a request says its body hashes to. */
export interface Claims {
  /** Content-MD5, 16 bytes. */
  readonly md5: Buffer | undefined;
  /** Signed x-amz-content-sha256, 32 bytes. */
  readonly signed: Buffer | undefined;
  readonly checksums: ReadonlyMap<ChecksumName, Buffer>;
}

/**
 * Reads the claims of a request.
 * @param headers lower-case names.
 * @param signedSha256 hex, where the signature covers the body.
 * @throws S3Error InvalidDigest, InvalidRequest or NotImplemented.
 */
export function readClaims(
  headers: ReadonlyMap<string, string>,
  signedSha256: string | undefined,
): Claims {
  const checksums = new Map<ChecksumName, Buffer>();
  for (const [header, value] of headers) {
    const name = /^x-amz-checksum-(.*)$/.exec(header)?.[1];
    if (name === undefined || name === "mode" || name === "algorithm" || name === "type") continue;
    const known = CHECKSUM_NAMES.find((candidate) => candidate === name);
    if (known === undefined) throw new S3Error("NotImplemented", `No checksum ${name} here`);
    const bytes = base64(value, LENGTHS[known]);
    if (!bytes) throw new S3Error("InvalidRequest", `Value for ${header} header is invalid.`);
    checksums.set(known, bytes);
  }
  const md5 = base64(headers.get("content-md5"), 16);
  if (headers.get("content-md5") !== undefined && !md5) {
    throw new S3Error("InvalidDigest", "The Content-MD5 you specified is not valid.");
  }
  return { md5, checksums, signed: signedSha256 ? Buffer.from(signedSha256, "hex") : undefined };
}

/** Hashes a body while it passes, then holds it against the claims. */
export class BodyCheck {
  readonly #claims: Claims;
  readonly #md5 = createHash("md5");
  readonly #signed: Hash | undefined;
  readonly #checksums: ReadonlyMap<ChecksumName, Digest>;

  constructor(claims: Claims) {
    this.#claims = claims;
    this.#signed = claims.signed && createHash("sha256");
    this.#checksums = new Map([...claims.checksums.keys()].map((name) => [name, digest(name)]));
  }

  update(bytes: Uint8Array): void {
    this.#md5.update(bytes);
    this.#signed?.update(bytes);
    for (const checksum of this.#checksums.values()) checksum.update(bytes);
  }

  /**
   * To be called once, after the last byte.
   * @returns the body's MD5 as hex (an object's ETag).
   * @throws S3Error BadDigest or XAmzContentSHA256Mismatch where a claim does not hold.
   */
  finish(): string {
    const md5 = this.#md5.digest();
    if (this.#claims.md5 && !md5.equals(this.#claims.md5)) {
      throw new S3Error(
        "BadDigest",
        "The Content-MD5 you specified did not match what we received.",
      );
    }
    const { signed } = this.#claims;
    if (signed && this.#signed && !this.#signed.digest().equals(signed)) {
      throw new S3Error(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
      );
    }
    for (const [name, checksum] of this.#checksums) {
      if (this.#claims.checksums.get(name)?.equals(checksum.digest())) continue;
      throw new S3Error("BadDigest", `The ${name} you specified did not match what we received.`);
    }
    return md5.toString("hex");
  }
}

function digest(name: ChecksumName): Digest {
  if (name === "sha1" || name === "sha256") return createHash(name);
  return new Crc(name === "crc32" ? CRC32 : CRC32C);
}

/** Reflected CRC-32 (IEEE 802.3) and CRC-32C (RFC 3720 appendix B.4): Node 20's zlib may have neither. */
class Crc implements Digest {
  readonly #table: Uint32Array;
  #state = 0xffffffff;

  constructor(table: Uint32Array) {
    this.#table = table;
  }

  update(bytes: Uint8Array): void {
    let state = this.#state;
    for (const byte of bytes) state = (this.#table[(state ^ byte) & 255] ?? 0) ^ (state >>> 8);
    this.#state = state;
  }

  digest(): Buffer {
    const out = Buffer.alloc(4);
    out.writeUInt32BE((this.#state ^ 0xffffffff) >>> 0);
    return out;
  }
}

const CRC32 = crcTable(0xedb88320);
const CRC32C = crcTable(0x82f63b78);

function crcTable(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    return value;
  });
}

/** Decodes base64 of exactly `length` bytes; undefined for anything else. */
function base64(text: string | undefined, length: number): Buffer | undefined {
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.length === length && bytes.toString("base64") === text ? bytes : undefined;
}
