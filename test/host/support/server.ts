/** TLS servers of Node's on the loopback, with certificates made for them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type net from "node:net";
import type { TestContext } from "node:test";
import tls from "node:tls";
import {
  issueServerCertificate,
  type KeyedCertificate,
  makeAuthority,
  type ServerCertificateRequest,
} from "../../../scripts/cloud/ca.ts";

let shared: Promise<KeyedCertificate> | undefined;

/** The authority that tests trust; made once for a file. */
export function authority(): Promise<KeyedCertificate> {
  shared ??= makeAuthority("host tests");
  return shared;
}

export interface ServerOptions extends tls.TlsOptions {
  /** Default: localhost and 127.0.0.1, valid now, from `authority()`. */
  certificate?: Partial<ServerCertificateRequest>;
  by?: KeyedCertificate;
  address?: string;
}

export interface Server {
  port: number;
  /** Of the authority that signed. */
  caPem: string;
  server: tls.Server;
  /** What `connect` wants, for the given piece of JavaScript. */
  to: { host: string; port: number; caPem: string; timeoutMs: number };
}

/** A server that ends with the test. `serve` gets each connection after its handshake. */
export async function serve(
  t: TestContext,
  options: ServerOptions,
  serve: (socket: tls.TLSSocket) => void,
): Promise<Server> {
  const { certificate, by = await authority(), address = "127.0.0.1", ...rest } = options;
  const request = { names: ["localhost", "127.0.0.1"], ...certificate };
  const { certPem, keyPem } = await issueServerCertificate(by, request);
  const server = tls.createServer({ cert: certPem, key: keyPem, ...rest }, (socket) => {
    socket.on("error", () => undefined);
    serve(socket);
  });
  server.on("tlsClientError", () => undefined);
  const port = await listen(t, server, address);
  const to = { host: "localhost", port, caPem: by.certPem, timeoutMs: 10_000 };
  return { port, caPem: by.certPem, server, to };
}

/** Listens on a free port, and stops with the test, connections included. */
export async function listen(
  t: TestContext,
  server: net.Server,
  address = "127.0.0.1",
): Promise<number> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, address);
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const bound = server.address();
  assert.ok(bound !== null && typeof bound === "object");
  return bound.port;
}

/** Sends back what it gets. */
export function echo(socket: tls.TLSSocket): void {
  socket.pipe(socket);
}
