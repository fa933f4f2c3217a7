/** Packages from a mirror: pinned, gone, altered, unsigned; and the lock made anew. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readMade } from "../../scripts/build/cache.mjs";
import { Problem } from "../../scripts/build/problem.mjs";
import { source } from "../../scripts/build/recipes/source.mjs";
import { unpinned } from "../../scripts/build/unpinned.mjs";
import type { PinnedPackage } from "../../scripts/setup/apt.mjs";
import { newestPackages } from "../../scripts/setup/apt.mjs";
import { relock } from "../../scripts/setup/relock.mjs";
import type { Origin } from "../../scripts/setup/source-package.mjs";
import { readSourcesLock } from "../../scripts/setup/sources-lock.mjs";
import { DEB_NAME, DEB_PRESENT, NAME, PRESENT, startMirror } from "./support/mirror.ts";
import { countingRecipe, makeScratch, type Scratch } from "./support/scratch.ts";

const TARBALL = `/${PRESENT.directory}/${NAME}_2.0.tar.xz`;

/** A version the archive no longer has. */
const GONE: PinnedPackage = {
  ...PRESENT,
  version: "1.0",
  files: { [`${NAME}_1.0.tar.xz`]: "11".repeat(32) },
};
const DEB_GONE: PinnedPackage = {
  ...DEB_PRESENT,
  version: "1.0",
  files: { [`${DEB_NAME}_1.0_all.deb`]: "22".repeat(32) },
};

function pin(scratch: Scratch, entry: PinnedPackage, deb: PinnedPackage = DEB_PRESENT) {
  const lock = { packages: { [NAME]: entry, [DEB_NAME]: deb } };
  scratch.write("scripts/setup/sources.lock.json", JSON.stringify(lock));
}

/** Ensures something built of the package; gives the package's directory. */
async function build(scratch: Scratch, origin: Origin, name = NAME): Promise<string> {
  const sample = source(name, origin);
  const user = countingRecipe(scratch, { name: "user", needs: [sample.name] });
  await scratch.ensure("user", [sample, user]);
  return scratch.ensure(sample.name, [sample]);
}

/** Asserts a rejection with one sentence that matches. */
function refused(work: Promise<unknown>, sentence: RegExp): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.ok(error instanceof Problem, String(error));
    assert.match(error.message, sentence);
    assert.equal(error.message.split("\n").length, 1);
    return true;
  });
}

test("a pinned package is downloaded, unpacked, and not marked", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, PRESENT);
  const directory = await build(scratch, mirror.origin);
  assert.equal(readFileSync(join(directory, "content"), "utf8"), "sample 2.0\n");
  assert.deepEqual(unpinned(scratch.root), []);
  // Pinned by hash, it takes no package index, nor a description that is not unpacked: some mirrors have none.
  assert.deepEqual([...new Set(mirror.asked)], [TARBALL]);
});

test("a pinned .deb is downloaded, unpacked and not installed", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, PRESENT);
  const directory = await build(scratch, mirror.origin, DEB_NAME);
  assert.equal(readFileSync(join(directory, "usr/src/content"), "utf8"), "files 2.0\n");
  assert.deepEqual(unpinned(scratch.root), []);
});

test("a pinned .deb with another hash than the pinned one is refused", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, PRESENT);
  mirror.altered.set(`/${PRESENT.directory}/${DEB_NAME}_2.0_all.deb`, "something else");
  await refused(
    build(scratch, mirror.origin, DEB_NAME),
    /_all\.deb is not the file that is pinned/,
  );
});

test("a pinned .deb that is gone is replaced by the current one, and says so", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, PRESENT, DEB_GONE);
  const directory = await build(scratch, mirror.origin, DEB_NAME);
  assert.equal(readFileSync(join(directory, "usr/src/content"), "utf8"), "files 2.0\n");
  assert.deepEqual(unpinned(scratch.root), [
    `${DEB_NAME} 1.0 is pinned but the mirror no longer has it; built from 2.0 (\`make relock\` pins that).`,
  ]);
});

