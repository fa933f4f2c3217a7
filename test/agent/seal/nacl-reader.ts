/** A reader of segments made of FORMAT.md, tweetnacl and SHA-256 alone: no product code. It opens, or says that it cannot. */
import nacl from "tweetnacl";
import {
  type At,
  type Bytes,
  cat,
  hex,
  keyId,
  nonce,
  type Pair,
  sha256,
  subkey,
  text,
} from "./reference.ts";

/** Values of a protobuf message by field number, in order; length-delimited ones as bytes. */
export function fields(bytes: Bytes): Map<number, (Bytes | number)[]> {
  const found = new Map<number, (Bytes | number)[]>();
  let at = 0;
  const varint = (): number => {
    for (let value = 0, shift = 1; ; shift *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("cut off");
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    let value: Bytes | number = varint();
    if (tag % 8 === 2) {
      at += value;
      value = bytes.slice(at - value, at);
    } else if (tag % 8 !== 0) throw new Error("wire type");
    const list = found.get(Math.floor(tag / 8)) ?? [];
    found.set(Math.floor(tag / 8), [...list, value]);
  }
  return found;
}

const bytesOf = (map: Map<number, (Bytes | number)[]>, number: number): Bytes => {
  const value = map.get(number)?.at(-1) ?? new Uint8Array(0);
  if (typeof value === "number") throw new Error("a number");
  return value;
};

const numberOf = (map: Map<number, (Bytes | number)[]>, number: number): number => {
  const value = map.get(number)?.at(-1) ?? 0;
  if (typeof value !== "number") throw new Error("no number");
  return value;
};

const packed = (bytes: Bytes): number[] => {
  const numbers: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    let value = 0;
    let shift = 1;
    let byte = 0x80;
    while (byte >= 0x80) {
      byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * shift;
      shift *= 128;
    }
    numbers.push(value);
  }
  return numbers;
};

export interface NaclOpened {
  readonly metadata: Bytes;
  readonly chunks: readonly Bytes[];
  readonly headerHash: Bytes;
}

/** Opens a whole object found under `name`; throws where anything does not fit. */
export function openWithNacl(
  object: Bytes,
  name: string,
  signingKey: Bytes,
  recipient: Pair,
): NaclOpened {
  const view = new DataView(object.buffer, object.byteOffset, object.length);
  const headerEnd = 24 + view.getUint32(8);
  const signed = object.slice(0, headerEnd);
  const signature = object.slice(headerEnd, headerEnd + 64);
  const domain = text("ocellus/v1/segment\0");
  if (!nacl.sign.detached.verify(cat(domain, signed), signature, signingKey))
    throw new Error("signature");
  const headerHash = sha256(signed);
  const header = fields(object.slice(24, headerEnd));
  const at: At = {
    stream: numberOf(header, 2),
    boot: numberOf(header, 3),
    epoch: numberOf(header, 4),
    seq: numberOf(header, 5),
  };
  const ten = (value: number) => value.toString().padStart(10, "0");
  const tail = `${ten(at.boot)}/${ten(at.seq)}-${hex(headerHash.slice(0, 16))}`;
  if (!name.includes(`/${hex(bytesOf(header, 1))}/${at.stream}/`) || !name.endsWith(tail))
    throw new Error("name");
  const key = unwrap(header, at, recipient);
  const metadata = nacl.secretbox.open(bytesOf(header, 16), nonce(3, at), subkey("metadata", key));
  if (metadata === null) throw new Error("metadata");
  const lengths = packed(bytesOf(header, 12));
  const hashes = bytesOf(header, 13);
  let from = headerEnd + 64;
  const chunks = lengths.map((length, i) => {
    const sealed = object.slice(from, from + length);
    from += length;
    if (hex(sha256(sealed)) !== hex(hashes.slice(32 * i, 32 * i + 32))) throw new Error("hash");
    const index = i === lengths.length - 1 ? i + 0x8000_0000 : i;
    const plain = nacl.secretbox.open(sealed, nonce(2, at, index), subkey("media", key));
    if (plain === null) throw new Error("chunk");
    return plain;
  });
  if (from !== object.length) throw new Error("length");
  return { metadata, chunks, headerHash };
}

function unwrap(header: Map<number, (Bytes | number)[]>, at: At, recipient: Pair): Bytes {
  const shared = nacl.box.before(bytesOf(header, 8), recipient.secretKey);
  for (const wrap of header.get(9) ?? []) {
    if (typeof wrap === "number") throw new Error("wrap");
    const parts = fields(wrap);
    if (hex(bytesOf(parts, 1)) !== hex(keyId(recipient.publicKey))) continue;
    const key = nacl.secretbox.open(bytesOf(parts, 2), nonce(1, at), shared);
    if (key === null) throw new Error("unwrap");
    if (hex(subkey("commitment", key)) !== hex(bytesOf(header, 10))) throw new Error("commitment");
    return key;
  }
  throw new Error("no wrap");
}
