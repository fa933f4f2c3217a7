/** `ocellus ota build`, `sign`, `show` and `publish` of an owner who set nothing up, with the development cloud's store. */
import assert from "node:assert/strict";
import { copyFile, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { splitBundle } from "../../agent/update/bundle.ts";
import { verifyManifest } from "../../agent/update/manifest.ts";
import { isUpdateRefused } from "../../agent/update/refusal.ts";
import { ownerRoots } from "../../agent/update/roots.ts";
import { type Cloud, startCloud } from "../../scripts/cloud/cloud.ts";
import { crypto, random } from "../../scripts/owner/crypto.ts";
import { openStore, type Store } from "../../scripts/owner/store.ts";
import { makeDirectory, removeDirectory } from "../cloud/support.ts";
import { smallImage } from "./support/images.ts";
import { assertSentence, json, ocellus, succeeds } from "./support/ocellus.ts";

let directory: string;
let cloud: Cloud;
let owners: Store;
/** With a camera's credentials. */
let cameras: Store;
const place = (name: string) => join(directory, name);
const home = () => ({ home: place("owner") });

before(async () => {
  directory = await makeDirectory();
  cloud = await startCloud({ state: place("cloud") });
  await succeeds(["keys", "init", "--no-recovery"], home());
  const from = ["--cloud-state", cloud.state, "--out", place("front.json"), "--no-wait"];
  await succeeds(["pair", "front", ...from], home());
  owners = openStore((await cloud.owner()).store);
  cameras = openStore((await cloud.addCamera({ camera: `${"0".repeat(31)}1` })).store);
});
after(async () => {
  owners.close();
  cameras.close();
  await cloud.stop();
  await removeDirectory(directory);
});
afterEach(() => {
  cloud.store.faults = undefined;
});

/** Makes and signs an update of a small image of so many bytes. @returns its file and id. */
async function signed(name: string, bytes: number, isSigned = true): Promise<[string, string]> {
  const [slot, file] = [place(`${name}.uimage`), place(`${name}.ocellus-update`)];
  await writeFile(slot, smallImage({ bytes }));
  const made = await json(["ota", "build", "--board", "qemu/malta", "--slot", slot, "-o", file]);
  if (isSigned) await succeeds(["ota", "sign", file], home());
  return [file, Object(made).image_id];
}

const objects = (id: string) => `v1/home/update/images/qemu-malta/${id}/`;
const puts = () =>
  cloud.store.log.entries.filter(({ method }) => method === "PUT").map(({ key }) => key);

test("the board's own image is built, signed and published, and a camera gets what its owner signed", async () => {
  const file = place("real.ocellus-update");
  const built = Object(await json(["ota", "build", "--board", "qemu/malta", "-o", file]));
  assert.match(built.build, /^ocellus [0-9.]+\+[0-9a-f]{8}/);
  assert.deepEqual(
    [built.board, built.variant, built.security_counter, built.settings_schema],
    ["qemu/malta", "release", 1, 1],
  );
  assert.equal((await stat(file)).size, built.bytes);
  const unsigned = Object(await json(["ota", "show", file], home()));
  assert.deepEqual([unsigned.accepted, unsigned.refused], [false, "below-threshold"]);
  cloud.store.log.clear();
  assertSentence(
    await ocellus(["ota", "publish", file], home()),
    1,
    /is not published: fewer different keys .* than it takes, 1; sign it with `npx --no ocellus ota sign /,
  );
  assert.deepEqual(puts(), []);

  const told = await ocellus(["ota", "sign", file], home());
  assert.equal(told.status, 0, told.stderr);
  assert.match(
    told.stderr,
    new RegExp(`signing ${built.build.replace("+", "\\+")} for qemu/malta`),
  );
  assert.match(told.stdout, /which has 1 signature now/);
  assert.match(await succeeds(["ota", "sign", file], home()), /had signed .* before/);
  assert.match(await succeeds(["ota", "show", file], home()), /^verdict {4}good: signed by 1 /m);

  const published = Object(await json(["ota", "publish", file], home()));
  assert.deepEqual(
    [published.image, published.manifest, published.roots_version, published.objects],
    ["put", "put", 0, objects(built.image_id)],
  );
  const names = ["image", "manifest"].map((name) => objects(built.image_id) + name);
  assert.deepEqual(puts(), names);

  const [image, manifest] = await Promise.all(names.map((name) => cameras.get(name)));
  assert.ok(image && manifest);
  const { root_key } = Object(await json(["keys", "show"], home()));
  const roots = ownerRoots("home", new Uint8Array(Buffer.from(root_key, "base64")));
  const verified = verifyManifest(crypto, manifest, roots);
  assert.ok(!isUpdateRefused(verified));
  assert.equal(Buffer.from(verified.id).toString("hex"), built.image_id);
  assert.deepEqual(crypto.sha256(image), verified.manifest.image.sha256);
  assert.equal(await cameras.put(names[0] ?? "", random(10)), "refused");

  const again = Object(await json(["ota", "publish", file], home()));
  assert.deepEqual([again.image, again.manifest], ["exists", "exists"]);
  assert.deepEqual(await owners.get(names[0] ?? ""), image);
});

test("a publication that broke off shows no manifest, and is gone on with", async () => {
  const [file, id] = await signed("broken-off", 200_000);
  cloud.store.faults = ({ method, key }) =>
    method === "PUT" && key.endsWith("/manifest")
      ? { reply: { status: 403, code: "AccessDenied" } }
      : undefined;
  assertSentence(await ocellus(["ota", "publish", file], home()), 1, /refuses these credentials/);
  assert.equal(await owners.get(`${objects(id)}manifest`), null);
  cloud.store.faults = undefined;
  const done = Object(await json(["ota", "publish", file], home()));
  assert.deepEqual([done.image, done.manifest], ["exists", "put"]);
});

test("something else under an update's names is not taken for it", async () => {
  const [first, id] = await signed("other-image", 190_000);
  await owners.putNew(`${objects(id)}image`, random(100));
  const sentence = /holds something else as \S+image, which cameras would refuse; remove it/;
  assertSentence(await ocellus(["ota", "publish", first], home()), 1, sentence);
  assert.equal(await owners.get(`${objects(id)}manifest`), null);

  const [second, otherId] = await signed("other-manifest", 180_000);
  const { manifest } = partsOf(await readFile(first));
  await owners.putNew(`${objects(otherId)}manifest`, manifest);
  const refused = await ocellus(["ota", "publish", second], home());
  assertSentence(refused, 1, /holds something else as \S+manifest/);
});

function partsOf(bytes: Uint8Array) {
  const parts = splitBundle(new Uint8Array(bytes));
  assert.ok(!isUpdateRefused(parts));
  return parts;
}

test("an update that is damaged is neither signed nor shown nor published", async () => {
  const [whole] = await signed("whole", 150_000);
  const bytes = await readFile(whole);
  const { manifest } = partsOf(bytes);
  const at = 20 + manifest.length;
  const flipped = (index: number) => Buffer.from(bytes.map((b, i) => (i === index ? b ^ 1 : b)));
  const swapped = Buffer.concat([
    bytes.subarray(0, at),
    bytes.subarray(at + 65_536, at + 131_072),
    bytes.subarray(at, at + 65_536),
    bytes.subarray(at + 131_072),
  ]);
  const damaged: readonly [Buffer, RegExp][] = [
    [bytes.subarray(0, -1), /\(bundle-length\): the update is cut short/],
    [Buffer.concat([bytes, bytes.subarray(0, 1)]), /\(bundle-length\)/],
    [flipped(bytes.length - 1), /\(block-hash\): a block of the image is not the one/],
    [swapped, /\(block-hash\)/],
    [flipped(0), /\(bundle-magic\): this is no ocellus update/],
    [flipped(4), /\(bundle-version\)/],
  ];
  const file = place("damaged.ocellus-update");
  for (const [content, sentence] of damaged) {
    await writeFile(file, content);
    for (const command of ["sign", "show", "publish"])
      assertSentence(await ocellus(["ota", command, file], home()), 1, sentence);
    assert.deepEqual(await readFile(file), Buffer.from(content));
  }
  // The manifest is another than was signed.
  await writeFile(file, flipped(20 + manifest.length - 40));
  const shown = Object(await json(["ota", "show", file], home()));
  assert.deepEqual([shown.accepted, shown.refused, shown.signers], [false, "signature", []]);
  assertSentence(await ocellus(["ota", "publish", file], home()), 1, /\(signature\)/);
});

test("an image that no camera would start is not built into an update", async () => {
  const noise = new Uint8Array(5000).fill(0x5a);
  noise.set([0x6c, 0, 0, 0, 4, 255, 255, 255, 255, 255, 255, 255, 255]);
  const good = smallImage();
  const altered = (index: number, bytes = good) => bytes.map((b, i) => (i === index ? b ^ 1 : b));
  const wrong: readonly [Uint8Array, RegExp][] = [
    [smallImage({ data: noise }), /cannot be unpacked, so no camera would start it/],
    [random(300), /\(image-magic\): what should be a uImage is none/],
    [altered(8), /\(image-crc\)/],
    [altered(1000), /\(image-data\): the checksum of what the uImage holds/],
    [smallImage({ data: random(300).fill(0xff, 0, 1) }), /\(image-kind\): .* no LZMA/],
    [good.slice(0, -1), /\(image-length\)/],
    [
      smallImage({ load_address: 0x8000_0000 }),
      /\(image-address\): .* not for this board's memory/,
    ],
    [smallImage({ name: "linux-6.1" }), /is named "linux-6.1", but an image of ocellus is named/],
    [smallImage({ bytes: 3_700_000 }), /\(image-size\): the image does not fit into a slot/],
  ];
  const [slot, out] = [place("wrong.uimage"), place("wrong.ocellus-update")];
  const args = ["ota", "build", "--board", "qemu/malta", "--slot", slot, "-o", out];
  for (const [image, sentence] of wrong) {
    await writeFile(slot, image);
    const refused = await ocellus(args);
    assert.equal(refused.status, 1, refused.stderr);
    assert.match(refused.stderr, sentence);
    await assert.rejects(stat(out), /ENOENT/);
  }
  await writeFile(slot, good);
  await succeeds(args);
  assertSentence(await ocellus(args), 1, /wrong\.ocellus-update exists already; name another/);
  assertSentence(
    await ocellus([...args.slice(0, 5), place("none"), ...args.slice(6)]),
    1,
    /no file/,
  );
});

test("an update is shown where there are no keys, but not judged", async () => {
  const [file, id] = await signed("shown", 100_000);
  const elsewhere = { home: place("nobody") };
  const shown = Object(await json(["ota", "show", file], elsewhere));
  assert.deepEqual([shown.image_id, shown.accepted, shown.roots_version], [id, null, null]);
  assert.match(
    await succeeds(["ota", "show", file], elsewhere),
    /not judged: there are no owner's/,
  );
  assertSentence(
    await ocellus(["ota", "publish", file], elsewhere),
    1,
    /there are no owner's keys/,
  );
  await copyFile(place("owner/owner.json"), place("no.ocellus-update"));
  const none = await ocellus(["ota", "show", place("no.ocellus-update")], home());
  assertSentence(none, 1, /is refused \(bundle-magic\): this is no ocellus update/);
});
