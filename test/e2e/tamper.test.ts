/**
 * A store that lies. Whatever it does to the camera's real objects, its owner's `get` refuses it, loudly and by name.
 */
import assert from "node:assert/strict";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { prune } from "../../agent/seal/pruned.ts";
import { isRefused } from "../../agent/seal/refusal.ts";
import { fetchFootage } from "../../scripts/owner/fetch.ts";
import { Refusal } from "../../scripts/owner/open.ts";
import type { Segment } from "../../scripts/owner/recordings.ts";
import type { Store } from "../../scripts/owner/store.ts";
import { Rig } from "./support/rig.ts";

let rig: Rig;
let segments: Segment[];
/** The honest store's objects. */
const objects = new Map<string, Uint8Array>();

before(async () => {
  rig = await Rig.create();
  await rig.record();
  await rig.untilStored(5);
  await rig.host.stop();
  segments = await rig.segments();
  for (const { name } of segments) {
    const bytes = await rig.view.store.get(name.object);
    assert.ok(bytes);
    objects.set(name.object, bytes);
  }
});
after(() => rig.stop());

/** The real store, but for some objects. */
function lying(lies: ReadonlyMap<string, Uint8Array | null>): Store {
  const { store } = rig.view;
  return {
    ...store,
    async list(prefix, from, max) {
      const listed = await store.list(prefix, undefined, 1000);
      const names = new Map(listed.map(({ name, size_bytes }) => [name, size_bytes]));
      for (const [name, bytes] of lies) {
        if (bytes === null) names.delete(name);
        else if (name.startsWith(prefix)) names.set(name, bytes.length);
      }
      return [...names]
        .map(([name, size_bytes]) => ({ name, size_bytes, put_us: 0 }))
        .filter(({ name }) => from === undefined || name > from)
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .slice(0, max);
    },
    async get(name, first = 0, last = Number.POSITIVE_INFINITY) {
      const lie = lies.get(name);
      if (lie === undefined)
        return store.get(name, first, last === Number.POSITIVE_INFINITY ? undefined : last);
      return lie === null ? null : lie.slice(first, last + 1);
    },
  };
}

const path = () => join(rig.directory, "out.mp4");

/** How `get` ends with such a store. */
async function outcome(lies: ReadonlyMap<string, Uint8Array | null>): Promise<string> {
  const wanted = { stream: 0, from_us: 0, to_us: Number.MAX_SAFE_INTEGER, boot: 1 };
  const view = { ...rig.view, store: lying(lies) };
  // What an honest test before this one fetched.
  await rm(path(), { force: true });
  try {
    const fetched = await fetchFootage(view, wanted, path(), {
      stretchGaps: true,
      withoutRefused: false,
    });
    return fetched.missing > 0 ? `${fetched.missing} missing` : "all well";
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const left = (await readdir(rig.directory)).filter(
      (name) => name.startsWith("out.") || name.startsWith(".ocellus"),
    );
    assert.deepEqual(left, []);
    return error.reason;
  }
}

function at(index: number): { name: string; bytes: Uint8Array; chunksAt: number } {
  const segment = segments[index];
  assert.ok(segment);
  const name = segment.name.object;
  const bytes = objects.get(name);
  assert.ok(bytes);
  return { name, bytes, chunksAt: segment.head.chunksAt };
}

const flip = (bytes: Uint8Array, offset: number) => {
  const copy = bytes.slice();
  copy[offset] = (copy[offset] ?? 0) ^ 0x10;
  return copy;
};

test("one bit changed anywhere is refused: prelude, header, signature, first, middle and last chunk", async () => {
  const { name, bytes, chunksAt } = at(2);
  const places: [number, RegExp][] = [
    [0, /magic/],
    [5, /suite/],
    [9, /header-length|name|too-short|malformed|length/],
    [20, /length/],
    [100, /./],
    [chunksAt - 100, /./],
    [chunksAt - 30, /signature/],
    [chunksAt, /chunk-hash/],
    [Math.floor((chunksAt + bytes.length) / 2), /chunk-hash/],
    [bytes.length - 1, /chunk-hash/],
  ];
  for (const [place, reason] of places) {
    const ended = await outcome(new Map([[name, flip(bytes, place)]]));
    assert.match(ended, reason, `byte ${place}`);
    assert.ok(!/well|missing/.test(ended), `byte ${place}: ${ended}`);
  }
});

test("an object cut short, or with something behind it, is refused", async () => {
  const { name, bytes, chunksAt } = at(1);
  for (const length of [0, 10, 24, chunksAt - 1, chunksAt, bytes.length - 1]) {
    const ended = await outcome(new Map([[name, bytes.subarray(0, length)]]));
    assert.match(ended, /too-short|length/, `${length} bytes: ${ended}`);
  }
  assert.equal(await outcome(new Map([[name, new Uint8Array([...bytes, 0])]])), "length");
});

test("two objects in each other's place are refused", async () => {
  const [a, b] = [at(1), at(2)];
  assert.equal(
    await outcome(
      new Map([
        [a.name, b.bytes],
        [b.name, a.bytes],
      ]),
    ),
    "name",
  );
});

test("an object replayed under another number is refused", async () => {
  const { name, bytes } = at(1);
  const replayed = name.replace(/0000000001-/, "0000000900-");
  assert.equal(await outcome(new Map([[replayed, bytes]])), "name");
});

test("an object that is gone is a gap, which is counted", async () => {
  assert.equal(await outcome(new Map([[at(2).name, null]])), "1 missing");
});

test("an object of another camera of the same owner is refused", async () => {
  const other = await Rig.create();
  try {
    // One owner, each camera at a cloud of its own.
    other.owner = { ...rig.owner, access: await other.cloud.owner() };
    await other.record();
    const [name] = await other.untilStored(1);
    assert.ok(name);
    const bytes = await other.view.store.get(name.object);
    assert.ok(bytes);
    const { name: place } = at(1);
    const mine = place.split("/")[2] ?? "";
    assert.equal(await outcome(new Map([[place, bytes]])), "name");
    const renamed = name.object.replace(/^(v1\/[^/]+\/)[^/]+/, `$1${mine}`);
    assert.match(await outcome(new Map([[renamed, bytes]])), /name|camera/);
  } finally {
    await other.stop();
  }
});

test("an object reduced to key frames without the camera's word is reported as damaged", async () => {
  const { name, bytes } = at(2);
  const pruned = prune(bytes);
  assert.ok(!isRefused(pruned));
  assert.equal(await outcome(new Map([[name, pruned]])), "damaged");
});

test("an honest store's footage is fetched", async () => {
  assert.equal(await outcome(new Map()), "all well");
});
