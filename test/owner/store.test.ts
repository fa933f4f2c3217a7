/** A store that answers as none should neither keeps its owner for ever nor fills the memory: it is told in a sentence. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { type Cloud, startCloud } from "../../scripts/cloud/cloud.ts";
import type { FaultReply, RequestInfo } from "../../scripts/cloud/store/faults.ts";
import { random } from "../../scripts/owner/crypto.ts";
import { FOLDERS_MAX, openStore, type Store } from "../../scripts/owner/store.ts";
import { makeDirectory, removeDirectory } from "../cloud/support.ts";

const PREFIX = "v1/home/store/";
const OBJECT = `${PREFIX}object`;
const BYTES = random(500);
let directory: string;
let cloud: Cloud;
let store: Store;

before(async () => {
  directory = await makeDirectory();
  cloud = await startCloud({ state: directory });
  store = openStore((await cloud.owner()).store);
  assert.equal(await store.putNew(OBJECT, BYTES), "put");
});
after(async () => {
  store.close();
  await cloud.stop();
  await removeDirectory(directory);
});
beforeEach(() => {
  cloud.store.faults = undefined;
  cloud.store.log.clear();
});

/** Answers request after request; undefined lets one pass. */
function answer(reply: (request: RequestInfo, count: number) => FaultReply | undefined): void {
  let count = 0;
  cloud.store.faults = (request) => {
    count += 1;
    const made = reply(request, count);
    return made && { reply: made };
  };
}

/** A page of ListObjectsV2 that goes on with a token; without one it says so only where `truncated`. */
function page(names: readonly string[], token: string | null, truncated = token !== null) {
  const keys = names.map((name) => `<Contents><Key>${name}</Key><Size>1</Size></Contents>`);
  const folders = names.map((name) => `<CommonPrefixes><Prefix>${name}/</Prefix></CommonPrefixes>`);
  const next = token === null ? "" : `<NextContinuationToken>${token}</NextContinuationToken>`;
  const more = `<IsTruncated>${truncated}</IsTruncated>${next}`;
  const all = [...keys, ...folders].join("");
  const body = `<ListBucketResult><EncodingType>url</EncodingType>${more}${all}</ListBucketResult>`;
  return { status: 200, body };
}

const padded = (number: number) => `${number}`.padStart(10, "0");

/** Both ways of listing end with this sentence, after so many requests at most. */
async function bothRefuse(sentence: RegExp, requests: number): Promise<void> {
  for (const work of [() => store.list(PREFIX), () => store.folders(PREFIX)]) {
    cloud.store.log.clear();
    await assert.rejects(work, { name: "Problem", message: sentence });
    assert.ok(cloud.store.log.entries.length <= requests, `${cloud.store.log.entries.length}`);
  }
}

test("a listing whose continuation tokens repeat is given up", async () => {
  answer(() => page([], "one"));
  await bothRefuse(/^the store https:\S+ lists the same names over and over; .* use another\.$/, 2);
  answer((_request, count) => page([`${PREFIX}${count}`], count % 2 === 0 ? "one" : "two"));
  await bothRefuse(/over and over/, 3);
});

test("empty pages are passed over, endless ones given up", async () => {
  answer((_request, count) => page([], `token-${count}`));
  await bothRefuse(/lists no names and says that more follow/, 100);
  const some = (_request: RequestInfo, count: number) =>
    count % 50 === 0
      ? page([`${PREFIX}${padded(count)}`], count === 200 ? null : "x".repeat(count))
      : page([], `token-${count}`);
  const numbers = [50, 100, 150, 200].map((number) => PREFIX + padded(number));
  answer(some);
  assert.deepEqual(
    (await store.list(PREFIX)).map(({ name }) => name),
    numbers,
  );
  answer(some);
  assert.deepEqual(
    (await store.folders(PREFIX)).names,
    numbers.map((name) => `${name}/`),
  );
});

test("a page that says more follow, but not how to ask for them, hides nothing silently", async () => {
  answer(() => page([`${PREFIX}a`], null, true));
  await bothRefuse(/says that a listing goes on, but not how/, 1);
});

