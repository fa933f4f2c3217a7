/**
 * One S3-compatible store: which request to send for an object, signed. Sends nothing twice; what to do with an answer is
 * verdict.ts's.
 */

import type { StoreAccess } from "../identity/access.ts";
import { parseOrigin } from "../identity/origin.ts";
import type { Native, Segment } from "../runtime/native.d.ts";
import { type HttpAnswer, HttpClient, type HttpEvents, type HttpFailure } from "./http.ts";
import { encodePath, signRequest, UNSIGNED_PAYLOAD } from "./sigv4.ts";

/** An attempt gets this long and what its bytes need at the slowest rate worth waiting for. */
export const ATTEMPT_MS = 30_000;
const SLOWEST_BYTES_A_SECOND = 16_384;
const ATTEMPT_CAP_MS = 300_000;

/** Longest an attempt to send `bytes` may take. */
export function attemptMs(bytes: number): number {
  return Math.min(ATTEMPT_CAP_MS, ATTEMPT_MS + Math.ceil((bytes * 1000) / SLOWEST_BYTES_A_SECOND));
}

export class S3 {
  readonly access: StoreAccess;
  readonly #native: Native;
  readonly #client: HttpClient;
  readonly #host: string;
  readonly #base: string;

  /** Throws for an endpoint that `mistakeInStore` would refuse. */
  constructor(native: Native, access: StoreAccess, events: HttpEvents) {
    const origin = parseOrigin(access.endpoint, "https", 443);
    if (origin === null) throw new Error("store endpoint is malformed");
    this.access = access;
    this.#native = native;
    const host = access.pathStyle ? origin.host : `${access.bucket}.${origin.host}`;
    this.#client = new HttpClient(native, { ...origin, host, caPem: access.caPem }, events);
    const named = host.includes(":") ? `[${host}]` : host;
    this.#host = origin.port === 443 ? named : `${named}:${origin.port}`;
    this.#base = access.pathStyle ? `/${encodePath(access.bucket)}` : "";
  }

  /** Bytes on the wire so far, TLS included. */
  get wireBytes(): { readonly in: number; readonly out: number } {
    return this.#client.wireBytes;
  }

  /**
   * Puts an object that must not exist yet. `body`: a sealed segment, or at most 32,768 bytes. @param wallUs what to sign
   * with.
   */
  put(name: string, body: Segment | Uint8Array, wallUs: number): Promise<HttpAnswer | HttpFailure> {
    const bytes = body instanceof Uint8Array ? body.length : body.objectBytes;
    const headers: [string, string][] = [
      ["content-type", "application/octet-stream"],
      ["if-none-match", "*"],
    ];
    return this.#send("PUT", `/${encodePath(name)}`, headers, body, wallUs, attemptMs(bytes));
  }

  /** Reads `first`..`last` (inclusive) of an object, at most 65,536 bytes; 206 with the bytes, or 200 with all. */
  get(
    name: string,
    range: { readonly first: number; readonly last: number },
    wallUs: number,
  ): Promise<HttpAnswer | HttpFailure> {
    const headers: [string, string][] = [["range", `bytes=${range.first}-${range.last}`]];
    return this.#send("GET", `/${encodePath(name)}`, headers, null, wallUs, attemptMs(65_536));
  }

  /** Asks for nothing but the time: whatever the answer, it carries a Date. */
  probe(wallUs: number): Promise<HttpAnswer | HttpFailure> {
    return this.#send("HEAD", "", [], null, wallUs, ATTEMPT_MS);
  }

  /** Drops the connection; a request under way fails with `stopped`. */
  close(): void {
    this.#client.close();
  }

  #send(
    method: "PUT" | "GET" | "HEAD",
    name: string,
    headers: readonly (readonly [string, string])[],
    body: Segment | Uint8Array | null,
    wallUs: number,
    deadlineMs: number,
  ): Promise<HttpAnswer | HttpFailure> {
    const path = `${this.#base}${name}` || "/";
    const host = this.#host;
    const unsigned = { method, host, path, headers, payloadHash: UNSIGNED_PAYLOAD };
    const signed = signRequest(this.#native, this.access, unsigned, wallUs);
    return this.#client.request({ method, path, headers: signed, body }, deadlineMs);
  }
}
