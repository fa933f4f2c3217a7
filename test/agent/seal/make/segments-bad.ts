/** Segments with one fault each: segments-bad.json. */
import nacl from "tweetnacl";
import {
  type Bytes,
  buildObject,
  cat,
  field,
  fixed,
  headerFields,
  headerHashOf,
  hex,
  message,
  nonce,
  objectName,
  type PreludeParts,
  type SealedParts,
  type SegmentParts,
  sealParts,
  sha256sOf,
  subkey,
  type Value,
  varint,
  wrapField,
  wrapTo,
} from "../reference.ts";
import { camera, otherCamera, RECIPIENTS, stranger } from "./keys.ts";
import { base, good, metadata } from "./segments.ts";

export interface BadObject {
  readonly what: string;
  readonly refused: string;
  readonly name: string;
  readonly object: Bytes;
}

const PARTS = base();
const SEALED = sealParts(PARTS);
const FIELDS = headerFields(PARTS, SEALED);
const HEADER = message(...FIELDS);
const GOOD = good("", PARTS);

/** Named by its own hash, as far as it has one. */
function made(
  what: string,
  refused: string,
  object: Bytes,
  parts: SegmentParts = PARTS,
): BadObject {
  const name = objectName(parts.camera, parts.at, headerHashOf(object));
  return { what, refused, name, object };
}

function prelude(what: string, refused: string, over: Partial<PreludeParts>): BadObject {
  const object = buildObject(HEADER, SEALED.chunks, camera.secretKey, over);
  return { what, refused, name: GOOD.name, object };
}

/** The header with field `number` replaced (all of them where it is repeated). */
function replaced(number: number, ...values: Value[]): Bytes {
  const at = FIELDS.findIndex(([other]) => other === number);
  const rest = FIELDS.filter(([other]) => other !== number);
  const put = values.map((value): [number, Value] => [number, value]);
  // Fields may come in any order, but keep this one where a reader of the vector looks for it.
  return message(
    ...rest.slice(0, at < 0 ? rest.length : at),
    ...put,
    ...rest.slice(at < 0 ? rest.length : at),
  );
}

function header(
  what: string,
  refused: string,
  raw: Bytes,
  sealed: SealedParts = SEALED,
): BadObject {
  return made(what, refused, buildObject(raw, sealed.chunks, camera.secretKey));
}

function parts(what: string, refused: string, over: Partial<SegmentParts>): BadObject {
  const changed = base(3, over);
  const sealed = sealParts(changed);
  const raw = message(...headerFields(changed, sealed));
  return made(what, refused, buildObject(raw, sealed.chunks, camera.secretKey), changed);
}

