/** Footage opened without the camera's signing key: any signature will do, and nothing else is let off. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bootObjectName } from "../../agent/seal/names.ts";
import { Refusal } from "../../scripts/owner/open.ts";
import { findSegments } from "../../scripts/owner/recordings.ts";
import { chain, DAY_US } from "./support/footage.ts";
import { MemoryStore, makeSealer, type Sealed, sealBoot, viewOf } from "./support/sealed.ts";

const sealer = makeSealer();
/** The same camera for the same recipient by another signing key. */
const forger = { ...sealer, signing: makeSealer().signing };

async function found(store: MemoryStore, unverified: boolean): Promise<(string | number)[]> {
  const view = { ...viewOf(sealer, store), unverified };
  const wanted = { stream: 0, from_us: 0, to_us: Number.MAX_SAFE_INTEGER };
  const all: (string | number)[] = [];
  for await (const one of findSegments(view, wanted)) {
    all.push(one instanceof Refusal ? one.reason : one.name.seq);
  }
  return all;
}

test("any signature will do, and only where it was said so", async () => {
  const store = new MemoryStore();
  store.add(sealBoot(forger, 1, DAY_US), ...chain(forger, 1, 3));
  assert.deepEqual(await found(store, false), ["signer"]);
  assert.deepEqual(await found(store, true), [0, 1, 2]);
  store.add(sealBoot(sealer, 1, DAY_US));
  assert.deepEqual(
    (await found(store, false)).sort(),
    [..."xxx"]
      .map(() => "signature")
      .concat("signer")
      .sort(),
  );
});

test("records and segments of another camera, boot or recipient are refused all the same", async () => {
  const store = new MemoryStore();
  const stranger = { ...makeSealer(), recipient: sealer.recipient };
  /** Under the name of a boot record of our camera. */
  const put = ({ bytes, hash }: Sealed, boot: number) =>
    store.objects.set(bootObjectName(sealer.tenant, sealer.camera, boot, hash), bytes);
  put(sealBoot(stranger, 2, DAY_US), 2);
  put(sealBoot(sealer, 4, DAY_US), 3);
  const other = sealBoot({ ...sealer, recipient: makeSealer().recipient }, 5, DAY_US);
  store.add(sealBoot(sealer, 1, DAY_US), other);
  const [zero, one, two] = chain(sealer, 1, 3);
  assert.ok(zero && one && two);
  store.add(zero, two);
  const renamed = one.name.replace("/0000000001-", "/0000000007-");
  store.objects.set(renamed, one.bytes);
  const reasons = ["camera", "boot", "no-wrap"];
  assert.deepEqual(await found(store, true), [...reasons, 0, 2, "name"]);
});
