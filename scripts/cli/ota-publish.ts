/** `ocellus ota publish`: puts a signed update into the store. */
import { imagePrefix } from "../../agent/update/names.ts";
import { isUpdateRefused, updateClause } from "../../agent/update/refusal.ts";
import { judgeBundle } from "../../ota/bundle/judge.ts";
import { asTyped, quoted } from "../build/invoked.mjs";
import { Problem } from "../build/problem.mjs";
import { crypto } from "../owner/crypto.ts";
import { accessOf } from "../owner/owner.ts";
import { publishBundle } from "../owner/publish.ts";
import { openStore } from "../owner/store.ts";
import { syncRoots } from "../owner/update-roots.ts";
import { describeManifest, readBundleFile, refusedFile } from "./ota-files.ts";
import { keystoreOf, type OwnerFlags, print, withOwner } from "./owner-options.ts";
import { startProgress } from "./progress.ts";

/** Publishes roots, image and manifest, in this order; what is there already is left. */
export async function publish(path: string, flags: OwnerFlags): Promise<void> {
  const file = await readBundleFile(path);
  await withOwner(flags, async (owner) => {
    const store = openStore(accessOf(owner).store);
    const progress = startProgress();
    try {
      progress.show("comparing the roots with the store's");
      const { roots } = await syncRoots(store, keystoreOf(flags).home, owner);
      const judged = judgeBundle(crypto, file.bytes, roots, file.board);
      if (isUpdateRefused(judged)) {
        if (judged.refused !== "below-threshold") throw refusedFile(path, judged);
        throw new Problem(
          `${path} is not published: ${updateClause(judged)}, ${roots.threshold}; sign it with \`${asTyped(`ota sign ${quoted(path)}`)}\` first.`,
        );
      }
      const done = await publishBundle(store, judged, roots, (step) => progress.show(step));
      const { manifest, id } = judged.verified;
      const result = {
        ...{ file: path, ...describeManifest(manifest, file.signed) },
        objects: imagePrefix(owner.tenant, manifest.board, id),
        ...{ roots_version: roots.version, image: done.image, manifest: done.manifest },
      };
      progress.end();
      print(flags, result, (it) =>
        it.image === "exists" && it.manifest === "exists"
          ? `${it.build} for ${it.board} was published before, as ${it.objects}.`
          : `${it.build} for ${it.board} is published as ${it.objects}.`,
      );
    } finally {
      progress.end();
      store.close();
    }
  });
}
