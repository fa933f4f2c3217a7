/**
 * Reads one HTTP/1.1 response (RFC 9112) out of bytes, with bounds. Pure. The grammar is http-parser-js's; what it lets
 * through and we do not (odd lengths, endless headers, big bodies) is refused here.
 */
import { type ResponseInfo, responseParser } from "./vendor/http-parser.js";

export const RESPONSE_HEADER_BYTES_MAX = 16_384;
export const RESPONSE_BODY_BYTES_MAX = 65_536;
/** All of a response with the framing of its chunks and trailers, which the parser gathers without a bound of its own. */
const RESPONSE_BYTES_MAX = 4 * RESPONSE_BODY_BYTES_MAX;

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names; of a repeated header the first. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** The connection may carry another request. */
  readonly keepAlive: boolean;
}

/** Why bytes are no response that we take. */
export type ResponseFault = "malformed" | "too-large";

/** Feeds bytes until a response is complete or they cannot become one. One object for each response. */
export class ResponseReader {
  readonly #parser;
  readonly #noBody: boolean;
  #status = 0;
  #headers = new Map<string, string>();
  #keepAlive = false;
  #body: Uint8Array[] = [];
  #bodyBytes = 0;
  #result: HttpResponse | ResponseFault | null = null;
  #fedBytes = 0;

  /** @param noBody the request was HEAD: whatever Content-Length says, no body follows (RFC 9112, 6.3). */
  constructor(noBody: boolean) {
    this.#noBody = noBody;
    this.#parser = responseParser(
      {
        headers: (info) => this.#takeHead(info),
        body: (chunk, offset, length) => this.#takeBody(chunk, offset, length),
        complete: () => this.#messageEnded(),
      },
      RESPONSE_HEADER_BYTES_MAX,
    );
  }

  /** Any byte has arrived. */
  get started(): boolean {
    return this.#fedBytes > 0;
  }

  /** Takes the next bytes; the response, why there will be none, or `null` while more is needed. */
  feed(bytes: Uint8Array): HttpResponse | ResponseFault | null {
    if (this.#result !== null || bytes.length === 0) return this.#result;
    this.#fedBytes += bytes.length;
    if (this.#fedBytes > RESPONSE_BYTES_MAX) this.#result = "too-large";
    if (this.#result !== null) return this.#result;
    try {
      if (!this.#parser.execute(bytes)) this.#result ??= "malformed";
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#result ??= error.fault;
    }
    return this.#result;
  }

  /** The peer closed: a body without a length ends here; `null` where a response was cut short. */
  end(): HttpResponse | ResponseFault | null {
    if (this.#result !== null) return this.#result;
    if (this.started) this.#parser.finish();
    return this.#result;
  }

  #takeHead(info: ResponseInfo): boolean {
    // What stands behind a complete response is not part of it.
    if (this.#result !== null) return true;
    this.#status = info.statusCode;
    if (this.#status < 100 || this.#status > 599) throw new Fault("malformed");
    this.#keepAlive = info.shouldKeepAlive && !info.upgrade;
    const { headers } = info;
    for (let i = 0; i + 1 < headers.length; i += 2) {
      const name = (headers[i] ?? "").toLowerCase();
      const value = headers[i + 1] ?? "";
      // The parser takes "0x10", "1e3" and "-1" for lengths as well.
      if (name === "content-length" && !/^[0-9]{1,15}$/.test(value)) throw new Fault("malformed");
      if (!this.#headers.has(name)) this.#headers.set(name, value);
    }
    return this.#noBody;
  }

  #takeBody(chunk: Uint8Array, offset: number, length: number): void {
    // A chunk of negative length would make the parser read the same bytes for ever.
    if (!(length >= 0)) throw new Fault("malformed");
    this.#bodyBytes += length;
    if (this.#bodyBytes > RESPONSE_BODY_BYTES_MAX) throw new Fault("too-large");
    this.#body.push(new Uint8Array(chunk.subarray(offset, offset + length)));
  }

  #messageEnded(): void {
    if (this.#result !== null) return;
    if (this.#status < 200) this.#reset();
    else this.#result = this.#complete();
  }

  #reset(): void {
    this.#status = 0;
    this.#headers = new Map();
    this.#body = [];
    this.#bodyBytes = 0;
  }

  #complete(): HttpResponse {
    const body = new Uint8Array(this.#bodyBytes);
    let at = 0;
    for (const part of this.#body) {
      body.set(part, at);
      at += part.length;
    }
    return { status: this.#status, headers: this.#headers, body, keepAlive: this.#keepAlive };
  }
}

/** Thrown through the parser, which hands on what its callbacks throw. */
class Fault extends Error {
  readonly fault: ResponseFault;
  constructor(fault: ResponseFault) {
    super(fault);
    this.fault = fault;
  }
}
