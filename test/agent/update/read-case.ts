/** What the product makes of a case of the vectors. Runs in Node and in the camera's engine. */

import { fromHex, toHex } from "../../../agent/identity/encoding.ts";
import { checkTarget, verifyManifest } from "../../../agent/update/manifest.ts";
import { isUpdateRefused, type UpdateRefused } from "../../../agent/update/refusal.ts";
import { anchoredRoots, nextRoots, type UpdateRoots } from "../../../agent/update/roots.ts";
import type { UpdateCrypto } from "../../../agent/update/signatures.ts";
import { judgeBundle } from "../../../ota/bundle/judge.ts";
import type { Case, RootsShown } from "./make/world.ts";

/** As in the world of the vectors; the floor is what their manifests have. */
const CAMERA = {
  board: "qemu/malta",
  slotBytes: 3_686_400,
  counterLeast: 3,
  loadAddress: 0x8010_0000,
};

/** "good", with the image id where there is one, or why it is refused. */
export function readCase(crypto: UpdateCrypto, { as, bytes, roots, ...more }: Case): string {
  const given = unhex(bytes);
  const by = rootsOf(roots);
  const target = { ...CAMERA, applicationBytes: more.applicationBytes ?? 0 };
  switch (as) {
    case "manifest": {
      const verified = verifyManifest(crypto, given, by);
      if (isUpdateRefused(verified)) return verified.refused;
      return said(checkTarget(verified.manifest, target), `good ${toHex(verified.id)}`);
    }
    case "roots": {
      const next = nextRoots(crypto, given, by);
      return said(isUpdateRefused(next) ? next : null, "good");
    }
    case "bundle": {
      const judged = judgeBundle(crypto, given, by, target);
      return isUpdateRefused(judged) ? judged.refused : `good ${toHex(judged.verified.id)}`;
    }
  }
}

/** What a case says must come of it. */
export function expected({ verdict, imageId }: Case): string {
  return imageId === undefined ? verdict : `${verdict} ${imageId}`;
}

function said(refused: UpdateRefused | null, good: string): string {
  return refused === null ? good : refused.refused;
}

function rootsOf({ keys, ...rest }: RootsShown): UpdateRoots {
  const roots = anchoredRoots({ ...rest, keys: keys.map(unhex) });
  if (isUpdateRefused(roots)) throw new Error(roots.refused);
  return roots;
}

function unhex(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === null) throw new Error("no hexadecimal digits");
  return bytes;
}