test("a name in a listing that is not encoded as it says is told", async () => {
  answer(() => page([`${PREFIX}x%ff`], null));
  await bothRefuse(/lists v1\/home\/store\/x%ff\/?, which is not the encoding of a name/, 1);
});

test("of a store that ignores ranges no more is read than was asked for", async () => {
  const huge = "x".repeat(64 << 20);
  const ranges = (first: number, last: number) => `bytes ${first}-${last}/${huge.length}`;
  const answers: readonly FaultReply[] = [
    { status: 200, body: huge },
    { status: 206, body: huge, headers: { "content-range": ranges(0, 99) } },
  ];
  for (const reply of answers) {
    answer(() => reply);
    const sentence = /gives other or more bytes of an object than it is asked for; /;
    await assert.rejects(store.get(OBJECT, 0, 99), { name: "Problem", message: sentence });
    // The connection is closed: the store could not even send it.
    while (cloud.store.log.entries.length === 0) await new Promise(setImmediate);
    assert.equal(cloud.store.log.entries[0]?.answered, false);
    cloud.store.log.clear();
  }
});

test("a range that is not the one asked for is not taken for it", async () => {
  const hundred = "x".repeat(100);
  for (const headers of [{ "content-range": "bytes 0-99/500" }, {}]) {
    answer(() => ({ status: 206, body: hundred, headers }));
    await assert.rejects(store.get(OBJECT, 100, 199), /gives other or more bytes/);
  }
  answer(() => ({ status: 200, body: hundred }));
  await assert.rejects(store.get(OBJECT, 100, 199), /gives other or more bytes/);
  // All of an object that is no longer than that is what was asked for.
  assert.equal((await store.get(OBJECT, 0, 99))?.length, 100);
});

test("ranges of the real store are what they are asked to be", async () => {
  const part = async (first?: number, last?: number) =>
    Buffer.from((await store.get(OBJECT, first, last)) ?? assert.fail());
  assert.deepEqual(await part(), Buffer.from(BYTES));
  for (const [first, last] of [
    [0, 0],
    [0, 499],
    [0, 9_999],
    [100, 199],
    [499, 600],
  ] as const) {
    assert.deepEqual(await part(first, last), Buffer.from(BYTES.slice(first, last + 1)));
  }
  assert.deepEqual(await part(490), Buffer.from(BYTES.slice(490)));
  assert.equal((await part(500, 600)).length, 0);
  assert.equal(await store.get(`${OBJECT}-none`, 0, 99), null);
});

test("an answer that does not end is given up: a listing's, an error's, but not a long object's", async () => {
  const long = "<x/>".repeat(3 << 20);
  answer(() => ({ status: 200, body: `<ListBucketResult>${long}` }));
  for (const work of [() => store.list(PREFIX), () => store.folders(PREFIX)]) {
    await assert.rejects(work, { name: "Problem", message: /gives an answer that does not end/ });
  }
  answer(() => ({ status: 400, body: `<Error><Code>${long}` }));
  for (const work of [() => store.get(OBJECT), () => store.putNew(`${OBJECT}-2`, BYTES)]) {
    await assert.rejects(work, { name: "Problem", message: /gives an answer that does not end/ });
  }
  answer(() => ({ status: 200, body: "x".repeat(9 << 20) }));
  assert.equal((await store.get(OBJECT))?.length, 9 << 20);
});

test("folders out of order or outside of what was asked are told; of too many the first are given", async () => {
  for (const names of [
    [`${PREFIX}b`, `${PREFIX}a`],
    [`${PREFIX}a`, `${PREFIX}a`],
    ["v1/other/a"],
  ]) {
    answer(() => page(names, null));
    await assert.rejects(store.folders(PREFIX), { name: "Problem", message: /out of order/ });
  }
  answer((_request, count) => {
    const names = Array.from({ length: 1000 }, (_, i) => `${PREFIX}${padded(count * 1000 + i)}`);
    return page(names, `token-${count}`);
  });
  const { names, cut } = await store.folders(PREFIX);
  assert.deepEqual([names.length, cut], [FOLDERS_MAX, true]);
  assert.ok(cloud.store.log.entries.length <= 101 + 8, `${cloud.store.log.entries.length}`);
});
