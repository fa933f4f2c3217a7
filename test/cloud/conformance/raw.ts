/** Requests made by hand, where the SDK would not make them: unsigned, badly signed, or seen in detail. */
import { createHash, createHmac } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { SignatureV4 } from "@smithy/signature-v4";
import type { StoreAccess } from "../../../agent/identity/access.ts";

/** A reply, read to its end. */
export interface RawReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** S3 error code in the body, if any. */
  readonly code: string | undefined;
}

/** Sends a request as it is given, on a connection of its own. */
export function request(
  access: StoreAccess,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body: Uint8Array | string = "",
): Promise<RawReply> {
  const { hostname, port } = new URL(access.endpoint);
  const agent = new Agent({ keepAlive: false });
  return new Promise((resolve, reject) => {
    const options = { hostname, port, method, path, headers, ca: access.caPem, agent };
    const asked = httpsRequest(options, (reply) => {
      const pieces: Buffer[] = [];
      reply.on("data", (piece: Buffer) => pieces.push(piece));
      reply.once("error", reject);
      reply.once("end", () => {
        const text = Buffer.concat(pieces).toString();
        const code = /<Code>([^<]*)<\/Code>/.exec(text)?.[1];
        resolve({ status: reply.statusCode ?? 0, headers: reply.headers, text, code });
      });
    });
    asked.once("error", reject);
    asked.end(body);
  });
}

/** A request to be signed. */
export interface Unsigned {
  readonly method: string;
  /** Encoded, without the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** All of them are signed. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** "UNSIGNED-PAYLOAD", or the body's SHA-256 by default. */
  readonly payload?: string;
  /** When it is signed; default now. */
  readonly date?: Date;
}

/** The headers that sign a request, its own among them. */
export async function sign(
  access: StoreAccess,
  unsigned: Unsigned,
): Promise<Record<string, string>> {
  const { method, path, query = {}, body = "", date = new Date() } = unsigned;
  const { hostname, port, protocol } = new URL(access.endpoint);
  const signed = await signer(access).sign(
    {
      ...{ method, path, query: { ...query }, protocol, hostname },
      headers: {
        host: `${hostname}:${port}`,
        "x-amz-content-sha256": unsigned.payload ?? createHash("sha256").update(body).digest("hex"),
        ...unsigned.headers,
      },
    },
    { signingDate: date },
  );
  return signed.headers;
}

/** Signs and sends. */
export async function send(access: StoreAccess, unsigned: Unsigned): Promise<RawReply> {
  const headers = await sign(access, unsigned);
  const { method, path, body, query = {} } = unsigned;
  return request(access, method, target(path, query), headers, body);
}

/**
 * The target (path and query) of a presigned URL, made by the AWS SDK.
 * @param unsigned `path` is /bucket/key, with nothing in it to encode; `note` becomes metadata of a PUT, which
 *   the SDK moves from the headers into the URL.
 */
export async function presign(
  access: StoreAccess,
  unsigned: { method: "GET" | "PUT"; path: string; date?: Date; note?: string },
  lifetime_s: number,
): Promise<string> {
  const [, Bucket = "", ...segments] = unsigned.path.split("/");
  const object = { Bucket, Key: segments.join("/") };
  const client = new S3Client({
    ...{ endpoint: access.endpoint, region: access.region, credentials: access },
    ...{ forcePathStyle: true, requestChecksumCalculation: "WHEN_REQUIRED" },
  });
  const command =
    unsigned.method === "GET"
      ? new GetObjectCommand(object)
      : new PutObjectCommand({ ...object, Metadata: { note: unsigned.note ?? "" } });
  const signingDate = unsigned.date ?? new Date();
  const url = await getSignedUrl(client, command, { expiresIn: lifetime_s, signingDate });
  client.destroy();
  const { pathname, search } = new URL(url);
  return pathname + search;
}

function signer(access: StoreAccess): SignatureV4 {
  const { region, accessKeyId, secretAccessKey } = access;
  return new SignatureV4({
    ...{ service: "s3", region, credentials: { accessKeyId, secretAccessKey } },
    ...{ sha256: Sha256, uriEscapePath: false, applyChecksum: false },
  });
}

function target(path: string, query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  return pairs.length > 0 ? `${path}?${pairs.join("&")}` : path;
}

/** The hash the signer asks for, from Node. */
class Sha256 {
  readonly #hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    if (secret === undefined) this.#hash = createHash("sha256");
    else this.#hash = createHmac("sha256", bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error("the signer takes a new hash each time");
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === "string") return Buffer.from(data);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