test("relock pins both kinds to what the release has, and says what changed", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, GONE, DEB_GONE);
  assert.deepEqual(await relock(scratch.root, mirror.origin), [
    `${NAME} 1.0 → 2.0`,
    `${DEB_NAME} 1.0 → 2.0`,
  ]);
  assert.deepEqual(readSourcesLock(scratch.root).packages, {
    [NAME]: PRESENT,
    [DEB_NAME]: DEB_PRESENT,
  });
  assert.deepEqual(await relock(scratch.root, mirror.origin), [`${NAME} 2.0`, `${DEB_NAME} 2.0`]);
});

test("relock takes a new package by kind and suite alone, and leaves the lock as it is where one is missing", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  const lock = (name: string) =>
    JSON.stringify({ packages: { [name]: { kind: "binary", suite: "trixie" } } });
  scratch.write("scripts/setup/sources.lock.json", lock(DEB_NAME));
  await relock(scratch.root, mirror.origin);
  assert.deepEqual(readSourcesLock(scratch.root).packages, { [DEB_NAME]: DEB_PRESENT });
  // A source package of that name is no .deb.
  scratch.write("scripts/setup/sources.lock.json", lock(NAME));
  await refused(
    relock(scratch.root, mirror.origin),
    /^trixie has no binary package ocellus-sample\.$/,
  );
  assert.equal(
    readFileSync(join(scratch.root, "scripts/setup/sources.lock.json"), "utf8"),
    lock(NAME),
  );
});

test("a file with another hash than the pinned one is refused", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, PRESENT);
  mirror.altered.set(TARBALL, "something else");
  await refused(build(scratch, mirror.origin), /_2\.0\.tar\.xz is not the file that is pinned/);
  assert.deepEqual(readdirSync(join(scratch.cache, "artefacts")), []);
});

test("a pinned version that is gone is replaced by the current one, and all that is built of it says so", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, GONE);
  const directory = await build(scratch, mirror.origin);
  assert.equal(readFileSync(join(directory, "content"), "utf8"), "sample 2.0\n");
  const note = `${NAME} 1.0 is pinned but the mirror no longer has it; built from 2.0 (\`make relock\` pins that).`;
  assert.deepEqual(unpinned(scratch.root), [note]);
  const user = join(scratch.root, "build/user");
  assert.deepEqual(readMade(user)?.unpinned, [note]);
  assert.equal(readFileSync(join(user, "unpinned"), "utf8"), `${note}\n`);
});

test("after the lock was renewed the same build is no longer marked", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, GONE);
  await build(scratch, mirror.origin);
  pin(scratch, PRESENT);
  await build(scratch, mirror.origin);
  assert.deepEqual(unpinned(scratch.root), []);
});

test("a replacement must come from an index that is signed by the right key", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, GONE);
  // Debian's own key, which did not sign this archive.
  await refused(
    build(scratch, { archives: mirror.origin.archives }),
    /index of trixie .* is not signed/,
  );
});

test("a replacement must be the file that the signed index lists", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, GONE);
  mirror.altered.set(TARBALL, "something else");
  await refused(build(scratch, mirror.origin), /_2\.0\.tar\.xz is not the file/);
});

test("a gone package whose mirror has no index to be had is a failed download", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, GONE);
  mirror.broken.push("/dists/");
  await refused(build(scratch, mirror.origin), /^the package index of trixie .* cannot be had/);
});

test("an index that was altered after it was signed is refused", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  const { archives, keyring } = mirror.origin;
  mirror.altered.set("/dists/trixie/main/source/Sources", `Package: ${NAME}\nVersion: 3.0\n`);
  await refused(
    newestPackages(archives, PRESENT, [NAME], join(scratch.cache, "lists"), keyring),
    /cannot be had/,
  );
});

test("a mirror that does not answer is a failed download and replaces nothing", async (t) => {
  const scratch = makeScratch(t);
  const mirror = await startMirror(t);
  pin(scratch, PRESENT);
  mirror.close();
  await refused(build(scratch, mirror.origin), /^downloading http:.* failed .*run this again\.$/);
  assert.deepEqual(unpinned(scratch.root), []);
});
