/**
 * One request to the store and its reply.
 *
 * Order of checks: fault hook (tests) → CORS preflight → signature → operation → bucket → policy → the
 * operation's own.
 */

import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { complainOfBug } from "../../build/problem.mjs";
import type { PolicyDocument } from "../policy.ts";
import { allows } from "../policy-check.ts";
import { corsHeaders } from "./cors.ts";
import { errorBody, S3Error } from "./errors.ts";
import { type Fault, faultyBody, faultyReply, type RequestInfo } from "./faults.ts";
import type { RequestLog } from "./log.ts";
import { corsRules, perform } from "./operations.ts";
import type { Reply, Request, Stores } from "./request.ts";
import {
  effectiveHeaders,
  type OperationName,
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

/** What every exchange of a store shares. */
export interface ExchangeContext {
  readonly stores: Stores;
  readonly accounts: Accounts;
  readonly region: string;
  /** The store's clock, milliseconds since 1970. */
  readonly now_ms: () => number;
  readonly log: RequestLog;
  /** Aborted when the store goes down: what only waits is given up then. */
  readonly up: AbortSignal;
  /** How this request is to go wrong; {} for not at all. */
  readonly fault: (request: Omit<RequestInfo, "attempt">) => Fault;
}

/** The connection was closed on purpose; there is nobody to answer. */
class ConnectionCut extends Error {}

/** A request being served. */
export class Exchange {
  readonly #context: ExchangeContext;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #requestId = randomBytes(8).toString("hex").toUpperCase();
  #fault: Fault = {};
  #bucket = "";
  #key = "";
  #operation: OperationName | undefined;
  #accessKeyId: string | undefined;
  #code: string | undefined;
  #body_bytes = 0;
  /** The client waits for "100 Continue" before it sends the body. */
  #awaitsContinue: boolean;

  constructor(
    context: ExchangeContext,
    request: IncomingMessage,
    response: ServerResponse,
    awaitsContinue: boolean,
  ) {
    this.#context = context;
    this.#request = request;
    this.#response = response;
    this.#headers = headerMap(request);
    this.#awaitsContinue = awaitsContinue;
    this.#logWhenOver();
  }

  /** Serves the request to its end. Rejects only for a defect while the reply is being sent. */
  async run(): Promise<void> {
    const response = this.#response;
    response.setHeader("date", new Date(this.#context.now_ms()).toUTCString());
    response.setHeader("x-amz-request-id", this.#requestId);
    let reply: Reply;
    try {
      reply = await this.#answer();
    } catch (error) {
      if (error instanceof ConnectionCut || this.#request.socket.destroyed) return;
      const { status, code, message } = error instanceof S3Error ? error : defect(error);
      this.#code = code;
      const resource = `/${this.#bucket}/${this.#key}`;
      reply = { status, body: errorBody(code, message, resource, this.#requestId) };
    }
    try {
      await this.#send(reply);
    } catch (error) {
      // Closed by the client or by a fault while the reply was on its way: the log has it as unanswered.
      if (!(error instanceof ConnectionCut) && !this.#request.socket.destroyed) throw error;
    }
  }

  async #answer(): Promise<Reply> {
    const target = parseTarget(this.#request.url ?? "");
    const { bucket, key } = splitPath(target.path);
    this.#bucket = bucket;
    this.#key = key;
    const connection = this.#context.log.connectionOf(this.#request.socket);
    const method = this.#request.method ?? "";
    this.#fault = this.#context.fault({ method, bucket, key, headers: this.#headers, connection });
    const { delay_ms } = this.#fault;
    if (delay_ms) await sleep(delay_ms, undefined, { signal: this.#context.up });
    await this.#allowOrigin();
    if (this.#fault.reply) return this.#replyOfFault(this.#fault.reply);
    // A preflight carries no signature, and all it asks for is the headers just set.
    if (method === "OPTIONS") return { status: 200 };
    const reply = await this.#work(method, target);
    if (!this.#fault.loseReply) return reply;
    if (typeof reply.body === "object") reply.body.destroy();
    return this.#cut();
  }

  /** Signature, operation, bucket, policy; then the operation. */
  async #work(method: string, target: Target): Promise<Reply> {
    const { accounts, region, stores } = this.#context;
    const now_ms = this.#context.now_ms();
    const { accessKeyId, bodySha256 } = verify(
      { method, path: target.path, query: target.query, headers: this.#headers },
      { region, now_ms, secretOf: (id) => accounts.find(id)?.secretAccessKey },
    );
    this.#accessKeyId = accessKeyId;
    const call = route(method, target);
    this.#operation = call.operation;
    if (!accounts.buckets().includes(call.bucket)) {
      throw new S3Error("NoSuchBucket", "The specified bucket does not exist");
    }
    const ifNoneMatch = this.#headers.get("if-none-match");
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
    return perform(stores, {
      ...{ call, bodySha256, allowed, now_ms, query: new Map(target.query), body: this.#body() },
      headers: effectiveHeaders(this.#headers, target),
    });
  }

  async #replyOfFault(fault: NonNullable<Fault["reply"]>): Promise<Reply> {
    if (!fault.early) for await (const _ of this.#body());
    this.#code = fault.code;
    const { status, headers = {}, code } = fault;
    const made = code && errorBody(code, "A fault set by a test", "", this.#requestId);
    const body = made ?? fault.body;
    return { status, headers, ...(body === undefined ? {} : { body }) };
  }

  /** Adds CORS headers where the bucket's rules allow; throws AccessForbidden for a preflight they do not. */
  async #allowOrigin(): Promise<void> {
    const headers = this.#headers;
    const { accounts, stores } = this.#context;
    const preflight = this.#request.method === "OPTIONS";
    const origin = headers.get("origin");
    if (origin !== undefined && accounts.buckets().includes(this.#bucket)) {
      const asked = headers.get("access-control-request-headers")?.toLowerCase() ?? "";
      const method = preflight
        ? headers.get("access-control-request-method")
        : this.#request.method;
      const found = corsHeaders(await corsRules(stores, this.#bucket), {
        origin,
        method: method ?? "",
        headers: preflight ? asked.split(/[\s,]+/).filter(Boolean) : [],
      });
      for (const [name, value] of Object.entries(found ?? {}))
        this.#response.setHeader(name, value);
      if (found) return;
    }
    if (preflight) throw new S3Error("AccessForbidden", "This CORS request is not allowed.");
  }

  async *#body(): AsyncGenerator<Uint8Array> {
    if (this.#awaitsContinue) this.#response.writeContinue();
    this.#awaitsContinue = false;
    // Left open where reading ends early: the refusal must still reach the client.
    const pieces: AsyncIterable<Buffer> = this.#request.iterator({ destroyOnReturn: false });
    for await (const bytes of faultyBody(
      pieces,
      this.#fault,
      () => this.#cut(),
      this.#context.up,
    )) {
      this.#body_bytes += bytes.length;
      yield bytes;
    }
  }

  async #send(reply: Reply): Promise<void> {
    const response = this.#response;
    const isHead = this.#request.method === "HEAD";
    const { status, body, headers = {} } = reply;
    response.statusCode = status;
    if (typeof body === "string") {
      response.setHeader("content-type", "application/xml");
      response.setHeader("content-length", Buffer.byteLength(body));
    } else if (body === undefined && !isHead && status !== 204 && status !== 304) {
      response.setHeader("content-length", 0);
    }
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (body === undefined || isHead) {
      response.end();
      return;
    }
    const pieces = typeof body === "string" ? once(Buffer.from(body)) : body;
    await pipeline(
      faultyReply(pieces, this.#fault, () => this.#cut()),
      response,
    );
  }

  #cut(): never {
    this.#request.socket.destroy();
    throw new ConnectionCut();
  }

  #logWhenOver(): void {
    const at_ms = Date.now();
    this.#response.once("close", () => {
      this.#context.log.add({
        at_ms,
        duration_ms: Date.now() - at_ms,
        method: this.#request.method ?? "",
        bucket: this.#bucket,
        key: this.#key,
        operation: this.#operation,
        accessKeyId: this.#accessKeyId,
        status: this.#response.headersSent ? this.#response.statusCode : 0,
        code: this.#code,
        answered: this.#response.writableFinished,
        bodyIn_bytes: this.#body_bytes,
        ...this.#context.log.share(this.#request.socket),
      });
    });
  }
}

/** Says what went wrong where the developer sees it; the client is told only that something did. */
export function defect(error: unknown): S3Error {
  complainOfBug("the store failed", error);
  return new S3Error("InternalError", "We encountered an internal error. Please try again.");
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function headerMap(request: IncomingMessage): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(",") : value);
  }
  return headers;
}
