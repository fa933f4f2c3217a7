/**
 * What a store's answers must keep to: listings that come to an end, names that can be read, and bodies that are no longer
 * than what was asked for. A store that does not would keep its owner waiting for ever, or fill the memory.
 */
import { Readable } from "node:stream";
import type { GetObjectCommandOutput, ListObjectsV2CommandOutput } from "@aws-sdk/client-s3";

/** How a store failed to keep to it: the end of a sentence that begins with the store. */
export class BadAnswer extends Error {
  override readonly name = "BadAnswer";
}

/** Most bytes of an answer that is no object: a page of 1,000 names of 1,024 bytes, each encoded threefold, takes 5 MB. */
const ANSWER_BYTES_MAX = 8 << 20;

/** The same bytes, up to what an answer may have; past that, reading fails with BadAnswer and the connection is closed. */
export function bounded(body: Readable): Readable {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    let left_bytes = ANSWER_BYTES_MAX;
    for await (const piece of body) {
      const bytes: Uint8Array = piece;
      left_bytes -= bytes.length;
      if (left_bytes < 0) throw new BadAnswer("gives an answer that does not end");
      yield bytes;
    }
  }
  return Readable.from(pieces(), { objectMode: false });
}

/** Order of a store's listing: by the bytes of UTF-8, which for some characters is not the order of JavaScript's strings. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Pages in a row that may bring nothing: a versioned bucket gives empty ones where very much was deleted. */
const EMPTY_PAGES = 100;

/**
 * The pages of a listing until the store says that there are no more. Throws BadAnswer where that cannot be, and whatever
 * `ask` throws.
 * @param ask for one page, from a continuation token on.
 * @param count of names the caller has so far: it must rise.
 */
export async function* pages(
  ask: (token: string | undefined) => Promise<ListObjectsV2CommandOutput>,
  count: () => number,
): AsyncGenerator<ListObjectsV2CommandOutput> {
  const tokens = new Set<string>();
  let token: string | undefined;
  let empty = 0;
  for (;;) {
    const before = count();
    const page = await ask(token);
    yield page;
    if (!page.IsTruncated) return;
    token = page.NextContinuationToken;
    if (!token) throw new BadAnswer("says that a listing goes on, but not how");
    if (tokens.has(token)) throw new BadAnswer("lists the same names over and over");
    tokens.add(token);
    empty = count() > before ? 0 : empty + 1;
    if (empty >= EMPTY_PAGES) throw new BadAnswer("lists no names and says that more follow");
  }
}

/**
 * A name out of a listing. They are asked for encoded, since S3 allows names with characters that XML cannot hold: one such
 * object would make the whole listing unreadable. Throws BadAnswer where it is no UTF-8.
 */
export function decoded(name: string, encoding: string | undefined): string {
  if (encoding !== "url") return name;
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch {
    throw new BadAnswer(`lists ${name}, which is not the encoding of a name`);
  }
}

/**
 * The bytes `first` to `last` of an object out of the answer to a request for them; fewer where it ends before. No more than
 * that is read. Throws BadAnswer where the answer is not that range.
 */
export async function rangeOf(
  { Body, ContentRange, $metadata }: GetObjectCommandOutput,
  first: number,
  last: number,
): Promise<Uint8Array> {
  if (!(Body instanceof Readable)) throw new Error("the SDK gives streams in Node");
  // All of a short object is the range as well.
  const start = $metadata.httpStatusCode === 206 ? startOf(ContentRange) : 0;
  const pieces: Buffer[] = [];
  let left_bytes = last - first + 1;
  // Leaving it early closes the connection.
  for await (const piece of Body) {
    const bytes: Buffer = piece;
    left_bytes -= bytes.length;
    if (start !== first || left_bytes < 0) {
      throw new BadAnswer("gives other or more bytes of an object than it is asked for");
    }
    pieces.push(bytes);
  }
  return new Uint8Array(Buffer.concat(pieces));
}

function startOf(contentRange: string | undefined): number {
  const start = /^bytes (\d+)-/.exec(contentRange ?? "")?.[1];
  return start === undefined ? -1 : Number(start);
}
