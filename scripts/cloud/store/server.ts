/**
 * The embedded S3-compatible store: an HTTPS server over a directory.
 *
 * A store of our own rather than a front before another: what cameras and owners need of S3 is small
 * (thirteen operations), and all that makes it worth having is what an existing development store lacks:
 * signatures, policies, conditional puts, life-cycle (s3rver 3.7.1 accepts any secret and anonymous requests,
 * and overwrites; measured). A front would do all of that too, and still need something behind it.
 */
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { KeyedCertificate } from "../ca.ts";
import { listenTrouble } from "../system.ts";
import { type Accounts, defect, Exchange, type ExchangeContext } from "./exchange.ts";
import type { Fault, FaultHook, RequestInfo } from "./faults.ts";
import { sweep } from "./lifecycle.ts";
import { RequestLog } from "./log.ts";
import { ObjectFiles } from "./objects.ts";
import { lifecycleRules } from "./operations.ts";
import type { Stores } from "./request.ts";

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
  /** Told, for the owner of this machine, where the disk is full. */
  readonly onFull: (sentence: string) => void;
}

/** A running store. */
export class StoreServer {
  /** For tests: makes requests fail. */
  faults: FaultHook | undefined;
  readonly log = new RequestLog();
  readonly #options: StoreOptions;
  readonly #stores: Stores;
  readonly #sockets = new Set<Socket>();
  readonly #attempts = new Map<string, number>();
  /** Requests being served. */
  readonly #running = new Set<Promise<void>>();
  #down = new AbortController();
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
    const files = await ObjectFiles.open(rules, options.onFull);
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
    this.#down = new AbortController();
    const context = this.#context();
    const serve = (exchange: Exchange) => {
      const running = exchange.run().finally(() => this.#running.delete(running));
      this.#running.add(running);
    };
    server.on("request", (request, response) => {
      serve(new Exchange(context, request, response, false));
    });
    server.on("checkContinue", (request, response) => {
      serve(new Exchange(context, request, response, true));
    });
    await listen(server, this.#port, this.#options.bind);
    const address: AddressInfo | string | null = server.address();
    if (address === null || typeof address === "string") throw new Error("listening on no port");
    this.#port = address.port;
    this.#server = server;
    const sweep = () => void this.sweep().catch(defect);
    this.#timer = setInterval(sweep, this.#options.sweepEvery_ms).unref();
  }

  /**
   * Stops listening and closes every connection, as a store that is down. What is stored stays, and nothing is written any
   * more once this is over.
   */
  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    clearInterval(this.#timer);
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    this.#down.abort();
    await closed;
    await Promise.all(this.#running);
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

  #context(): ExchangeContext {
    const { accounts, region, now_ms } = this.#options;
    return {
      ...{ accounts, region, now_ms, stores: this.#stores, log: this.log, up: this.#down.signal },
      fault: (request) => this.#faultOf(request),
    };
  }

  #faultOf(request: Omit<RequestInfo, "attempt">): Fault {
    if (!this.faults) {
      this.#attempts.clear();
      return {};
    }
    const name = `${request.method} ${request.bucket}/${request.key}`;
    const attempt = (this.#attempts.get(name) ?? 0) + 1;
    this.#attempts.set(name, attempt);
    return this.faults({ ...request, attempt }) ?? {};
  }
}

function listen(server: Server, port: number, bind: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(listenTrouble(error, port, bind, "--s3-port")));
    server.listen(port, bind, resolve);
  });
}
