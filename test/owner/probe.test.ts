/** What a store really refuses a camera, on the real embedded store with real credentials. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../agent/identity/encoding.ts";
import type { Cloud } from "../../scripts/cloud/cloud.ts";
import { random } from "../../scripts/owner/crypto.ts";
import { probeStore } from "../../scripts/owner/probe.ts";
import { openStore, type Store } from "../../scripts/owner/store.ts";
import { withCloud } from "../cloud/support.ts";

interface World {
  readonly cloud: Cloud;
  readonly camera: Uint8Array;
  readonly asCamera: Store;
  readonly asOwner: Store;
}

/** A cloud with one camera. After each use nothing that was put is left. */
async function withStores(use: (world: World) => Promise<void>): Promise<void> {
  await withCloud({}, async (cloud) => {
    const camera = random(16);
    const asCamera = openStore((await cloud.addCamera({ camera: toHex(camera) })).store);
    const asOwner = openStore((await cloud.owner()).store);
    try {
      await use({ cloud, camera, asCamera, asOwner });
      assert.deepEqual(await asOwner.list(`v1/${cloud.tenant}/`), []);
    } finally {
      asCamera.close();
      asOwner.close();
    }
  });
}

test("an honest store with the camera's own rights gives no warning", async () => {
  await withStores(async ({ cloud, camera, asCamera, asOwner }) => {
    assert.deepEqual(await probeStore(asCamera, asOwner, cloud.tenant, camera), []);
  });
});

test("rights beyond the camera's own are told: overwriting, and other prefixes", async () => {
  await withStores(async ({ cloud, camera, asOwner }) => {
    const warnings = await probeStore(asOwner, asOwner, cloud.tenant, camera);
    assert.equal(warnings.length, 2);
    assert.match(warnings[0] ?? "", /overwrite footage by leaving out If-None-Match/);
    assert.match(warnings[1] ?? "", /outside its own prefix/);
  });
});

test("a store that ignores If-None-Match is told", async () => {
  await withStores(async ({ cloud, camera, asCamera, asOwner }) => {
    const ignoring: Store = { ...asCamera, putNew: (name, bytes) => put(asOwner, name, bytes) };
    const warnings = await probeStore(ignoring, asOwner, cloud.tenant, camera);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /ignores If-None-Match/);
  });
});

async function put(store: Store, name: string, bytes: Uint8Array) {
  assert.equal(await store.put(name, bytes), "put");
  return "put" as const;
}

test("credentials of another camera can store nothing here, which is a problem at once", async () => {
  await withStores(async ({ cloud, asCamera, asOwner }) => {
    await assert.rejects(
      probeStore(asCamera, asOwner, cloud.tenant, random(16)),
      /refuses these credentials/,
    );
  });
});
