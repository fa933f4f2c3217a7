/**
 * FORMAT.md written a second time, for the vectors: tweetnacl, Node's hashes, and a protobuf encoder of twenty lines. No
 * product code and no generated code, so that a mistake in those cannot hide in the vectors.
 */
import { createHash } from "node:crypto";
import nacl from "tweetnacl";

export type Bytes = Uint8Array;

export const sha256 = (...parts: Bytes[]): Bytes => hash("sha256", parts);
export const sha512 = (...parts: Bytes[]): Bytes => hash("sha512", parts);

function hash(name: string, parts: Bytes[]): Bytes {
  const made = createHash(name);
  for (const part of parts) made.update(part);
  return new Uint8Array(made.digest());
}

export const text = (ascii: string): Bytes => new Uint8Array(Buffer.from(ascii, "latin1"));
export const cat = (...parts: Bytes[]): Bytes => new Uint8Array(Buffer.concat(parts));
export const hex = (bytes: Bytes): string => Buffer.from(bytes).toString("hex");
export const fromHex = (digits: string): Bytes => new Uint8Array(Buffer.from(digits, "hex"));

/** `bytes` bytes that depend on the label alone. */
export function fixed(label: string, bytes: number): Bytes {
  const blocks: Bytes[] = [];
  for (let i = 0; i * 32 < bytes; i++) blocks.push(sha256(text(`ocellus vectors/${label}/${i}`)));
  return cat(...blocks).slice(0, bytes);
}

