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
