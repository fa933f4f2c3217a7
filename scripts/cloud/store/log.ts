/**
 * What the store was asked lately, kept in memory: for tests, and to measure what an upload costs on the
 * wire. Holds no secret; nothing of it is reachable over the network.
 */
import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** Requests kept; older ones are forgotten. */
const KEPT = 10_000;

/** One request, once it is over. */
export interface LoggedRequest {
  /** When it began, milliseconds since 1970. */
  readonly at_ms: number;
  readonly duration_ms: number;
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  /** S3 operation; undefined where the request was refused before it was understood. */
  readonly operation: string | undefined;
  /** Whose signature was right; undefined where none was. */
  readonly accessKeyId: string | undefined;
  /** HTTP status; 0 where the connection ended before a reply. */
  readonly status: number;
  /** S3 error code, undefined for a success. */
  readonly code: string | undefined;
  /** Whether the whole reply was handed to the connection. */
  readonly answered: boolean;
  /** Bytes of the request's body read by the store. */
  readonly bodyIn_bytes: number;
  /** HTTP bytes both ways (heads and bodies) since the connection's previous request. */
  readonly httpIn_bytes: number;
  readonly httpOut_bytes: number;
  /** The same as TCP carried them: TLS records, and in a connection's first request the handshake. */
  readonly wireIn_bytes: number;
  readonly wireOut_bytes: number;
  /** Number of the connection, counted from 1. */
  readonly connection: number;
  /** 1 for a connection's first request: above 1, keep-alive worked. */
  readonly requestOnConnection: number;
  readonly tls: {
    /** Whether the handshake resumed an earlier session. */
    readonly resumed: boolean;
    /** "TLSv1.2" or "TLSv1.3". */
    readonly protocol: string;
    /** For instance "TLS_CHACHA20_POLY1305_SHA256". */
    readonly cipher: string;
  };
}

/** A connection, with the bytes it had carried when its last request ended. */
interface Connection {
  readonly number: number;
  readonly raw: Socket;
  tls: LoggedRequest["tls"];
  requests: number;
  httpIn: number;
  httpOut: number;
  wireIn: number;
  wireOut: number;
}

/** The part of an entry that the connection tells. */
export type ConnectionShare = Pick<
  LoggedRequest,
  | "httpIn_bytes"
  | "httpOut_bytes"
  | "wireIn_bytes"
  | "wireOut_bytes"
  | "connection"
  | "requestOnConnection"
  | "tls"
>;

/** Ring of requests, and the byte counts of connections. */
export class RequestLog {
  #entries: LoggedRequest[] = [];
  #connections = 0;
  readonly #handshaking = new Map<string, Connection>();
  readonly #secured = new WeakMap<object, Connection>();
  /** Stands for a connection whose peer was gone before its handshake was seen to end: number 0. */
  readonly #unknown = newConnection(0, new Socket());

  /** Requests that are over, oldest first. */
  get entries(): readonly LoggedRequest[] {
    return this.#entries;
  }

  /** TCP connections accepted so far, those whose handshake failed included. */
  get connections(): number {
    return this.#connections;
  }

  clear(): void {
    this.#entries = [];
  }

  add(entry: LoggedRequest): void {
    this.#entries.push(entry);
    if (this.#entries.length > KEPT) this.#entries.splice(0, this.#entries.length - KEPT);
  }

  /** To be told of every TCP connection before its TLS handshake. */
  accepted(raw: Socket): void {
    this.#connections += 1;
    const peer = peerOf(raw);
    this.#handshaking.set(peer, newConnection(this.#connections, raw));
    raw.once("close", () => this.#handshaking.delete(peer));
  }

  /** To be told of every connection after its handshake. */
  secured(socket: TLSSocket): void {
    const connection = this.#handshaking.get(peerOf(socket));
    if (!connection) return;
    connection.tls = {
      resumed: socket.isSessionReused(),
      protocol: socket.getProtocol() ?? "",
      cipher: socket.getCipher().name,
    };
    this.#secured.set(socket, connection);
  }

  /** A secured connection's number. */
  connectionOf(socket: object): number {
    return this.#of(socket).number;
  }

  /** Takes what a connection has carried since the last call: that is the request that just ended. */
  share(socket: Socket): ConnectionShare {
    const connection = this.#of(socket);
    const before = { ...connection };
    connection.requests += 1;
    connection.httpIn = socket.bytesRead;
    connection.httpOut = socket.bytesWritten;
    connection.wireIn = connection.raw.bytesRead;
    connection.wireOut = connection.raw.bytesWritten;
    return {
      httpIn_bytes: connection.httpIn - before.httpIn,
      httpOut_bytes: connection.httpOut - before.httpOut,
      wireIn_bytes: connection.wireIn - before.wireIn,
      wireOut_bytes: connection.wireOut - before.wireOut,
      connection: connection.number,
      requestOnConnection: connection.requests,
      tls: connection.tls,
    };
  }

  #of(socket: object): Connection {
    return this.#secured.get(socket) ?? this.#unknown;
  }
}

function newConnection(number: number, raw: Socket): Connection {
  const none = { requests: 0, httpIn: 0, httpOut: 0, wireIn: 0, wireOut: 0 };
  return { number, raw, tls: { resumed: false, protocol: "", cipher: "" }, ...none };
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