function big(value: number | bigint, bytes: number): Bytes {
  const out = new Uint8Array(bytes);
  let rest = BigInt(value);
  for (let i = bytes - 1; i >= 0; i--) {
    out[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return out;
}
export const u8 = (value: number) => big(value, 1);
export const u16 = (value: number) => big(value, 2);
export const u32 = (value: number) => big(value, 4);
export const u64 = (value: number | bigint) => big(value, 8);

// ---- protobuf ---------------------------------------------------------------------------------------------------------

export function varint(value: number | bigint): Bytes {
  const out: number[] = [];
  let rest = BigInt(value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return new Uint8Array(out);
}

/** Bytes or text: length-delimited. A number: varint, left out where it is 0, as proto3 has it. An array of numbers: packed. */
export type Value = Bytes | string | number | bigint | boolean | readonly number[];

export function field(number: number, value: Value): Bytes {
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") {
    const plain = BigInt(value);
    return plain === 0n ? new Uint8Array(0) : cat(varint(number << 3), varint(plain));
  }
  const bytes =
    typeof value === "string"
      ? new Uint8Array(Buffer.from(value, "utf8"))
      : value instanceof Uint8Array
        ? value
        : cat(...value.map(varint));
  if (bytes.length === 0) return bytes;
  return cat(varint((number << 3) | 2), varint(bytes.length), bytes);
}

export const message = (...fields: (readonly [number, Value])[]): Bytes =>
  cat(...fields.map(([number, value]) => field(number, value)));

// ---- keys -------------------------------------------------------------------------------------------------------------

export interface Pair {
  readonly publicKey: Bytes;
  readonly secretKey: Bytes;
}

export const boxPair = (label: string): Pair => nacl.box.keyPair.fromSecretKey(fixed(label, 32));
export const signPair = (label: string): Pair => nacl.sign.keyPair.fromSeed(fixed(label, 32));
export const keyId = (publicKey: Bytes): Bytes => sha256(publicKey).slice(0, 8);

export const subkey = (label: string, key: Bytes): Bytes =>
  sha512(text(`ocellus/v1/${label}\0`), key).slice(0, 32);

export interface At {
  readonly stream: number;
  readonly boot: number;
  readonly epoch: number;
  readonly seq: number;
}

export const nonce = (kind: number, at: At, index = 0): Bytes =>
  cat(u8(kind), u8(at.stream), u16(0), u32(at.boot), u32(at.epoch), u64(at.seq), u32(index));

export interface Wrapped {
  readonly ephemeral: Bytes;
  readonly wraps: readonly { readonly recipient: Bytes; readonly sealed: Bytes }[];
  readonly commitment: Bytes;
}

/** Wraps `key` to recipients under an ephemeral pair made of a label. */
export function wrapTo(
  label: string,
  key: Bytes,
  kind: number,
  at: At,
  recipients: readonly Bytes[],
): Wrapped {
  const ephemeral = boxPair(`${label}/ephemeral`);
  const wraps = recipients.map((publicKey) => ({
    recipient: keyId(publicKey),
    sealed: nacl.secretbox(key, nonce(kind, at), nacl.box.before(publicKey, ephemeral.secretKey)),
  }));
  return { ephemeral: ephemeral.publicKey, wraps, commitment: subkey("commitment", key) };
}

export const wrapField = (wrap: { recipient: Bytes; sealed: Bytes }): Bytes =>
  message([1, wrap.recipient], [2, wrap.sealed]);

// ---- segments ---------------------------------------------------------------------------------------------------------

/** Everything that makes a segment; each part can be replaced, which is how the bad ones are made. */
export interface SegmentParts {
  readonly label: string;
  readonly camera: Bytes;
  readonly at: At;
  readonly previous: Bytes;
  readonly skipped: number;
  readonly wrapped: Wrapped;
  readonly recipientsVersion: number;
  readonly key: Bytes;
  readonly chunkLog2: number;
  /** Plaintexts; the boxes of a real MP4 are not needed to show the sealing. */
  readonly chunks: readonly Bytes[];
  readonly fragmentChunk: readonly number[];
  readonly fragmentKeyChunks: readonly number[];
  readonly metadata: Bytes;
  readonly flags: number;
}

export interface SealedParts {
  readonly chunks: readonly Bytes[];
  readonly metadata: Bytes;
}

const LAST = 0x8000_0000;

export function sealParts(parts: SegmentParts): SealedParts {
  const media = subkey("media", parts.key);
  const last = parts.chunks.length - 1;
  const chunks = parts.chunks.map((plain, i) =>
    nacl.secretbox(plain, nonce(2, parts.at, i === last ? i + LAST : i), media),
  );
  const metadata = nacl.secretbox(
    parts.metadata,
    nonce(3, parts.at),
    subkey("metadata", parts.key),
  );
  return { chunks, metadata };
}

/** The header's fields as [number, value], in order; bad vectors change one of them. */
export function headerFields(parts: SegmentParts, sealed: SealedParts): [number, Value][] {
  const { camera, at, wrapped } = parts;
  return [
    [1, camera],
    [2, at.stream],
    [3, at.boot],
    [4, at.epoch],
    [5, at.seq],
    [6, parts.previous],
    [7, parts.skipped],
    [8, wrapped.ephemeral],
    ...wrapped.wraps.map((wrap): [number, Value] => [9, wrapField(wrap)]),
    [10, wrapped.commitment],
    [11, parts.recipientsVersion],
    [12, sealed.chunks.map(({ length }) => length)],
    [13, sha256sOf(sealed.chunks)],
    [14, parts.fragmentChunk],
    [15, parts.fragmentKeyChunks],
    [16, sealed.metadata],
  ];
}

export const sha256sOf = (chunks: readonly Bytes[]): Bytes =>
  cat(...chunks.map((chunk) => sha256(chunk)));

export interface PreludeParts {
  readonly magic: string;
  readonly version: number;
  readonly suite: number;
  readonly flags: number;
  readonly headerBytes: number;
  readonly chunkLog2: number;
  readonly reserved: Bytes;
  readonly totalBytes: number | bigint;
}

export const preludeOf = (parts: PreludeParts): Bytes =>
  cat(
    text(parts.magic),
    u8(parts.version),
    u8(parts.suite),
    u16(parts.flags),
    u32(parts.headerBytes),
    u8(parts.chunkLog2),
    parts.reserved,
    u64(parts.totalBytes),
  );

/** Prelude, header, signature, chunks; the overrides replace what would be right, and all of it is signed. */
export function buildObject(
  header: Bytes,
  chunks: readonly Bytes[],
  signer: Bytes,
  over: Partial<PreludeParts> & { domain?: string } = {},
): Bytes {
  const sealedBytes = chunks.reduce((sum, { length }) => sum + length, 0);
  const prelude = preludeOf({
    magic: "OCEL",
    version: 1,
    suite: 1,
    flags: 0,
    headerBytes: header.length,
    chunkLog2: 10,
    reserved: new Uint8Array(3),
    totalBytes: 24 + header.length + 64 + sealedBytes,
    ...over,
  });
  const signed = cat(prelude, header);
  const domain = text(over.domain ?? "ocellus/v1/segment\0");
  const signature = nacl.sign.detached(cat(domain, signed), signer);
  return cat(signed, signature, ...chunks);
}

/** SHA-256(prelude ‖ header) of a well-formed object. */
export function headerHashOf(object: Bytes): Bytes {
  const headerBytes = Buffer.from(object).readUInt32BE(8);
  return sha256(object.subarray(0, 24 + headerBytes));
}

export function objectName(
  camera: Bytes,
  at: At,
  hash: Bytes,
  footageClass = "continuous",
  tenant = "home",
): string {
  const ten = (value: number) => value.toString().padStart(10, "0");
  const place = `v1/${tenant}/${hex(camera)}/${at.stream}/${footageClass}`;
  return `${place}/${ten(at.boot)}/${ten(at.seq)}-${hex(hash.slice(0, 16))}`;
}

// ---- records ----------------------------------------------------------------------------------------------------------

export const recordMessage = (topic: string, camera: Bytes, boot: number, body: Bytes): Bytes =>
  cat(text("ocellus/v1/record\0"), u16(topic.length), text(topic), camera, u32(boot), body);

export function envelope(
  topic: string,
  camera: Bytes,
  boot: number,
  body: Bytes,
  signer: Bytes,
): Bytes {
  const signature = nacl.sign.detached(recordMessage(topic, camera, boot, body), signer);
  return message([1, body], [2, signature]);
}

/** A `Sealed` message. Kinds: 4 and 5 for records, 8 and 9 for commands, 10 and 11 for backups. */
export function sealedMessage(
  label: string,
  kinds: { readonly wrap: number; readonly body: number },
  at: At,
  recipients: readonly Bytes[],
  plain: Bytes,
): Bytes {
  const key = fixed(`${label}/K`, 32);
  const wrapped = wrapTo(label, key, kinds.wrap, at, recipients);
  return sealedFields(
    at.epoch,
    wrapped,
    nacl.secretbox(plain, nonce(kinds.body, at), subkey("body", key)),
  );
}

export const sealedFields = (epoch: number, wrapped: Wrapped, box: Bytes): Bytes =>
  message(
    [1, wrapped.ephemeral],
    [2, epoch],
    ...wrapped.wraps.map((wrap): [number, Value] => [3, wrapField(wrap)]),
    [4, wrapped.commitment],
    [5, box],
  );

// ---- live -------------------------------------------------------------------------------------------------------------

export function livePart(camera: Bytes, fixedBytes: Bytes, box: Bytes, signer: Bytes): Bytes {
  const signed = cat(text("ocellus/v1/live-part\0"), camera, fixedBytes, sha256(box));
  return cat(fixedBytes, nacl.sign.detached(signed, signer), box);
}
