/** ListObjectsV2: a page of a bucket's keys. */
import { S3Error } from "./errors.ts";
import { type Listed, walk } from "./listing.ts";
import { type ObjectInfo, readInfoAt } from "./objects.ts";
import type { Reply, Request, Stores } from "./request.ts";
import { document, type XmlElement } from "./xml.ts";

/** Keys in a page at most. */
const PAGE_MAX = 1000;

/** Throws S3Error InvalidArgument or NotImplemented. */
export async function listObjects(stores: Stores, { call, query }: Request): Promise<Reply> {
  if (query.get("list-type") !== "2") {
    throw new S3Error("NotImplemented", "Only list-type=2 is done here");
  }
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  if (delimiter !== "" && delimiter !== "/") {
    throw new S3Error("NotImplemented", 'Only the delimiter "/" is known here');
  }
  const url = query.get("encoding-type") === "url";
  const name = (text: string): string => (url ? encodeURIComponent(text) : text);
  const maxKeys = parseMaxKeys(query.get("max-keys"));
  const token = query.get("continuation-token");
  const after = token === undefined ? (query.get("start-after") ?? "") : decodeToken(token);
  const { listed, isTruncated } = await page(
    walk(stores.files.bucketDirectory(call.bucket), { prefix, after, grouped: delimiter !== "" }),
    maxKeys,
  );
  const contents: XmlElement[] = [];
  for (const entry of listed) {
    const info = "path" in entry ? await readInfoAt(entry.path) : undefined;
    // Without info it was deleted since it was listed.
    if ("path" in entry && info) contents.push(describeListed(name(entry.key), info));
  }
  const prefixes = listed.flatMap((entry) =>
    "commonPrefix" in entry ? [{ Prefix: name(entry.commonPrefix) }] : [],
  );
  const end = listed.at(-1);
  return {
    status: 200,
    body: document("ListBucketResult", {
      Name: call.bucket,
      Prefix: name(prefix),
      Delimiter: delimiter === "" ? undefined : name(delimiter),
      StartAfter: query.has("start-after") ? name(query.get("start-after") ?? "") : undefined,
      EncodingType: url ? "url" : undefined,
      KeyCount: contents.length + prefixes.length,
      MaxKeys: maxKeys,
      IsTruncated: isTruncated,
      ContinuationToken: token,
      NextContinuationToken: isTruncated && end ? encodeToken(end) : undefined,
      Contents: contents,
      CommonPrefixes: prefixes,
    }),
  };
}

/** Takes up to `maxKeys` entries and finds out whether there are more. */
async function page(
  walked: AsyncIterable<Listed>,
  maxKeys: number,
): Promise<{ listed: Listed[]; isTruncated: boolean }> {
  const listed: Listed[] = [];
  if (maxKeys === 0) return { listed, isTruncated: false };
  for await (const entry of walked) {
    if (listed.length === maxKeys) return { listed, isTruncated: true };
    listed.push(entry);
  }
  return { listed, isTruncated: false };
}

function describeListed(key: string, info: ObjectInfo): XmlElement {
  return {
    Key: key,
    LastModified: new Date(info.modified_ms).toISOString(),
    ETag: `"${info.etag}"`,
    Size: info.size_bytes,
    StorageClass: "STANDARD",
  };
}

function parseMaxKeys(text = String(PAGE_MAX)): number {
  if (!/^\d{1,9}$/.test(text)) throw new S3Error("InvalidArgument", "max-keys is not a number");
  return Math.min(Number(text), PAGE_MAX);
}

/** A continuation token is the last entry told, in base64url; clients take it as opaque. */
function encodeToken(entry: Listed): string {
  return Buffer.from("key" in entry ? entry.key : entry.commonPrefix).toString("base64url");
}

function decodeToken(token: string): string {
  const bytes = Buffer.from(token, "base64url");
  if (token === "" || bytes.toString("base64url") !== token) {
    throw new S3Error("InvalidArgument", "The continuation token provided is incorrect");
  }
  return bytes.toString();
}
