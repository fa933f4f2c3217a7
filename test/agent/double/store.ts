/**
 * An S3-compatible store on the double's network: keeps objects, refuses overwriting, and judges the requests' time by its
 * own clock. What it answers can be replaced request by request. It does not check signatures: sigv4.test.ts does.
 */
import type { Network, ServerScript, ServerSide } from "./network.ts";

export interface StoreRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export interface StoreAnswer {
  readonly status: number;
  readonly code?: string;
  readonly headers?: Record<string, string>;
  /** Instead of the XML made of `code`. */
  readonly body?: string;
  /** Send nothing and close the connection. */
  readonly hangUp?: boolean;
  /** Never answer. */
  readonly silent?: boolean;
  /** Close after the answer, telling so. */
  readonly close?: boolean;
}

export interface StoreOptions {
  readonly host?: string;
  readonly port?: number;
  readonly bucket?: string;
  /** Wall clock of the store, seconds since 1970 UTC, for a monotonic time of the camera. */
  readonly wallS: () => number;
}

const SKEW_S = 15 * 60;

export class DoubleStore {
  readonly objects = new Map<string, Uint8Array>();
  readonly requests: StoreRequest[] = [];
  /** Answers instead of the store where it returns something; set by tests. */
  answer: (request: StoreRequest) => StoreAnswer | null = () => null;
  /** Sees a request after the store has acted on it; may change the answer (to lose it, say). */
  after: (request: StoreRequest, answer: StoreAnswer) => StoreAnswer = (_request, answer) => answer;
  /** A connection has opened; set by tests. */
  accepted: (peer: ServerSide) => void = () => {};
  connections = 0;
  /** The newest connection, to make trouble with. */
  peer: ServerSide | null = null;
  readonly #network: Network;
  readonly #options: Required<StoreOptions>;

  constructor(network: Network, options: StoreOptions) {
    this.#network = network;
    this.#options = { host: "store.test", port: 443, bucket: "footage", ...options };
    this.listen({});
  }

  /** Serves; `script` may add a certificate or failures. */
  listen(script: Omit<ServerScript, "accept">): void {
    const { host, port } = this.#options;
    this.#network.serve(host, port, { ...script, accept: (peer) => this.#accept(peer) });
  }

  /** Names of what is kept, without the bucket, in the order in which it was put. */
  get names(): string[] {
    return [...this.objects.keys()];
  }

  #accept(peer: ServerSide): void {
    this.connections += 1;
    this.peer = peer;
    this.accepted(peer);
    let waiting = Buffer.alloc(0);
    peer.onData = (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      for (;;) {
        const request = takeRequest(waiting);
        if (request === null) return;
        waiting = waiting.subarray(request.bytes);
        this.#serve(peer, request.request);
      }
    };
  }

  #serve(peer: ServerSide, request: StoreRequest): void {
    this.requests.push(request);
    const answer = this.after(request, this.answer(request) ?? this.#act(request));
    if (answer.silent) return;
    if (answer.hangUp) {
      peer.end();
      return;
    }
    const xml = answer.code
      ? `<?xml version="1.0"?><Error><Code>${answer.code}</Code></Error>`
      : "";
    const body = answer.body ?? xml;
    const headers: Record<string, string> = {
      date: new Date(this.#options.wallS() * 1000).toUTCString(),
      "content-length": `${Buffer.byteLength(body)}`,
      ...(answer.close ? { connection: "close" } : {}),
      ...answer.headers,
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `HTTP/1.1 ${answer.status} Whatever\r\n${lines.join("")}\r\n`;
    peer.write(new Uint8Array(Buffer.from(head + (request.method === "HEAD" ? "" : body))));
    if (answer.close) peer.end();
  }

  #act(request: StoreRequest): StoreAnswer {
    const { bucket } = this.#options;
    const signedS = amzSeconds(request.headers.get("x-amz-date") ?? "");
    if (Math.abs(signedS - this.#options.wallS()) > SKEW_S)
      return { status: 403, code: "RequestTimeTooSkewed" };
    if (!request.headers.get("authorization")?.startsWith("AWS4-HMAC-SHA256 "))
      return { status: 403, code: "AccessDenied" };
    if (request.path !== `/${bucket}` && !request.path.startsWith(`/${bucket}/`))
      return { status: 404, code: "NoSuchBucket" };
    const name = decodeURIComponent(request.path.slice(bucket.length + 2));
    if (request.method !== "PUT") return { status: 403, code: "AccessDenied" };
    if (this.objects.has(name) && request.headers.get("if-none-match") === "*")
      return { status: 412, code: "PreconditionFailed" };
    this.objects.set(name, request.body);
    return { status: 200, headers: { etag: '"x"' } };
  }
}

function amzSeconds(text: string): number {
  const iso = text.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/, "$1-$2-$3T$4:$5:$6Z");
  return Date.parse(iso) / 1000;
}

function takeRequest(bytes: Buffer): { request: StoreRequest; bytes: number } | null {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const [method = "", path = ""] = first.split(" ");
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const length = Number(headers.get("content-length") ?? 0);
  const bodyAt = end + 4;
  if (bytes.length < bodyAt + length) return null;
  const body = new Uint8Array(bytes.subarray(bodyAt, bodyAt + length));
  return { request: { method, path, headers, body }, bytes: bodyAt + length };
}
