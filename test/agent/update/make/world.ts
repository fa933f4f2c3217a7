/**
 * The actors of the vectors of updates, and ota/FORMAT.md written a second time (see ../../seal/reference.ts): no product code
 * that is under test.
 */
import nacl from "tweetnacl";
import { uimage } from "../../../../scripts/board/uimage.mjs";
import {
  type Bytes,
  cat,
  field,
  fixed,
  hex,
  keyId,
  message,
  type Pair,
  sha256,
  signPair,
  text,
  u8,
  u32,
  type Value,
} from "../../seal/reference.ts";

export const TENANT = "home";
export const BOARD = "qemu/malta";
export const BUILD = "ocellus 0.2.0+0123abcd";
export const LOAD_ADDRESS = 0x8010_0000;
export const SLOT_BYTES = 3_686_400;

/** Ed25519: the owner's root key, four operators', and somebody's. */
export const owner: Pair = signPair("update owner");
export const stranger: Pair = signPair("update stranger");
export const k1: Pair = signPair("update key 1");
export const k2: Pair = signPair("update key 2");
export const k3: Pair = signPair("update key 3");
export const k4: Pair = signPair("update key 4");

export type Fields = readonly (readonly [number, Value])[];

/** The fields with some replaced, or added at the end; a value of "" or 0 leaves its field out. */
export function over(fields: Fields, ...changes: Fields): Fields {
  const rest = fields.filter(([number]) => !changes.some(([changed]) => changed === number));
  return [...rest, ...changes];
}

/** A uImage around a stream that begins as LZMA does. */
export function image(bytes: number, build = BUILD): Bytes {
  const lzma = cat(u8(0x6c), Uint8Array.of(0, 0, 0, 4), new Uint8Array(8).fill(0xff));
  const data = cat(lzma, fixed("image", bytes - 64 - lzma.length));
  const head = { load_address: LOAD_ADDRESS, entry_address: LOAD_ADDRESS + 0x34_cc70 };
  return new Uint8Array(uimage({ name: build, ...head, data }));
}

export function blockHashes(bytes: Bytes): Bytes {
  const hashes: Bytes[] = [];
  for (let at = 0; at < bytes.length; at += 65_536)
    hashes.push(sha256(bytes.slice(at, at + 65_536)));
  return cat(...hashes);
}

/** A manifest's fields for an image. */
export function manifestFields(bytes: Bytes): Fields {
  return [
    [1, BOARD],
    [2, "0.2.0"],
    [3, 3],
    [4, BUILD],
    [5, bytes.length],
    [6, 65_536],
    [7, blockHashes(bytes)],
    [8, sha256(bytes)],
    [9, 1_795_176_061_000_000],
    [10, "release"],
    [12, 1],
  ];
}

export const encode = (fields: Fields): Bytes => message(...fields);

const MANIFEST = "ocellus/v1/update-manifest\0";
const ROOTS = "ocellus/v1/update-roots\0";

/** An UpdateSignature. */
export function signatureBy(domain: string, raw: Bytes, pair: Pair): Bytes {
  const signature = nacl.sign.detached(cat(text(domain), raw), pair.secretKey);
  return message([1, keyId(pair.publicKey)], [2, signature]);
}

/** A SignedManifest, or with the roots' domain SignedRoots: the messages have one shape. */
export function signed(raw: Bytes, pairs: readonly Pair[], domain = MANIFEST): Bytes {
  return cat(field(1, raw), ...pairs.map((pair) => field(2, signatureBy(domain, raw, pair))));
}

export const signedRoots = (raw: Bytes, pairs: readonly Pair[]) => signed(raw, pairs, ROOTS);

/** The fields of UpdateRoots. */
export function rootsFields(
  version: number,
  threshold: number,
  pairs: readonly Pair[],
  least = 0,
): Fields {
  return [
    [1, TENANT],
    [2, version],
    [3, threshold],
    ...pairs.map(({ publicKey }): [number, Value] => [4, publicKey]),
    [5, least],
    [6, 1_795_176_000_000_000 + version],
  ];
}

/** Roots in force, as the vectors tell them. */
export interface RootsShown {
  readonly tenant: string;
  readonly version: number;
  readonly threshold: number;
  readonly keys: readonly string[];
  readonly securityCounterLeast: number;
}

export function rootsShown(
  version: number,
  threshold: number,
  pairs: readonly Pair[],
  least = 0,
): RootsShown {
  const shown = pairs.map(({ publicKey }) => hex(publicKey));
  return { tenant: TENANT, version, threshold, keys: shown, securityCounterLeast: least };
}

/** A bundle's first bytes. */
export const prelude = (manifest: number, bytes: number, application = 0): Bytes =>
  cat(text("OCLU"), Uint8Array.of(1, 0, 0, 0), u32(manifest), u32(bytes), u32(application));

export const bundle = (manifest: Bytes, bytes: Bytes): Bytes =>
  cat(prelude(manifest.length, bytes.length), manifest, bytes);

/** One thing to read, and what comes of it. */
export interface Case {
  readonly what: string;
  /** What reads it. */
  readonly as: "manifest" | "roots" | "bundle";
  /** Hexadecimal. */
  readonly bytes: string;
  /** Roots in force. */
  readonly roots: RootsShown;
  /** Bytes of the camera's application partition; 0 where that is left out. */
  readonly applicationBytes?: number;
  /** "good", or why it is refused. */
  readonly verdict: string;
  /** Of a good manifest or bundle. */
  readonly imageId?: string;
}

export const idOf = (raw: Bytes): string => hex(sha256(raw).slice(0, 16));
