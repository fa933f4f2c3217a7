/** What a store really refuses a camera, and whether a broker lets it in: on the real ones, with real credentials. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createServer } from "node:tls";
import { toHex } from "../../agent/identity/encoding.ts";
import { Problem } from "../../scripts/build/problem.mjs";
import { issueServerCertificate, makeAuthority } from "../../scripts/cloud/ca.ts";
import type { Cloud } from "../../scripts/cloud/cloud.ts";
import { random } from "../../scripts/owner/crypto.ts";
import { probeBroker, probeStore } from "../../scripts/owner/probe.ts";
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

test("a broker that lets somebody in is fine; otherwise it is told whose access fails, and why", async () => {
  await withCloud({}, async (cloud) => {
    const access = (await cloud.addCamera({ camera: toHex(random(16)) })).broker;
    await probeBroker("camera", access);
    const stranger = await makeAuthority("somebody else");
    const elsewhere = "mqtts://localhost:1";
    const cases: readonly [change: Partial<typeof access>, sentence: RegExp][] = [
      [{ password: "wrong" }, /the broker mqtts:\S+ refuses these credentials; check them/],
      [{ username: "nobody" }, /refuses these credentials/],
      [
        { caPem: stranger.certPem },
        /is signed by no authority that its access names \(\w+\); give "/,
      ],
      [{ url: elsewhere }, /localhost:1 cannot be used \(ECONNREFUSED\); check that it runs/],
    ];
    for (const [change, sentence] of cases) {
      for (const whose of ["camera", "owner"] as const) {
        await assert.rejects(probeBroker(whose, { ...access, ...change }), (error: unknown) => {
          assert.ok(error instanceof Problem);
          assert.ok(error.message.startsWith(`with the ${whose}'s access, the `), error.message);
          assert.match(error.message, sentence);
          return true;
        });
      }
    }
    const certificates: readonly [names: string[], notAfter_ms: number, sentence: RegExp][] = [
      [["elsewhere.example"], Date.now() + 864e5, /is for another host name; correct the address/],
      [["localhost"], Date.now() - 1000, /is not valid now \(CERT_HAS_EXPIRED\); renew it/],
    ];
    for (const [names, notAfter_ms, sentence] of certificates) {
      const issued = await issueServerCertificate(cloud.authority, { names, notAfter_ms });
      const server = createServer({ cert: issued.certPem, key: issued.keyPem });
      server.listen(0, "localhost");
      await once(server, "listening");
      const { port }: Pick<AddressInfo, "port"> = Object(server.address());
      try {
        const url = `mqtts://localhost:${port}`;
        await assert.rejects(probeBroker("owner", { ...access, url }), { message: sentence });
      } finally {
        server.close();
      }
    }
  });
});
