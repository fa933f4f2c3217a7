/** `ocellus ota sign`: adds a signature to an update or to roots. */
import { toHex } from "../../agent/identity/encoding.ts";
import { MANIFEST_DOMAIN } from "../../agent/update/manifest.ts";
import { ROOTS_DOMAIN } from "../../agent/update/roots.ts";
import { SIGNATURES_MAX, type Signed } from "../../agent/update/signatures.ts";
import { addSignature, makeBundle, signedManifest, signedRoots } from "../../ota/bundle/make.ts";
import { Problem } from "../build/problem.mjs";
import { crypto, keyId, type SigningPair, toBase64, wipe } from "../owner/crypto.ts";
import { replaceFile } from "../owner/files.ts";
import { readUpdateKey } from "../owner/update-key.ts";
import { askKeyPassphrase } from "./ask.ts";
import { Misuse } from "./misuse.ts";
import { type BundleFile, describeManifest, type RootsFile, readUpdateFile } from "./ota-files.ts";
import { type OwnerFlags, print, withOwner } from "./owner-options.ts";

interface SignFlags extends OwnerFlags {
  readonly key?: string;
}

/** Signs the file in its place. What is signed is told first, on standard error. */
export async function sign(path: string, flags: SignFlags): Promise<void> {
  if (flags.key !== undefined && flags.home !== undefined) {
    throw new Misuse("--key signs without the owner's keys; leave out --home.");
  }
  const file = await readUpdateFile(path);
  process.stderr.write(`  signing ${whatItIs(file)}\n`);
  const [signed, publicKey] = await withKey(flags, async (pair) => [
    signedBy(file, pair),
    pair.publicKey,
  ]);
  if (signed.signatures.length > SIGNATURES_MAX) {
    throw new Problem(`${path} has ${SIGNATURES_MAX} signatures already, and more are refused.`);
  }
  const isNew = signed.signatures.length > file.signed.signatures.length;
  await replaceFile(path, withSignatures(file, signed));
  const result = {
    ...{ file: path, key_id: toHex(keyId(publicKey)), public_key: toBase64(publicKey) },
    ...{ signatures: signed.signatures.length, added: isNew },
  };
  print(flags, result, ({ key_id, signatures }) =>
    isNew
      ? `Key ${key_id} has signed ${path}, which has ${signatures} ${signatures === 1 ? "signature" : "signatures"} now.`
      : `Key ${key_id} had signed ${path} before.`,
  );
}

function signedBy(file: BundleFile | RootsFile, pair: SigningPair): Signed {
  const domain = file.kind === "bundle" ? MANIFEST_DOMAIN : ROOTS_DOMAIN;
  return addSignature(crypto, domain, file.signed, pair);
}

function withSignatures(file: BundleFile | RootsFile, signed: Signed): Uint8Array {
  if (file.kind === "roots") return signedRoots(signed);
  return makeBundle(signedManifest(signed), file.parts.image);
}

function whatItIs(file: BundleFile | RootsFile): string {
  if (file.kind === "bundle") {
    const { build, board, security_counter, image_id } = describeManifest(
      file.manifest,
      file.signed,
    );
    return `${build} for ${board}, security counter ${security_counter}, image ${image_id}`;
  }
  const { tenant, version, threshold, keys } = file.roots;
  return `roots of ${tenant}, version ${version}: ${threshold} of ${keys.length} keys`;
}

/** Lets `work` use the key that is named, or the owner's root key, and wipes it. */
async function withKey<T>(flags: SignFlags, work: (pair: SigningPair) => Promise<T>): Promise<T> {
  if (flags.key === undefined) return withOwner(flags, ({ root }) => work(root));
  const pair = await readUpdateKey(flags.key, askKeyPassphrase);
  try {
    return await work(pair);
  } finally {
    wipe(pair.secretKey);
  }
}
