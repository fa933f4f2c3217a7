/**
 * The owner's side of the object store: list, fetch (by range), put. Any S3-compatible store serves.
 */
import { Agent } from "node:https";
import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import type { StoreAccess } from "../../agent/identity/access.ts";
import { errorCode, Problem } from "../build/problem.mjs";
import { BadAnswer, bounded, byBytes, decoded, pages, rangeOf } from "./answers.ts";

// It tells every user of Node 20 to upgrade; which Node this checkout needs is ours to say.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

/** An object as a listing tells it. */
export interface Listed {
  readonly name: string;
  readonly size_bytes: number;
  /** When it was put, as the store dates it, microseconds since 1970 UTC; null where it does not say. */
  readonly put_us: number | null;
}

/** Names of one level; each ends with "/". In order. */
export interface Folders {
  readonly names: readonly string[];
  /** There are more than FOLDERS_MAX, and these are but the first of them. */
  readonly cut: boolean;
}

/** A store. The holder closes it. Every method throws Problem where the store is out of reach or refuses. */
export interface Store {
  /** The first `max` (at most 1,000) objects whose names start with `prefix` and come after `after`, in order. */
  list(prefix: string, after?: string, max?: number): Promise<Listed[]>;
  /** The next level of names under `prefix`, which ends with "/". */
  folders(prefix: string): Promise<Folders>;
  /**
   * A whole object, or its bytes `first` to `last`; a range past the end gives what there is. `null` where there is none, or
   * one that the store hands out to nobody, or not so: archived, or encrypted with a key that whoever put it has.
   */
  get(name: string, first?: number, last?: number): Promise<Uint8Array | null>;
  /** Puts an object unless one of that name is there. */
  putNew(name: string, bytes: Uint8Array): Promise<"put" | "exists">;
  /** Puts without any condition. "refused": the store's policy forbids that. */
  put(name: string, bytes: Uint8Array): Promise<"put" | "refused">;
  remove(name: string): Promise<void>;
  close(): void;
}

/**
 * Errors that are about one object only, not about the store or our access: it lies in an archive class, or was encrypted with
 * a customer's or a KMS key. Whoever may put can put such objects, and must not keep the owner from the others by that.
 */
const WITHHELD = /^(InvalidObjectState|InvalidRequest|KMS\.)/;

/**
 * Looked at of one level, such as a camera's boots: one that starts every five minutes makes as many in a year. Whoever may
 * put can make any number of others.
 */
export const FOLDERS_MAX = 100_000;
const ATTEMPTS = 3;
const SOCKETS = 16;

/** How long a store may take with one request; most are made three times before they are given up. */
export interface Patience {
  /** From the request to the head of its answer. */
  readonly answer_ms: number;
  /** Without a byte in either direction. */
  readonly idle_ms: number;
}

const PATIENCE: Patience = { answer_ms: 60_000, idle_ms: 60_000 };

