/** A camera that rebooted thousands of times is listed soon: records are fetched together, and each but once. */
import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type Boot, readBoots } from "../../scripts/owner/boots.ts";
import { random } from "../../scripts/owner/crypto.ts";
import { Refusal } from "../../scripts/owner/open.ts";
import { makeDirectory, removeDirectory } from "../cloud/support.ts";
import { DAY_US } from "./support/footage.ts";
import { MemoryStore, makeSealer, sealBoot, viewOf } from "./support/sealed.ts";

const BOOTS = 300;
const sealer = makeSealer();

/** A store that lets others go first, and counts what is asked of it at once. */
class SlowStore extends MemoryStore {
  gets = 0;
  #atOnce = 0;
  most = 0;

  override async get(name: string, first?: number, last?: number) {
    this.gets += 1;
    this.#atOnce += 1;
    this.most = Math.max(this.most, this.#atOnce);
    // Those asked for later come first.
    await new Promise((resolve) => setTimeout(resolve, 4 - (this.gets % 4)));
    this.#atOnce -= 1;
    return super.get(name, first, last);
  }
}

test("boot records are fetched together, in bounds, and each but once", async (t) => {
  const cache = await makeDirectory();
  t.after(() => removeDirectory(cache));
  const store = new SlowStore();
  for (let boot = 1; boot <= BOOTS; boot++) {
    store.add(sealBoot(sealer, boot, DAY_US + boot * 60e6));
  }
  const bad = sealBoot({ ...sealer, signing: makeSealer().signing }, 7, DAY_US);
  store.add(bad);
  const listed = async (): Promise<[boots: Boot[], refused: string[]]> => {
    const reading = readBoots(viewOf(sealer, store, cache));
    const refused: string[] = [];
    for (;;) {
      const { done, value } = await reading.next();
      if (done) return [value, refused];
      if (value instanceof Refusal) refused.push(value.object);
    }
  };
  const [boots, refused] = await listed();
  assert.deepEqual(
    boots.map(({ boot, zero_us }) => [boot, zero_us]),
    Array.from({ length: BOOTS }, (_one, i) => [i + 1, DAY_US + (i + 1) * 60e6]),
  );
  assert.deepEqual(refused, [bad.name]);
  assert.deepEqual([store.gets, store.most], [BOOTS + 1, 8]);

  // Again only what was refused, and what is new.
  store.gets = 0;
  store.requests = 0;
  store.add(sealBoot(sealer, BOOTS + 1, DAY_US));
  const [again] = await listed();
  assert.deepEqual(again.slice(0, -1), boots);
  assert.equal(again.at(-1)?.boot, BOOTS + 1);
  assert.deepEqual([store.gets, store.requests], [2, 3]);

  // A rotten cache changes nothing; what the store no longer lists is not there.
  const kept = join(cache, "boots");
  for (const file of await readdir(kept, { recursive: true, withFileTypes: true })) {
    if (file.isFile()) await writeFile(join(file.parentPath, file.name), random(99));
  }
  assert.deepEqual((await listed())[0], again);
  for (const name of store.objects.keys()) {
    if (name.includes("/boot/0000000005-")) store.objects.delete(name);
  }
  assert.deepEqual(
    (await listed())[0],
    again.filter(({ boot }) => boot !== 5),
  );
});