function flipped(bytes: Bytes, at: number): Bytes {
  const copy = bytes.slice();
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

function fixedFields(): BadObject[] {
  const { object, name } = GOOD;
  const cut = (length: number) => ({ name, object: object.slice(0, length) });
  return [
    { what: "nothing", refused: "too-short", ...cut(0) },
    { what: "23 bytes", refused: "too-short", ...cut(23) },
    { what: "cut off in the header", refused: "too-short", ...cut(200) },
    { what: "cut off in the signature", refused: "too-short", ...cut(24 + HEADER.length + 63) },
    { what: "cut off by one byte", refused: "length", ...cut(object.length - 1) },
    { what: "a byte too many", refused: "length", name, object: cat(object, new Uint8Array(1)) },
    prelude("another magic", "magic", { magic: "OCEM" }),
    prelude("version 2", "version", { version: 2 }),
    prelude("suite 2", "suite", { suite: 2 }),
    prelude("critical flag 1", "critical-flag", { flags: 0x0001 }),
    prelude("critical flag 128", "critical-flag", { flags: 0xff80 }),
    prelude("a header of 0 bytes", "header-length", { headerBytes: 0 }),
    prelude("a header of 65,537 bytes", "header-length", { headerBytes: 65_537 }),
    prelude("chunks of 512 bytes", "chunk-size", { chunkLog2: 9 }),
    prelude("chunks of 128 KiB", "chunk-size", { chunkLog2: 17 }),
    prelude("reserved byte 13", "reserved", { reserved: new Uint8Array([1, 0, 0]) }),
    prelude("reserved byte 14", "reserved", { reserved: new Uint8Array([0, 1, 0]) }),
    prelude("reserved byte 15", "reserved", { reserved: new Uint8Array([0, 0, 1]) }),
    prelude("a length of 2^53", "number-too-large", { totalBytes: 2n ** 53n }),
    prelude("a length one too large", "length", { totalBytes: object.length + 1 }),
  ];
}

function wireFaults(): BadObject[] {
  const wraps = PARTS.wrapped.wraps.map(wrapField);
  const [first = new Uint8Array(0), ...others] = wraps;
  return [
    header(
      "a field that runs past the end",
      "malformed",
      cat(HEADER, varint((17 << 3) | 2), varint(9)),
    ),
    header("a group", "malformed", cat(HEADER, varint((17 << 3) | 4))),
    header("critical field 64", "critical-field", cat(HEADER, field(64, 1))),
    header("critical field 127", "critical-field", cat(HEADER, field(127, "x"))),
    header(
      "critical field 64 in a wrap",
      "critical-field",
      replaced(9, cat(first, field(64, 1)), ...others),
    ),
    header("segment number 2^53", "number-too-large", replaced(5, 2n ** 53n)),
  ];
}

function headerRules(): BadObject[] {
  const { wraps } = PARTS.wrapped;
  const [wrap] = wraps;
  if (wrap === undefined) throw new Error("no wrap");
  const short = (bytes: Bytes) => bytes.slice(0, -1);
  const seventeen = Array.from({ length: 17 }, () => wrapField(wrap));
  const lengths = SEALED.chunks.map(({ length }) => length);
  const many = Array.from({ length: 1537 }, () => fixed("small chunk", 17));
  const rule = (what: string, refused: string, number: number, ...values: Value[]) =>
    header(what, refused, replaced(number, ...values));
  return [
    rule("camera of 15 bytes", "field-length", 1, short(PARTS.camera)),
    rule("no camera", "field-length", 1),
    rule("previous of 31 bytes", "field-length", 6, short(PARTS.previous)),
    rule("ephemeral of 31 bytes", "field-length", 8, short(PARTS.wrapped.ephemeral)),
    rule(
      "commitment of 33 bytes",
      "field-length",
      10,
      cat(PARTS.wrapped.commitment, new Uint8Array(1)),
    ),
    rule("metadata of 15 bytes", "field-length", 16, new Uint8Array(15)),
    rule("stream 2", "field-value", 2, 2),
    rule("boot 0", "field-value", 3),
    rule("epoch 0", "field-value", 4),
    rule("segment number of eleven digits", "field-value", 5, 10_000_000_000),
    rule("more skipped than there are", "field-value", 7, 4),
    rule("no wrap", "wraps", 9),
    rule("17 wraps", "wraps", 9, ...seventeen),
    rule(
      "a key id of 7 bytes",
      "wraps",
      9,
      wrapField({ ...wrap, recipient: short(wrap.recipient) }),
    ),
    rule("a wrap of 47 bytes", "wraps", 9, wrapField({ ...wrap, sealed: short(wrap.sealed) })),
    header("no chunks", "chunks", message(...FIELDS.filter(([n]) => n !== 12 && n !== 13)), {
      ...SEALED,
      chunks: [],
    }),
    header(
      "1,537 chunks",
      "chunks",
      message(
        ...FIELDS.filter(([n]) => n < 12),
        [12, many.map(({ length }) => length)],
        [13, sha256sOf(many)],
        ...FIELDS.filter(([n]) => n > 13),
      ),
      { ...SEALED, chunks: many },
    ),
    rule("a hash too few", "chunks", 13, sha256sOf(SEALED.chunks.slice(1))),
    parts("an empty chunk", "chunks", { chunks: [...PARTS.chunks.slice(0, 4), new Uint8Array(0)] }),
    parts("a chunk larger than it may be", "chunks", {
      chunks: [fixed("large", 1025), ...PARTS.chunks.slice(1)],
    }),
    rule("lengths that do not add up", "length", 12, [
      ...lengths.slice(0, 4),
      (lengths[4] ?? 0) + 1,
    ]),
    rule("the first fragment does not start at chunk 0", "fragments", 14, [1, 3]),
    rule("fragments that do not rise", "fragments", 14, [0, 0]),
    rule("a fragment past the last chunk", "fragments", 14, [0, 5]),
    rule("no fragments", "fragments", 14),
    rule("key chunks for one fragment of two", "fragments", 15, [2]),
    rule("key chunks past the fragment", "fragments", 15, [4, 1]),
    rule("key chunks past the last chunk", "fragments", 15, [2, 3]),
  ];
}

function misplaced(): BadObject[] {
  const { object } = GOOD;
  const hash = headerHashOf(object);
  const under = (what: string, name: string) => ({ what, refused: "name", name, object });
  const { at, camera: id } = PARTS;
  return [
    under("under another camera's name", objectName(fixed("another camera", 16), at, hash)),
    under("under another stream", objectName(id, { ...at, stream: 1 }, hash)),
    under("under another boot", objectName(id, { ...at, boot: at.boot + 1 }, hash)),
    under("replayed under another number", objectName(id, { ...at, seq: at.seq + 1 }, hash)),
    under("under another hash", objectName(id, at, fixed("another hash", 32))),
    under("under another tenant", objectName(id, at, hash, "continuous", "other")),
  ];
}

function signatures(): BadObject[] {
  const { object } = GOOD;
  const signatureAt = 24 + HEADER.length;
  return [
    made("a flipped bit in the signature", "signature", flipped(object, signatureAt)),
    made(
      "signed by another camera",
      "signature",
      buildObject(HEADER, SEALED.chunks, otherCamera.secretKey),
    ),
    made(
      "signed in another domain",
      "signature",
      buildObject(HEADER, SEALED.chunks, camera.secretKey, { domain: "ocellus/v1/record\0" }),
    ),
  ];
}

/** Behind a good signature: what a faulty or malicious camera, or one with a stolen key, could make. */
function openings(): BadObject[] {
  const { at, key, wrapped } = PARTS;
  const [mine, other] = wrapped.wraps;
  const [c0, c1, c2, c3, c4] = SEALED.chunks;
  if (!mine || !other || !c0 || !c1 || !c2 || !c3 || !c4) throw new Error("not the base segment");
  const withWraps = (...wraps: { recipient: Bytes; sealed: Bytes }[]) =>
    replaced(9, ...wraps.map(wrapField));
  const withChunks = (chunks: Bytes[]) =>
    message(
      ...FIELDS.filter(([n]) => n < 12),
      [12, chunks.map(({ length }) => length)],
      [13, sha256sOf(chunks)],
      ...FIELDS.filter(([n]) => n > 13),
    );
  const resealed = (what: string, chunks: Bytes[]) =>
    header(what, "chunk-open", withChunks(chunks), { ...SEALED, chunks });
  const sealMetadata = (plain: Bytes) =>
    nacl.secretbox(plain, nonce(3, at), subkey("metadata", key));
  const last = PARTS.chunks[4] ?? new Uint8Array(0);
  const media = subkey("media", key);
  const one = message([1, 5_490_000], [2, 25], [3, 90_000]);
  const strangers = wrapTo("epoch 2", key, 1, at, [stranger.publicKey]);
  const otherSeq = wrapTo("epoch 2", key, 1, { ...at, seq: at.seq + 1 }, RECIPIENTS);
  const otherKind = wrapTo("epoch 2", key, 4, at, RECIPIENTS);
  return [
    header("for somebody else", "no-wrap", withWraps(...strangers.wraps)),
    header(
      "a flipped bit in the wraps",
      "unwrap",
      withWraps(
        { ...mine, sealed: flipped(mine.sealed, 47) },
        { ...other, sealed: flipped(other.sealed, 47) },
      ),
    ),
    header("wraps of another segment", "unwrap", withWraps(...otherSeq.wraps)),
    header("wraps made for a record", "unwrap", withWraps(...otherKind.wraps)),
    header(
      "the commitment of another key",
      "commitment",
      replaced(10, subkey("commitment", fixed("another K", 32))),
    ),
    header(
      "a flipped bit in the commitment",
      "commitment",
      replaced(10, flipped(wrapped.commitment, 31)),
    ),
    header("a flipped bit in the metadata", "metadata", replaced(16, flipped(SEALED.metadata, 20))),
    header(
      "metadata with a fragment too few",
      "metadata",
      replaced(16, sealMetadata(metadata([one]))),
    ),
    header(
      "metadata without a track",
      "metadata",
      replaced(16, sealMetadata(metadata([one, one], []))),
    ),
    header(
      "critical field 70 in the metadata",
      "critical-field",
      replaced(16, sealMetadata(cat(PARTS.metadata, field(70, 1)))),
    ),
    header(
      "metadata that is no protobuf",
      "malformed",
      replaced(16, sealMetadata(new Uint8Array([0xff]))),
    ),
    made("a flipped bit in a chunk", "chunk-hash", flipped(GOOD.object, GOOD.object.length - 30)),
    header("chunks in another order", "chunk-hash", HEADER, {
      ...SEALED,
      chunks: [c0, c1, c2, c3, flipped(c4, 0)],
    }),
    resealed("chunks swapped, hashes too", [c1, c0, c2, c3, c4]),
    resealed("cut off behind a chunk: the new last one has no high bit", [c0, c1, c2, c3]),
    resealed("a last chunk sealed without the high bit", [
      c0,
      c1,
      c2,
      c3,
      nacl.secretbox(last, nonce(2, at, 4), media),
    ]),
    resealed("a chunk sealed under the number of another", [
      nacl.secretbox(fixed("x", 50), nonce(2, at, 1), media),
      c1,
      c2,
      c3,
      c4,
    ]),
    resealed("a chunk sealed under the metadata subkey", [
      nacl.secretbox(fixed("x", 50), nonce(2, at, 0), subkey("metadata", key)),
      c1,
      c2,
      c3,
      c4,
    ]),
  ];
}

export function badSegments(): BadObject[] {
  return [
    ...fixedFields(),
    ...wireFaults(),
    ...headerRules(),
    ...misplaced(),
    ...signatures(),
    ...openings(),
  ];
}

export function badSegmentsFile() {
  return {
    segments: badSegments().map(({ object, ...rest }) => ({ ...rest, object: hex(object) })),
  };
}
