/**
 * The embedded S3-compatible store: an HTTPS server over a directory.
 *
 * A store of our own rather than a front before another: what cameras and owners need of S3 is small
 * (thirteen operations), and all that makes it worth having is what an existing development store lacks:
 * signatures, policies, conditional puts, life-cycle (s3rver 3.7.1 accepts any secret and anonymous requests,
 * and overwrites; measured). A front would do all of that too, and still need something behind it.
 *
 * Order of checks: fault hook (tests) → signature → operation → bucket → policy → the operation's own.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { KeyedCertificate } from "../ca.ts";
import type { PolicyDocument } from "../policy.ts";
import { allows } from "../policy-check.ts";
import { listenTrouble } from "../system.ts";
import { corsHeaders } from "./cors.ts";
import { errorBody, S3Error } from "./errors.ts";
import { type Fault, type FaultHook, faultyBody, faultyReply } from "./faults.ts";
import { sweep } from "./lifecycle.ts";
import { RequestLog } from "./log.ts";
import { ObjectFiles } from "./objects.ts";
import { corsRules, lifecycleRules, perform } from "./operations.ts";
import type { Reply, Request, Stores } from "./request.ts";
import {
  type Call,
  effectiveHeaders,
  parseTarget,
  route,
  splitPath,
  type Target,
} from "./route.ts";
import { verify } from "./sigv4.ts";

/** One key pair and what it may do. */
export interface StoreAccount {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly policy: PolicyDocument;
}

/** Who there is; asked at every request, so a change counts at once. */
export interface Accounts {
  find(accessKeyId: string): StoreAccount | undefined;
  /** Names of the buckets there are. */
  buckets(): readonly string[];
}

/** What a store is made from. */
export interface StoreOptions {
  /** Existing private directory, used by this store alone. */
  readonly directory: string;
  /** Address to listen on. */
  readonly bind: string;
  /** 0 takes a free one at the first start, and keeps it. */
  readonly port: number;
  readonly region: string;
  readonly certificate: KeyedCertificate;
  readonly accounts: Accounts;
  /** The store's clock, milliseconds since 1970. */
  readonly now_ms: () => number;
  /** Bound on one object. */
  readonly objectMax_bytes: number;
  /** How often the life-cycle rules are executed. */
  readonly sweepEvery_ms: number;
}

/** What has come out of one request so far, for the log. */
interface Progress {
  bucket: string;
  key: string;
  operation: Call["operation"] | undefined;
  accessKeyId: string | undefined;
  code: string | undefined;
  body_bytes: number;
  /** The client waits for "100 Continue" before it sends the body. */
  awaitsContinue: boolean;
}

/** The connection was closed on purpose; there is nobody to answer. */
class ConnectionCut extends Error {}

