import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type HttpResponse,
  RESPONSE_BODY_BYTES_MAX,
  type ResponseFault,
  ResponseReader,
} from "../../../agent/upload/http-response.ts";
import { check } from "../properties.ts";

const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));

/** Feeds the pieces in order; what the reader says last. */
function read(pieces: readonly string[], noBody = false): HttpResponse | ResponseFault | null {
  const reader = new ResponseReader(noBody);
  let result: HttpResponse | ResponseFault | null = null;
  for (const piece of pieces) result = reader.feed(bytes(piece));
  return result;
}

function complete(text: string, noBody = false): HttpResponse {
  const result = read([text], noBody);
  if (result === null || typeof result === "string") throw new Error(`no response: ${result}`);
  return result;
}

const textOf = (response: HttpResponse) => Buffer.from(response.body).toString("latin1");

test("a body with a length is read, headers by lower-case name", () => {
  const response = complete(
    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\nETag: a\r\nEtag: b\r\n\r\nhello",
  );
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("date"), "Sun, 06 Nov 1994 08:49:37 GMT");
  assert.equal(response.headers.get("etag"), "a");
  assert.equal(textOf(response), "hello");
  assert.equal(response.keepAlive, true);
});

test("a chunked body is joined, trailers passed over", () => {
  const text =
    "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
  assert.equal(textOf(complete(text)), "hello0123456789");
});

test("an answer to HEAD has no body, whatever its length says", () => {
  const response = complete("HTTP/1.1 403 Forbidden\r\nContent-Length: 243\r\n\r\n", true);
  assert.equal(response.status, 403);
  assert.equal(response.body.length, 0);
});

test("204 and 304 have no body", () => {
  for (const status of [204, 304])
    assert.equal(complete(`HTTP/1.1 ${status} X\r\n\r\n`).body.length, 0);
});

test("interim responses are passed over", () => {
  const text =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  const response = complete(text);
  assert.equal(response.status, 200);
  assert.equal(response.headers.has("link"), false);
  assert.equal(textOf(response), "ok");
});

test("a body without a length ends with the connection, which is then of no use", () => {
  const reader = new ResponseReader(false);
  assert.equal(reader.feed(bytes("HTTP/1.1 500 Oops\r\n\r\npart")), null);
  assert.equal(reader.feed(bytes("ial")), null);
  const end = reader.end();
  if (end === null || typeof end === "string") throw new Error(`no response: ${end}`);
  assert.equal(textOf(end), "partial");
  assert.equal(end.keepAlive, false);
});

test("what the server says of the connection is believed", () => {
  const alive = (head: string) => complete(`${head}\r\nContent-Length: 0\r\n\r\n`).keepAlive;
  assert.equal(alive("HTTP/1.1 200 OK"), true);
  assert.equal(alive("HTTP/1.1 200 OK\r\nConnection: close"), false);
  assert.equal(alive("HTTP/1.0 200 OK"), false);
  assert.equal(alive("HTTP/1.0 200 OK\r\nConnection: keep-alive"), true);
});

for (const [what, text] of [
  ["no status line", "hello\r\n\r\n"],
  ["another version of the protocol", "HTTP/2 200\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["a status below 100", "HTTP/1.1 007 OK\r\n\r\n"],
  ["a status above 599", "HTTP/1.1 600 OK\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"],
  ["a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"],
  ["a hexadecimal length", "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello"],
  ["a length with an exponent", "HTTP/1.1 200 OK\r\nContent-Length: 1e1\r\n\r\nhello"],
  ["an empty length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello"],
  ["a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello"],
  [
    "a chunk of negative length",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
  ],
  [
    "no line end behind a chunk",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n",
  ],
  ["a carriage return inside a header", "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n"],
] as const)
  test(`malformed: ${what}`, () => assert.equal(read([text]), "malformed"));

test("endless headers are refused", () => {
  const line = `X-A: ${"a".repeat(1_000)}\r\n`;
  const many = Array.from({ length: 40 }, () => line);
  assert.equal(read(["HTTP/1.1 200 OK\r\n", ...many]), "malformed");
  assert.equal(read(["HTTP/1.1 200 OK\r\n", ...Array(40).fill("a".repeat(1_000))]), "malformed");
});

test("endless interim responses and endless trailers are refused", () => {
  const interim = Array(20_000).fill("HTTP/1.1 100 Continue\r\n\r\n");
  assert.equal(read(interim), "too-large");
  const start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  assert.equal(read([start, ...Array(400).fill(`T: ${"a".repeat(1_000)}\r\n`)]), "too-large");
});

test("a body of 64 KiB is taken, a byte more is not", () => {
  const head = (length: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;
  const full = "x".repeat(RESPONSE_BODY_BYTES_MAX);
  const taken = read([head(full.length), full]);
  assert.ok(taken !== null && typeof taken !== "string" && taken.body.length === full.length);
  assert.equal(read([head(full.length + 1), `${full}y`]), "too-large");
  const chunks = Array(RESPONSE_BODY_BYTES_MAX / 1024 + 1).fill(`400\r\n${"x".repeat(1024)}\r\n`);
  const start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  assert.equal(read([start, ...chunks]), "too-large");
});

test("a connection that ends early is told from a response", () => {
  for (const text of ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"]) {
    const reader = new ResponseReader(false);
    reader.feed(bytes(text));
    assert.equal(reader.end(), null);
  }
});

test("bytes behind a complete response change nothing", () => {
  const two = complete(
    "HTTP/1.1 412 No\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nX-New: 1\r\n\r\nmore",
  );
  assert.equal(two.status, 412);
  assert.equal(two.headers.has("x-new"), false);
  assert.equal(textOf(two), "ok");
  const reader = new ResponseReader(false);
  const first = reader.feed(
    bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 no\r\n\r\n"),
  );
  assert.ok(first !== null && typeof first !== "string" && first.status === 200);
  assert.equal(reader.feed(bytes("more")), first);
  assert.equal(reader.end(), first);
});

test("however a response is cut into pieces, it is read alike", () => {
  const text =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 412 Precondition Failed\r\nTransfer-Encoding: chunked\r\nDate: x\r\n\r\n1f\r\n<Code>PreconditionFailed</Code>\n\r\n0\r\n\r\n";
  const whole = complete(text);
  check(
    fc.property(fc.array(fc.integer({ min: 0, max: text.length })), (cuts) => {
      const sorted = [0, ...[...cuts].sort((a, b) => a - b), text.length];
      const pieces = sorted.slice(1).map((end, i) => text.slice(sorted[i], end));
      assert.deepEqual(read(pieces), whole);
    }),
  );
});
