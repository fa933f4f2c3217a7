/**
 * What each S3 operation does, once the request is known to be genuine and allowed.
 * Shapes of requests and replies: the operation's page in the Amazon S3 API reference.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readFileIfAny, replaceFile } from "../files.ts";
import { readClaims } from "./checksums.ts";
import { type CorsRule, formatCors, parseCors } from "./cors.ts";
import { S3Error } from "./errors.ts";
import { type ExpiryRule, formatLifecycle, parseLifecycle } from "./lifecycle.ts";
import { listObjects } from "./list-operation.ts";
import { getObject, putObject } from "./object-operations.ts";
import { type Reply, type Request, readText, type Stores } from "./request.ts";
import type { OperationName } from "./route.ts";
import { childElements, childText, document, readDocument, type XmlElement } from "./xml.ts";

/** Keys one DeleteObjects may name. */
const DELETE_MAX = 1000;

type Operation = (stores: Stores, request: Request) => Promise<Reply>;

/** Does what `request.call` asks for. Throws S3Error for a refusal. */
export function perform(stores: Stores, request: Request): Promise<Reply> {
  return OPERATIONS[request.call.operation](stores, request);
}

/** Life-cycle rules of a bucket; empty where none are set. */
export async function lifecycleRules(stores: Stores, bucket: string): Promise<ExpiryRule[]> {
  const text = await readFileIfAny(rulesFile(stores, bucket, "lifecycle"));
  return text === undefined ? [] : parseLifecycle(text);
}

/** CORS rules of a bucket; empty where none are set. */
export async function corsRules(stores: Stores, bucket: string): Promise<CorsRule[]> {
  const text = await readFileIfAny(rulesFile(stores, bucket, "cors"));
  return text === undefined ? [] : parseCors(text);
}

const OPERATIONS: Record<OperationName, Operation> = {
  PutObject: putObject,
  GetObject: (stores, request) => getObject(stores, request, true),
  HeadObject: (stores, request) => getObject(stores, request, false),
  async DeleteObject({ files }, { call }) {
    await files.delete(call.bucket, call.key);
    return { status: 204 };
  },
  DeleteObjects: deleteObjects,
  ListObjectsV2: listObjects,
  async HeadBucket() {
    return { status: 200 };
  },
  async GetBucketLifecycleConfiguration(stores, { call }) {
    const rules = await lifecycleRules(stores, call.bucket);
    if (rules.length > 0) return { status: 200, body: formatLifecycle(rules) };
    throw new S3Error("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist");
  },
  async PutBucketLifecycleConfiguration(stores, request) {
    const rules = parseLifecycle(await readText(request));
    const file = rulesFile(stores, request.call.bucket, "lifecycle");
    await replaceFile(file, formatLifecycle(rules));
    return { status: 200 };
  },
  async DeleteBucketLifecycle(stores, { call }) {
    await rm(rulesFile(stores, call.bucket, "lifecycle"), { force: true });
    return { status: 204 };
  },
  async GetBucketCors(stores, { call }) {
    const rules = await corsRules(stores, call.bucket);
    if (rules.length > 0) return { status: 200, body: formatCors(rules) };
    throw new S3Error("NoSuchCORSConfiguration", "The CORS configuration does not exist");
  },
  async PutBucketCors(stores, request) {
    const rules = parseCors(await readText(request));
    await replaceFile(rulesFile(stores, request.call.bucket, "cors"), formatCors(rules));
    return { status: 200 };
  },
  async DeleteBucketCors(stores, { call }) {
    await rm(rulesFile(stores, call.bucket, "cors"), { force: true });
    return { status: 204 };
  },
};

async function deleteObjects(stores: Stores, request: Request): Promise<Reply> {
  const claims = readClaims(request.headers, request.bodySha256);
  if (!claims.md5 && claims.checksums.size === 0) {
    throw new S3Error("InvalidRequest", "Missing required header for this request: Content-MD5");
  }
  const root = readDocument(await readText(request), "Delete");
  const quiet = childText(root, "Quiet") === "true";
  const objects = childElements(root, "Object");
  if (objects.length === 0 || objects.length > DELETE_MAX) {
    throw new S3Error("MalformedXML", `Between 1 and ${DELETE_MAX} keys are taken`);
  }
  const deleted: XmlElement[] = [];
  const refused: XmlElement[] = [];
  for (const object of objects) {
    const key = childText(object, "Key") ?? "";
    if (key === "" || Object.keys(object).some((name) => name !== "Key")) {
      throw new S3Error("NotImplemented", "Only a Key tells what to delete here");
    }
    if (request.allowed("s3:DeleteObject", key)) {
      await stores.files.delete(request.call.bucket, key);
      deleted.push({ Key: key });
    } else {
      refused.push({ Key: key, Code: "AccessDenied", Message: "Access Denied" });
    }
  }
  return {
    status: 200,
    body: document("DeleteResult", { Deleted: quiet ? [] : deleted, Error: refused }),
  };
}

function rulesFile(stores: Stores, bucket: string, kind: "lifecycle" | "cors"): string {
  return join(stores.rules, `${bucket}.${kind}.xml`);
}
