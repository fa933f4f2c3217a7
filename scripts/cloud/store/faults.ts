/**
 * Trouble on demand, for tests of whoever talks to the store: set a hook in this process and the store
 * fails as told. There is no hook by default, and no way to set one over the network.
 */
import { setTimeout as sleep } from "node:timers/promises";

/** What a hook may decide by. */
export interface RequestInfo {
  readonly method: string;
  readonly bucket: string;
  /** "" where the request is about the bucket. */
  readonly key: string;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  /** 1 for the first request with this method and key since the store was made, then 2 … */
  readonly attempt: number;
  /** The connection's number, as in the log. */
  readonly connection: number;
}

/** An answer given instead of doing the work. */
export interface FaultReply {
  readonly status: number;
  /** S3 error code of the XML body; without it `body` is sent as it is. */
  readonly code?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Answer before the request's body was read; default false. */
  readonly early?: boolean;
}

/** How one request goes wrong; several may be set at once. */
export interface Fault {
  /** Wait this long before anything is done. */
  readonly delay_ms?: number;
  readonly reply?: FaultReply;
  /** Close the connection once so many bytes of the request's body were read; 0 closes at once. */
  readonly cutRequestAt_bytes?: number;
  /** Read the request's body no faster than this. */
  readonly readRate_bytes_s?: number;
  /** Do the work, then close the connection instead of answering: the client cannot know its end. */
  readonly loseReply?: boolean;
  /** Close the connection after so many bytes of the reply's body. */
  readonly cutReplyAt_bytes?: number;
  /** Change the reply's body; must keep its length, since the headers are already written. */
  readonly alterReply?: (bytes: Buffer, offset: number) => Buffer;
}

/** Asked once a request, before its signature is looked at; undefined lets it pass. */
export type FaultHook = (request: RequestInfo) => Fault | undefined;

/** A request's body as the fault lets it be read, while the store is up. `cut` closes the connection and does not return. */
export async function* faultyBody(
  body: AsyncIterable<Uint8Array>,
  fault: Fault,
  cut: () => never,
  up: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const limit = fault.cutRequestAt_bytes ?? Number.POSITIVE_INFINITY;
  let seen_bytes = 0;
  if (limit === 0) cut();
  for await (const bytes of body) {
    seen_bytes += bytes.length;
    if (seen_bytes >= limit) cut();
    const { readRate_bytes_s } = fault;
    if (readRate_bytes_s)
      await sleep((bytes.length / readRate_bytes_s) * 1000, undefined, { signal: up });
    yield bytes;
  }
}

/** A reply's body as the fault sends it. */
export async function* faultyReply(
  body: AsyncIterable<Buffer>,
  fault: Fault,
  cut: () => never,
): AsyncGenerator<Buffer> {
  const limit = fault.cutReplyAt_bytes ?? Number.POSITIVE_INFINITY;
  let sent_bytes = 0;
  for await (const piece of body) {
    const bytes = fault.alterReply ? fault.alterReply(piece, sent_bytes) : piece;
    if (sent_bytes + bytes.length >= limit) {
      yield bytes.subarray(0, limit - sent_bytes);
      cut();
    }
    sent_bytes += bytes.length;
    yield bytes;
  }
}