/** A running store. */
export class StoreServer {
  /** For tests: makes requests fail. */
  faults: FaultHook | undefined;
  readonly log = new RequestLog();
  readonly #options: StoreOptions;
  readonly #stores: Stores;
  readonly #sockets = new Set<Socket>();
  readonly #attempts = new Map<string, number>();
  #certificate: KeyedCertificate;
  #port: number;
  #server: Server | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: StoreOptions, stores: Stores) {
    this.#options = options;
    this.#stores = stores;
    this.#certificate = options.certificate;
    this.#port = options.port;
  }

  /** Opens the directory and listens. Throws Problem where the port or address cannot be had. */
  static async start(options: StoreOptions): Promise<StoreServer> {
    const { directory: rules, objectMax_bytes } = options;
    const files = await ObjectFiles.open(rules);
    const store = new StoreServer(options, { files, rules, objectMax_bytes });
    await store.start();
    return store;
  }

  /** The port it listens on, or will again after `stop`. */
  get port(): number {
    return this.#port;
  }

  /** Listens again after `stop`, on the same port. */
  async start(): Promise<void> {
    if (this.#server) return;
    const server = createServer({
      cert: this.#certificate.certPem,
      key: this.#certificate.keyPem,
      minVersion: "TLSv1.2",
      // The client's order counts: a camera without AES instructions puts ChaCha20 first.
      honorCipherOrder: false,
      keepAliveTimeout: 60_000,
    });
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      this.log.accepted(socket);
    });
    server.on("secureConnection", (socket) => this.log.secured(socket));
    server.on("request", (request, response) => void this.#serve(request, response, false));
    server.on("checkContinue", (request, response) => void this.#serve(request, response, true));
    await listen(server, this.#port, this.#options.bind);
    const address: AddressInfo | string | null = server.address();
    if (address === null || typeof address === "string") throw new Error("listening on no port");
    this.#port = address.port;
    this.#server = server;
    const sweep = () => void this.sweep().catch(defect);
    this.#timer = setInterval(sweep, this.#options.sweepEvery_ms).unref();
  }

  /** Stops listening and closes every connection, as a store that is down. What is stored stays. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    clearInterval(this.#timer);
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Uses another certificate from the next handshake on. Sessions of the old one are not resumed. */
  setCertificate(certificate: KeyedCertificate): void {
    this.#certificate = certificate;
    this.#server?.setSecureContext({
      cert: certificate.certPem,
      key: certificate.keyPem,
      minVersion: "TLSv1.2",
      honorCipherOrder: false,
    });
  }

  /**
   * Executes the life-cycle rules now; also done by itself (`sweepEvery_ms`).
   * @returns what was deleted, as "bucket/key".
   */
  async sweep(): Promise<string[]> {
    const deleted: string[] = [];
    for (const bucket of this.#options.accounts.buckets()) {
      const rules = await lifecycleRules(this.#stores, bucket);
      const keys = await sweep(this.#stores.files, bucket, rules, this.#options.now_ms());
      deleted.push(...keys.map((key) => `${bucket}/${key}`));
    }
    return deleted;
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    awaitsContinue: boolean,
  ): Promise<void> {
    const progress: Progress = {
      ...{ bucket: "", key: "", operation: undefined, accessKeyId: undefined, code: undefined },
      ...{ body_bytes: 0, awaitsContinue },
    };
    this.#logWhenOver(request, response, progress);
    const headers = headerMap(request);
    const requestId = randomBytes(8).toString("hex").toUpperCase();
    response.setHeader("date", new Date(this.#options.now_ms()).toUTCString());
    response.setHeader("x-amz-request-id", requestId);
    const cut = (): never => {
      request.socket.destroy();
      throw new ConnectionCut();
    };
    let fault: Fault = {};
    let reply: Reply;
    try {
      const target = parseTarget(request.url ?? "");
      Object.assign(progress, splitPath(target.path));
      fault = this.#fault(request, headers, progress);
      if (fault.delay_ms) await sleep(fault.delay_ms);
      const body = this.#body(request, response, progress, fault, cut);
      await this.#allowOrigin(request, response, headers, progress.bucket);
      reply =
        fault.reply || request.method === "OPTIONS"
          ? await this.#replyWithoutWork(fault, body, progress)
          : await this.#work(request, headers, target, body, progress);
      if (fault.loseReply) {
        if (typeof reply.body === "object") reply.body.destroy();
        cut();
      }
    } catch (error) {
      if (error instanceof ConnectionCut || request.socket.destroyed) return;
      const refusal = error instanceof S3Error ? error : defect(error);
      progress.code = refusal.code;
      const resource = `/${progress.bucket}/${progress.key}`;
      reply = {
        status: refusal.status,
        body: errorBody(refusal.code, refusal.message, resource, requestId),
      };
    }
    try {
      await send(response, reply, request.method === "HEAD", fault, cut);
    } catch (error) {
      // Closed by the client or by a fault while the reply was on its way: the log has it as unanswered.
      if (!(error instanceof ConnectionCut) && !request.socket.destroyed) throw error;
    }
  }

  /** Signature, operation, bucket, policy; then the operation. */
  async #work(
    request: IncomingMessage,
    headers: ReadonlyMap<string, string>,
    target: Target,
    body: AsyncIterable<Uint8Array>,
    progress: Progress,
  ): Promise<Reply> {
    const { accounts, region } = this.#options;
    const now_ms = this.#options.now_ms();
    const method = request.method ?? "";
    const { accessKeyId, bodySha256 } = verify(
      { method, path: target.path, query: target.query, headers },
      { region, now_ms, secretOf: (id) => accounts.find(id)?.secretAccessKey },
    );
    progress.accessKeyId = accessKeyId;
    const call = route(method, target);
    progress.operation = call.operation;
    if (!accounts.buckets().includes(call.bucket)) {
      throw new S3Error("NoSuchBucket", "The specified bucket does not exist");
    }
    const ifNoneMatch = headers.get("if-none-match");
    const context: Record<string, string> =
      ifNoneMatch === undefined ? {} : { "s3:if-none-match": ifNoneMatch };
    const allowed: Request["allowed"] = (action, key) => {
      const account = accounts.find(accessKeyId);
      const resource = `arn:aws:s3:::${call.bucket}${key === "" ? "" : `/${key}`}`;
      return account !== undefined && allows(account.policy, { action, resource, context });
    };
    // DeleteObjects asks key by key.
    if (call.operation !== "DeleteObjects" && !allowed(call.action, call.key)) {
      throw new S3Error("AccessDenied", "Access Denied");
    }
    const query = new Map(target.query);
    return perform(this.#stores, {
      ...{ call, query, body, bodySha256, allowed, now_ms },
      headers: effectiveHeaders(headers, target),
    });
  }

  /** A fault's own answer, or a preflight's (whose headers are set already). */
  async #replyWithoutWork(
    fault: Fault,
    body: AsyncIterable<Uint8Array>,
    progress: Progress,
  ): Promise<Reply> {
    const { reply } = fault;
    if (!reply) return { status: 200 };
    if (!reply.early) for await (const _ of body);
    progress.code = reply.code;
    const text =
      reply.code === undefined
        ? reply.body
        : errorBody(reply.code, "A fault set by a test", "", "0");
    return { status: reply.status, headers: reply.headers ?? {}, ...(text ? { body: text } : {}) };
  }

  /** Adds CORS headers where the bucket's rules allow; throws AccessForbidden for a preflight they do not. */
  async #allowOrigin(
    request: IncomingMessage,
    response: ServerResponse,
    headers: ReadonlyMap<string, string>,
    bucket: string,
  ): Promise<void> {
    const preflight = request.method === "OPTIONS";
    const origin = headers.get("origin");
    if (origin !== undefined && this.#options.accounts.buckets().includes(bucket)) {
      const asked = headers.get("access-control-request-headers") ?? "";
      const found = corsHeaders(await corsRules(this.#stores, bucket), {
        origin,
        method: (preflight ? headers.get("access-control-request-method") : request.method) ?? "",
        headers: preflight
          ? asked
              .toLowerCase()
              .split(/[\s,]+/)
              .filter(Boolean)
          : [],
      });
      for (const [name, value] of Object.entries(found ?? {})) response.setHeader(name, value);
      if (found) return;
    }
    if (preflight) throw new S3Error("AccessForbidden", "This CORS request is not allowed.");
  }

  #fault(
    request: IncomingMessage,
    headers: ReadonlyMap<string, string>,
    { bucket, key }: Progress,
  ): Fault {
    if (!this.faults) {
      this.#attempts.clear();
      return {};
    }
    const method = request.method ?? "";
    const name = `${method} ${bucket}/${key}`;
    const attempt = (this.#attempts.get(name) ?? 0) + 1;
    this.#attempts.set(name, attempt);
    const connection = this.log.connectionOf(request.socket);
    return this.faults({ method, bucket, key, headers, attempt, connection }) ?? {};
  }

  async *#body(
    request: IncomingMessage,
    response: ServerResponse,
    progress: Progress,
    fault: Fault,
    cut: () => never,
  ): AsyncGenerator<Uint8Array> {
    if (progress.awaitsContinue) response.writeContinue();
    progress.awaitsContinue = false;
    // Left open where reading ends early: the refusal must still reach the client.
    const pieces: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
    for await (const bytes of faultyBody(pieces, fault, cut)) {
      progress.body_bytes += bytes.length;
      yield bytes;
    }
  }

  #logWhenOver(request: IncomingMessage, response: ServerResponse, progress: Progress): void {
    const at_ms = Date.now();
    response.once("close", () => {
      this.log.add({
        at_ms,
        duration_ms: Date.now() - at_ms,
        method: request.method ?? "",
        bucket: progress.bucket,
        key: progress.key,
        operation: progress.operation,
        accessKeyId: progress.accessKeyId,
        status: response.headersSent ? response.statusCode : 0,
        code: progress.code,
        answered: response.writableFinished,
        bodyIn_bytes: progress.body_bytes,
        ...this.log.share(request.socket),
      });
    });
  }
}

async function send(
  response: ServerResponse,
  reply: Reply,
  isHead: boolean,
  fault: Fault,
  cut: () => never,
): Promise<void> {
  response.statusCode = reply.status;
  const { body } = reply;
  if (typeof body === "string") {
    response.setHeader("content-type", "application/xml");
    response.setHeader("content-length", Buffer.byteLength(body));
  } else if (body === undefined && !isHead && reply.status !== 204 && reply.status !== 304) {
    response.setHeader("content-length", 0);
  }
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (body === undefined || isHead) {
    response.end();
    return;
  }
  const pieces = typeof body === "string" ? once(Buffer.from(body)) : body;
  await pipeline(faultyReply(pieces, fault, cut), response);
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** Says what went wrong where the developer sees it; the client is told only that something did. */
function defect(error: unknown): S3Error {
  console.error("ocellus cloud: the store failed:", error);
  return new S3Error("InternalError", "We encountered an internal error. Please try again.");
}

function headerMap(request: IncomingMessage): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(",") : value);
  }
  return headers;
}

function listen(server: Server, port: number, bind: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(listenTrouble(error, port, bind, "--s3-port")));
    server.listen(port, bind, resolve);
  });
}