/** Opens a store. Nothing is asked of it yet. */
export function openStore(access: StoreAccess, patience = PATIENCE): Store {
  const { accessKeyId, secretAccessKey, sessionToken, caPem } = access;
  const client = new S3Client({
    endpoint: access.endpoint,
    region: access.region,
    forcePathStyle: access.pathStyle,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) },
    maxAttempts: ATTEMPTS,
    // Not every S3-compatible store knows the newer checksums.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      httpsAgent: new Agent({
        keepAlive: true,
        maxSockets: SOCKETS,
        ...(caPem ? { ca: caPem } : {}),
      }),
      connectionTimeout: 10_000,
      requestTimeout: patience.answer_ms,
      // Else the SDK only warns, and waits on.
      throwOnRequestTimeout: true,
      socketTimeout: patience.idle_ms,
    },
  });
  // Between the connection and the SDK, which reads all but objects to their ends at once.
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args);
        const { response } = result;
        if (isResponse(response)) {
          const isObject = commandName === "GetObjectCommand" && response.statusCode < 300;
          if (!isObject) response.body = bounded(response.body);
        }
        return result;
      },
    { step: "deserialize", priority: "low", name: "boundedAnswers" },
  );
  const Bucket = access.bucket;
  const told = (error: unknown) => storeProblem(error, access);

  async function attempt<T>(work: () => Promise<T>): Promise<T> {
    return work().catch((error: unknown) => {
      throw told(error);
    });
  }

  const page = (input: Omit<ListObjectsV2CommandInput, "Bucket" | "EncodingType">) =>
    client.send(new ListObjectsV2Command({ Bucket, EncodingType: "url", ...input }));

  return {
    async list(prefix, after, max = 1000) {
      const listed: Listed[] = [];
      const ask = (ContinuationToken: string | undefined) =>
        page({
          Prefix: prefix,
          MaxKeys: max - listed.length,
          StartAfter: after,
          ContinuationToken,
        });
      return attempt(async () => {
        for await (const { Contents = [], EncodingType } of pages(ask, () => listed.length)) {
          for (const { Key = "", Size = 0, LastModified } of Contents) {
            const put_us = LastModified ? LastModified.getTime() * 1000 : null;
            listed.push({ name: decoded(Key, EncodingType), size_bytes: Size, put_us });
          }
          // A store may give fewer than it was asked for.
          if (listed.length >= max) break;
        }
        return listed;
      });
    },
    async folders(prefix) {
      const names: string[] = [];
      const ask = (ContinuationToken: string | undefined) =>
        page({ Prefix: prefix, Delimiter: "/", ContinuationToken });
      return attempt(async () => {
        for await (const { CommonPrefixes = [], EncodingType } of pages(ask, () => names.length)) {
          for (const { Prefix = "" } of CommonPrefixes) {
            const name = decoded(Prefix, EncodingType);
            if (!name.startsWith(prefix) || byBytes(name, names.at(-1) ?? "") <= 0) {
              throw new BadAnswer(`lists ${name} out of order`);
            }
            names.push(name);
          }
          if (names.length > FOLDERS_MAX) return { names: names.slice(0, FOLDERS_MAX), cut: true };
        }
        return { names, cut: false };
      });
    },
    async get(name, first, last) {
      const Range = first === undefined ? undefined : `bytes=${first}-${last ?? ""}`;
      try {
        const answer = await client.send(new GetObjectCommand({ Bucket, Key: name, Range }));
        return await rangeOf(answer, first ?? 0, last ?? Number.MAX_SAFE_INTEGER);
      } catch (error) {
        if (statusOf(error) === 404 && nameOf(error) !== "NoSuchBucket") return null;
        // An empty object has no first byte.
        if (statusOf(error) === 416) return new Uint8Array();
        if (WITHHELD.test(nameOf(error) ?? "")) return null;
        throw told(error);
      }
    },
    async putNew(name, Body) {
      try {
        await client.send(new PutObjectCommand({ Bucket, Key: name, Body, IfNoneMatch: "*" }));
        return "put";
      } catch (error) {
        if (statusOf(error) === 412) return "exists";
        throw told(error);
      }
    },
    async put(name, Body) {
      try {
        await client.send(new PutObjectCommand({ Bucket, Key: name, Body }));
        return "put";
      } catch (error) {
        if (statusOf(error) === 403 || statusOf(error) === 412) return "refused";
        throw told(error);
      }
    },
    async remove(name) {
      await attempt(() => client.send(new DeleteObjectCommand({ Bucket, Key: name })));
    },
    close: () => client.destroy(),
  };
}

/** What the SDK's middleware passes on untyped. */
function isResponse(response: unknown): response is { statusCode: number; body: Readable } {
  return (
    typeof response === "object" &&
    response !== null &&
    "statusCode" in response &&
    "body" in response &&
    response.body instanceof Readable
  );
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

function nameOf(error: unknown): string | undefined {
  return error instanceof Error ? error.name : undefined;
}

/** What went wrong, in a sentence; a defect of ours passes unchanged. */
function storeProblem(error: unknown, { endpoint, bucket }: StoreAccess): unknown {
  if (error instanceof Problem) return error;
  if (error instanceof BadAnswer) {
    return new Problem(
      `the store ${endpoint} ${error.message}; it cannot be relied on, so use another.`,
    );
  }
  const status = statusOf(error);
  if (nameOf(error) === "NoSuchBucket") {
    return new Problem(
      `the store ${endpoint} has no bucket ${bucket}; make it, or correct the access.`,
    );
  }
  if (status === 401 || status === 403) {
    return new Problem(
      `the store ${endpoint} refuses these credentials (${nameOf(error)}); check them and the bucket's policy.`,
    );
  }
  if (status !== undefined) {
    return new Problem(
      `the store ${endpoint} answered ${status} (${nameOf(error)}); try again later.`,
    );
  }
  if (nameOf(error) === "TimeoutError") {
    return new Problem(
      `the store ${endpoint} did not answer in time; check that it runs and try again.`,
    );
  }
  const code = errorCode(error);
  if (code !== undefined) {
    return new Problem(
      `the store ${endpoint} cannot be reached (${code}); check that it runs and try again.`,
    );
  }
  return error;
}
