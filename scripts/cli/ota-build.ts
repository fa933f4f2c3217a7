/** `ocellus ota build`: an unsigned update of a board's image. */
import { join } from "node:path";
import { SETTINGS_SCHEMA } from "../../agent/settings/settings.ts";
import { readImageHeader } from "../../agent/update/image.ts";
import { checkTarget, PART_BYTES_MAX, readManifest } from "../../agent/update/manifest.ts";
import { isUpdateRefused } from "../../agent/update/refusal.ts";
import { HEADER_BYTES } from "../../agent/update/sizes.ts";
import { checkContents, checkImageData } from "../../ota/bundle/judge.ts";
import { makeBundle, makeManifest, signedManifest } from "../../ota/bundle/make.ts";
import { ensure } from "../build/ensure.mjs";
import { asTyped, quoted } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { capture } from "../build/process.mjs";
import { boardId } from "../build/recipes/board-id.mjs";
import { crypto } from "../owner/crypto.ts";
import { readNamedBytes, writeNewFile } from "../owner/files.ts";
import { Misuse, typed } from "./misuse.ts";
import { boardLimits, describeManifest, refusedFile } from "./ota-files.ts";
import { wholeNumber } from "./ota-numbers.ts";
import { type OwnerFlags, print } from "./owner-options.ts";

interface BuildFlags extends OwnerFlags {
  readonly board: string;
  readonly image: string;
  readonly slot?: string;
  readonly securityCounter: string;
  readonly out: string;
}

/** Builds what is not built, or takes a ready image, and writes the update. */
export async function build(flags: BuildFlags): Promise<void> {
  const { board: name, out } = flags;
  const securityCounter = wholeNumber("--security-counter", flags.securityCounter, 1);
  const board = typed(() => boardLimits(name));
  const variant = variantOf(flags);
  const path =
    flags.slot ?? join(await ensure(`firmware-${boardId(name)}-${variant}`), "slot.uimage");
  const image = await readNamedBytes(path, PART_BYTES_MAX);
  const refused = checkImageData(image);
  if (refused !== null) throw refusedFile(path, refused);
  const header = readImageHeader(image);
  if (isUpdateRefused(header)) throw refusedFile(path, header);
  await unpack(path, image);
  const about = {
    ...{ board: name, version: versionOf(path, header.name), build: header.name },
    ...{ securityCounter, variant, settingsSchema: SETTINGS_SCHEMA },
    signedUs: Date.now() * 1000,
  };
  const raw = makeManifest(crypto, about, image);
  // As a camera reads it: what it would refuse is not written.
  const manifest = readManifest(raw);
  if (isUpdateRefused(manifest)) throw refusedFile(path, manifest);
  const parts = { manifest: raw, image, application: new Uint8Array(0) };
  const unfit =
    checkTarget(manifest, board) ?? checkContents(crypto, parts, manifest, board.loadAddress);
  if (unfit !== null) throw refusedFile(path, unfit);
  const signed = { raw, signatures: [] };
  const bundle = makeBundle(signedManifest(signed), image);
  await writeNewFile(out, bundle);
  const made = { file: out, bytes: bundle.length, ...describeManifest(manifest, signed) };
  print(flags, made, ({ version, build: built, image_id }) =>
    [
      `${out} holds ${built} (version ${version}) for ${name}, image ${image_id}.`,
      `Nobody has signed it yet: \`${asTyped(`ota sign ${quoted(out)}`)}\`.`,
    ].join("\n"),
  );
}

function variantOf({ image, slot }: BuildFlags): "" | "release" | "dev" {
  if (image !== "release" && image !== "dev") {
    throw new Misuse(`--image takes release or dev, not "${image}".`);
  }
  // Of a ready image nobody knows.
  return slot === undefined ? image : "";
}

/** Out of the build's name, such as "ocellus 0.1.0+fc08e22d". */
function versionOf(path: string, build: string): string {
  const version = /^ocellus ([0-9A-Za-z.-]{1,32})(\+|$)/.exec(build)?.[1];
  if (version !== undefined) return version;
  throw new Problem(
    `${path} is named "${build}", but an image of ocellus is named "ocellus VERSION+BUILD"; name another file with --slot.`,
  );
}

/** Unpacks the image's data as U-Boot will: its checksum is right for garbage, too. Throws Problem where it is no LZMA. */
async function unpack(path: string, image: Uint8Array): Promise<void> {
  const input = image.subarray(HEADER_BYTES);
  const { code, stderr } = await capture("xz", ["--format=lzma", "--test"], { input });
  if (code === 0) return;
  throw new Problem(
    `${path} cannot be unpacked, so no camera would start it; build it again.`,
    stderr.trim(),
  );
}
