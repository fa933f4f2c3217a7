/** The AWS SDK as owner and as camera, set up so that a test sees every request as it is. */
import { createHash } from "node:crypto";
import { Agent } from "node:https";
import {
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import type { StoreAccess } from "../../../agent/identity/access.ts";
import type { CameraDriver, CameraSession, Outcome } from "./driver.ts";

/**
 * A client that trusts only the store's own authority and never retries. The caller destroys it.
 * It sends Content-MD5 with every body: radosgw asks for it where AWS is content with a checksum.
 */
export function sdkClient(access: StoreAccess, clockOffset_ms = 0): S3Client {
  const client = new S3Client({
    endpoint: access.endpoint,
    region: access.region,
    forcePathStyle: access.pathStyle,
    credentials: access,
    maxAttempts: 1,
    systemClockOffset: clockOffset_ms,
    requestHandler: { httpsAgent: new Agent({ ca: access.caPem, keepAlive: true }) },
  });
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args;
      if (hasBody(request)) {
        request.headers["content-md5"] = createHash("md5").update(request.body).digest("base64");
      }
      return next(args);
    },
    { step: "build", name: "contentMd5", priority: "low" },
  );
  return client;
}

function hasBody(
  request: unknown,
): request is { body: string | Uint8Array; headers: Record<string, string> } {
  if (typeof request !== "object" || request === null || !("body" in request)) return false;
  return typeof request.body === "string" || request.body instanceof Uint8Array;
}

/** What an SDK call ended with: its own status, or that of the S3 error it threw. */
export async function outcomeOf(call: Promise<{ $metadata: Metadata }>): Promise<Outcome> {
  try {
    const { $metadata } = await call;
    return { status: $metadata.httpStatusCode ?? 0, code: undefined };
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error;
    return { status: error.$metadata.httpStatusCode ?? 0, code: error.name };
  }
}

interface Metadata {
  httpStatusCode?: number | undefined;
}

/** The camera's subset, played by the AWS SDK. */
export const sdkDriver: CameraDriver = {
  name: "AWS SDK",
  canOmitIfNoneMatch: true,
  async open(access, options = {}): Promise<CameraSession> {
    const client = sdkClient(access, options.clockOffset_ms);
    const Bucket = access.bucket;
    return {
      put(Key, Body, { ifNoneMatch }) {
        const condition = ifNoneMatch ? { IfNoneMatch: "*" } : {};
        return outcomeOf(client.send(new PutObjectCommand({ Bucket, Key, Body, ...condition })));
      },
      async get(Key) {
        let body: Uint8Array = new Uint8Array();
        const outcome = await outcomeOf(
          client.send(new GetObjectCommand({ Bucket, Key })).then(async (reply) => {
            body = (await reply.Body?.transformToByteArray()) ?? body;
            return reply;
          }),
        );
        return { ...outcome, body };
      },
      async close() {
        client.destroy();
      },
    };
  },
};
