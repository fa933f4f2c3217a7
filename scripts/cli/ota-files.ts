/** What the commands about updates share: bundles and roots in files, and boards. */
import { toHex } from "../../agent/identity/encoding.ts";
import { type BundleParts, PRELUDE_BYTES, splitBundle } from "../../agent/update/bundle.ts";
import {
  PART_BYTES_MAX,
  parseSignedManifest,
  readManifest,
  type UpdateManifest,
} from "../../agent/update/manifest.ts";
import { isUpdateRefused, type UpdateRefused, updateClause } from "../../agent/update/refusal.ts";
import { parseSignedRoots, readRoots, type UpdateRoots } from "../../agent/update/roots.ts";
import { SIGNED_BYTES_MAX, type Signed } from "../../agent/update/signatures.ts";
import { type BoardLimits, checkContents } from "../../ota/bundle/judge.ts";
import { readFirmware } from "../board/board.mjs";
import { checkout } from "../build/ensure.mjs";
import { Problem } from "../build/problem.mjs";
import { crypto } from "../owner/crypto.ts";
import { readNamedBytes } from "../owner/files.ts";

const BUNDLE_BYTES_MAX = PRELUDE_BYTES + SIGNED_BYTES_MAX + 2 * PART_BYTES_MAX;

/** A bundle that is whole; whose signatures it has is another question. */
export interface BundleFile {
  readonly kind: "bundle";
  readonly bytes: Uint8Array;
  readonly parts: BundleParts;
  readonly signed: Signed;
  readonly manifest: UpdateManifest;
  readonly board: BoardLimits;
}

/** Roots in a file, which may lack signatures. */
export interface RootsFile {
  readonly kind: "roots";
  readonly bytes: Uint8Array;
  readonly signed: Signed;
  readonly roots: UpdateRoots;
}

/** Reads a bundle or roots. Throws Problem with the sentence of what is wrong. */
export async function readUpdateFile(path: string): Promise<BundleFile | RootsFile> {
  const bytes = await readNamedBytes(path, BUNDLE_BYTES_MAX);
  const parts = splitBundle(bytes);
  if (!isUpdateRefused(parts)) return readBundle(path, bytes, parts);
  // Roots have no magic; what is neither is called no update.
  const signed = parts.refused === "bundle-magic" ? parseSignedRoots(bytes) : parts;
  const roots = isUpdateRefused(signed) ? signed : readRoots(signed.raw);
  if (isUpdateRefused(signed) || isUpdateRefused(roots)) throw refusedFile(path, parts);
  return { kind: "roots", bytes, signed, roots };
}

/** Reads a bundle. Throws Problem also where it is something else. */
export async function readBundleFile(path: string): Promise<BundleFile> {
  const file = await readUpdateFile(path);
  if (file.kind === "bundle") return file;
  throw new Problem(`${path} holds roots; name an update that \`ota build\` wrote.`);
}

function readBundle(path: string, bytes: Uint8Array, parts: BundleParts): BundleFile {
  const signed = parseSignedManifest(parts.manifest);
  if (isUpdateRefused(signed)) throw refusedFile(path, signed);
  const manifest = readManifest(signed.raw);
  if (isUpdateRefused(manifest)) throw refusedFile(path, manifest);
  const board = boardLimits(manifest.board);
  const refused = checkContents(crypto, parts, manifest, board.loadAddress);
  if (refused !== null) throw refusedFile(path, refused);
  return { kind: "bundle", bytes, parts, signed, manifest, board };
}

/** What a board of this checkout takes. Throws Problem where there is none of that name. */
export function boardLimits(board: string): BoardLimits {
  const { slots, memory } = readFirmware(checkout, board);
  return {
    board,
    slotBytes: slots.read_bytes,
    applicationBytes: 0,
    counterLeast: 0,
    loadAddress: Number(memory.load_address),
  };
}

/** Why a file is refused, as a Problem. */
export function refusedFile(path: string, refused: UpdateRefused): Problem {
  return new Problem(`${path} is refused (${refused.refused}): ${updateClause(refused)}.`);
}

/** What an update is, for people and --json. */
export function describeManifest(manifest: UpdateManifest, signed: Signed) {
  return {
    board: manifest.board,
    version: manifest.version,
    build: manifest.build,
    variant: manifest.variant,
    security_counter: manifest.securityCounter,
    settings_schema: manifest.settingsSchema,
    image_bytes: manifest.image.bytes,
    image_id: toHex(crypto.sha256(signed.raw).slice(0, 16)),
    signed_us: manifest.signedUs,
  };
}
