/**
 * Putting an update into the store, where cameras fetch it: the image before the manifest that names it, so that whoever sees
 * the manifest finds all of it. What is there already is left, so that a publication that broke off is simply made again.
 */
import { same } from "../../agent/identity/encoding.ts";
import { parseSignedManifest, verifyManifest } from "../../agent/update/manifest.ts";
import { imageObject, manifestObject } from "../../agent/update/names.ts";
import { isUpdateRefused } from "../../agent/update/refusal.ts";
import type { UpdateRoots } from "../../agent/update/roots.ts";
import { SIGNED_BYTES_MAX } from "../../agent/update/signatures.ts";
import type { JudgedBundle } from "../../ota/bundle/judge.ts";
import { Problem } from "../build/problem.mjs";
import { crypto } from "./crypto.ts";
import type { Store } from "./store.ts";

/** What became of an object: put now, or there already with the same content. */
export type Put = "put" | "exists";

/** What publishing did. */
export interface Published {
  readonly image: Put;
  /** "signed anew": the same manifest was there, but its signatures do not reach the threshold of the roots in force. */
  readonly manifest: Put | "signed anew";
}

/**
 * Publishes a bundle that was judged by these roots. Throws Problem where the store fails or holds something else under those
 * names.
 * @param onStep told what is put next.
 */
export async function publishBundle(
  store: Store,
  { parts, verified }: JudgedBundle,
  roots: UpdateRoots,
  onStep: (what: string) => void,
): Promise<Published> {
  const { manifest, id } = verified;
  onStep(`putting the image, ${parts.image.length} bytes`);
  const imageName = imageObject(roots.tenant, manifest.board, id);
  const image = await store.putNew(imageName, parts.image);
  if (image === "exists") {
    onStep("comparing the image that is there");
    const there = await store.get(imageName, 0, parts.image.length);
    if (there === null || !same(there, parts.image)) throw different(imageName);
  }
  onStep("putting the manifest");
  const name = manifestObject(roots.tenant, manifest.board, id);
  if ((await store.putNew(name, parts.manifest)) === "put") return { image, manifest: "put" };
  const there = await store.get(name, 0, SIGNED_BYTES_MAX);
  const signed = there && parseSignedManifest(there);
  if (there === null || isUpdateRefused(signed)) throw different(name);
  if (signed === null || !same(signed.raw, verified.raw)) throw different(name);
  if (!isUpdateRefused(verifyManifest(crypto, there, roots))) return { image, manifest: "exists" };
  // After a change of the roots cameras refuse the old signatures; what is signed stays the same.
  if ((await store.put(name, parts.manifest)) === "refused") throw different(name);
  return { image, manifest: "signed anew" };
}

function different(name: string): Problem {
  return new Problem(
    `the store holds something else as ${name}, which cameras would refuse; remove it there and publish again.`,
  );
}
