/** What the agent uses of http-parser-js 0.5 (github.com/creationix/http-parser-js), typed by hand: its own types need Node's. */

export interface ResponseInfo {
  readonly statusCode: number;
  /** Name, value, name, value, … */
  readonly headers: readonly string[];
  readonly shouldKeepAlive: boolean;
  readonly upgrade: boolean;
}

/** What an event throws comes out of `execute`. */
export interface ResponseEvents {
  /** True: no body follows, whatever the headers say. */
  headers(info: ResponseInfo): boolean;
  /** `length` bytes of `chunk` from `offset`; nothing about them was checked, their sign included. */
  body(chunk: Uint8Array, offset: number, length: number): void;
  /** Also after an interim response (1xx). */
  complete(): void;
}

export interface ResponseParser {
  /** False: these bytes are no HTTP. */
  execute(bytes: Uint8Array): boolean;
  /** The peer closed: completes a body that has no length. */
  finish(): void;
}

export declare function responseParser(
  events: ResponseEvents,
  headerBytesMax: number,
): ResponseParser;
