/**
 * An HTTP/1.1 client for one origin over the native TLS connection: one request at a time (no pipelining), keep-alive, a
 * deadline for each attempt, bounded responses, bytes counted.
 */
import type { Connection, Native, NativeError, Segment } from "../runtime/native.d.ts";
import { type HttpResponse, type ResponseFault, ResponseReader } from "./http-response.ts";

export interface HttpOrigin {
  readonly host: string;
  readonly port: number;
  readonly caPem: string;
}

export interface HttpRequest {
  readonly method: "PUT" | "GET" | "HEAD";
  /** With query, encoded. */
  readonly path: string;
  /** In order, without content-length. */
  readonly headers: readonly (readonly [string, string])[];
  /** At most 60,000 bytes where it is not a segment. A segment is borrowed until the answer. */
  readonly body: Uint8Array | Segment | null;
}

/** An answer, with the monotonic times of its request. */
export interface HttpAnswer extends HttpResponse {
  /** When the request's first byte could leave. */
  readonly sentUs: number;
  readonly receivedUs: number;
}

/** No answer. */
export interface HttpFailure {
  /** NativeErrorCode; or closed (by the server, in the midst of it), early (a success although not all was sent), slow (deadline passed), malformed, too-large, stopped. */
  readonly failed: NativeError["error"] | ResponseFault | "closed" | "early" | "slow" | "stopped";
  /** One sentence fragment for people. */
  readonly text: string;
  /** Bytes of the request may have reached the server: what became of it is unknown. */
  readonly uncertain: boolean;
  /** The connection was kept from an earlier request and the server closed it without a byte: try again at once. */
  readonly stale: boolean;
}

export interface HttpEvents {
  /** A handshake has succeeded. */
  connected(info: { readonly resumed: boolean }): void;
}

const CONNECT_MS = 20_000;
const WRITE_MAX = 65_536;

interface Pending {
  readonly reader: ResponseReader;
  readonly sentUs: number;
  /** It went out on a connection that had served a request before. */
  readonly reused: boolean;
  readonly timer: number;
  resolve(result: HttpAnswer | HttpFailure): void;
}

export class HttpClient {
  readonly #native: Native;
  readonly #origin: HttpOrigin;
  readonly #events: HttpEvents;
  #connection: Connection | null = null;
  #opened = false;
  #served = 0;
  #pending: Pending | null = null;
  #pastBytesIn = 0;
  #pastBytesOut = 0;

  constructor(native: Native, origin: HttpOrigin, events: HttpEvents) {
    this.#native = native;
    this.#origin = origin;
    this.#events = events;
  }

  /** Bytes on the wire so far, TLS included, of all connections. */
  get wireBytes(): { readonly in: number; readonly out: number } {
    const { wireBytesIn = 0, wireBytesOut = 0 } = this.#connection ?? {};
    return { in: this.#pastBytesIn + wireBytesIn, out: this.#pastBytesOut + wireBytesOut };
  }

  /** Sends a request and resolves with its answer or why there is none; never rejects. One at a time. */
  request(request: HttpRequest, deadlineMs: number): Promise<HttpAnswer | HttpFailure> {
    if (this.#pending !== null) throw new Error("a request is under way");
    const head = this.#head(request);
    return new Promise((resolve) => {
      const connection = this.#connection ?? this.#connect(Math.min(CONNECT_MS, deadlineMs));
      const timer = this.#native.setTimer(deadlineMs, () => this.#tooSlow());
      const reader = new ResponseReader(request.method === "HEAD");
      const sentUs = this.#native.monotonicUs();
      this.#pending = { reader, sentUs, reused: this.#served > 0, timer, resolve };
      connection.write(head);
      const { body } = request;
      if (body instanceof Uint8Array) connection.write(body);
      else if (body !== null) connection.sendSegment(body);
    });
  }

  /** Drops the connection; a request under way fails with `stopped`. The next request connects again. */
  close(): void {
    this.#drop();
    this.#fail("stopped", "the request was stopped");
  }

  #connect(timeoutMs: number): Connection {
    const { host, port, caPem } = this.#origin;
    const connection = this.#native.connect(
      { host, port, caPem, timeoutMs },
      {
        open: ({ resumed }) => {
          if (this.#connection !== connection) return;
          this.#opened = true;
          this.#events.connected({ resumed });
        },
        data: (bytes) => {
          if (this.#connection === connection) this.#data(bytes);
        },
        drain: () => {},
        closed: (error) => {
          if (this.#connection === connection) this.#closed(error);
        },
      },
    );
    this.#connection = connection;
    this.#opened = false;
    this.#served = 0;
    return connection;
  }

  #head({ method, path, headers, body }: HttpRequest): Uint8Array {
    const lines = [`${method} ${path} HTTP/1.1`];
    for (const [name, value] of headers) lines.push(`${name}: ${value}`);
    if (body instanceof Uint8Array) lines.push(`content-length: ${body.length}`);
    else if (body !== null) lines.push(`content-length: ${body.objectBytes}`);
    const head = this.#native.utf8Encode(`${lines.join("\r\n")}\r\n\r\n`);
    const bodyBytes = body instanceof Uint8Array ? body.length : 0;
    if (head.length + bodyBytes > WRITE_MAX) throw new RangeError("request too large");
    return head;
  }

  #data(bytes: Uint8Array): void {
    const pending = this.#pending;
    // Nobody asked: a server that speaks out of turn is not worth keeping.
    if (pending === null) {
      this.#drop();
      return;
    }
    const result = pending.reader.feed(bytes);
    if (typeof result === "string") {
      this.#drop();
      this.#fail(result, `the answer is ${result}`);
    } else if (result !== null) this.#answer(result);
  }

  #answer(response: HttpResponse): void {
    const unsent = (this.#connection?.waitingBytes ?? 0) > 0;
    // An early answer leaves the rest of the body unsent: the connection is of no use any more.
    if (!response.keepAlive || unsent) this.#drop();
    if (unsent && response.status < 300) {
      // Nobody can have stored what was never sent.
      this.#fail("early", "the store said that all is well before it had the whole object");
      return;
    }
    const pending = this.#takePending();
    if (pending === null) return;
    this.#served += 1;
    const { sentUs } = pending;
    pending.resolve({ ...response, sentUs, receivedUs: this.#native.monotonicUs() });
  }

  #closed(error: NativeError | null): void {
    const end = this.#pending?.reader.end();
    this.#drop();
    if (typeof end === "object" && end !== null) this.#answer({ ...end, keepAlive: false });
    else if (error !== null) this.#fail(error.error, error.text);
    else this.#fail("closed", "the store closed the connection");
  }

  #tooSlow(): void {
    this.#drop();
    this.#fail("slow", "the store did not answer in time");
  }

  #fail(failed: HttpFailure["failed"], text: string): void {
    const opened = this.#opened;
    const pending = this.#takePending();
    if (pending === null) return;
    const silent = !pending.reader.started;
    const broken = failed === "closed" || failed === "reset" || failed === "io";
    const stale = pending.reused && silent && broken;
    pending.resolve({ failed, text, uncertain: opened, stale });
  }

  #takePending(): Pending | null {
    const pending = this.#pending;
    this.#pending = null;
    if (pending !== null) this.#native.clearTimer(pending.timer);
    return pending;
  }

  #drop(): void {
    const connection = this.#connection;
    if (connection === null) return;
    this.#connection = null;
    this.#pastBytesIn += connection.wireBytesIn;
    this.#pastBytesOut += connection.wireBytesOut;
    connection.close();
  }
}
