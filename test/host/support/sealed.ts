/** Opens what the camera sealed, written from FORMAT.md with tweetnacl and Node's hashes alone. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import nacl from "tweetnacl";

export interface At {
  stream: number;
  boot: number;
  epoch: number;
  seq: number;
}

/** FORMAT.md, "Nonces". */
export function nonce(kind: number, at: At, index = 0): Uint8Array {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt8(kind, 0);
  bytes.writeUInt8(at.stream, 1);
  bytes.writeUInt32BE(at.boot, 4);
  bytes.writeUInt32BE(at.epoch, 8);
  bytes.writeBigUInt64BE(BigInt(at.seq), 12);
  bytes.writeUInt32BE(index, 20);
  return new Uint8Array(bytes);
}

/** FORMAT.md, "Keys". */
export function subkey(label: string, key: Uint8Array): Uint8Array {
  const digest = createHash("sha512").update(`ocellus/v1/${label}\0`).update(key).digest();
  return new Uint8Array(digest.subarray(0, 32));
}

export function open(box: Uint8Array, with_: Uint8Array, key: Uint8Array): Buffer {
  const plain = nacl.secretbox.open(new Uint8Array(box), with_, key);
  assert.ok(plain, "does not open");
  return Buffer.from(plain);
}

/** K, unwrapped by each recipient in order, after the commitment was checked. */
export function unwrap(
  wrapKind: number,
  at: At,
  sealed: { ephemeral: string; wraps: string[]; commitment: string },
  recipients: readonly nacl.BoxKeyPair[],
): Uint8Array {
  const ephemeral = new Uint8Array(Buffer.from(sealed.ephemeral, "hex"));
  assert.equal(sealed.wraps.length, recipients.length);
  const keys = recipients.map(({ secretKey }, i) =>
    open(
      Buffer.from(sealed.wraps[i] ?? "", "hex"),
      nonce(wrapKind, at),
      nacl.box.before(ephemeral, secretKey),
    ),
  );
  const [key] = keys;
  assert.ok(key);
  for (const other of keys) assert.deepEqual(other, key);
  assert.equal(Buffer.from(subkey("commitment", key)).toString("hex"), sealed.commitment);
  return key;
}

/** Opens all chunks of an object that has no head any more. */
export function openChunks(object: Buffer, chunkBytes: readonly number[], at: At, key: Uint8Array) {
  const media = subkey("media", key);
  let offset = 0;
  return chunkBytes.map((bytes, i) => {
    const sealed = object.subarray(offset, offset + bytes);
    offset += bytes;
    const index = i === chunkBytes.length - 1 ? (i | 0x8000_0000) >>> 0 : i;
    return {
      sha256: createHash("sha256").update(sealed).digest("hex"),
      plain: open(sealed, nonce(2, at, index), media),
    };
  });
}
