import assert from "node:assert/strict";
import { test } from "node:test";
import type { NativeError } from "../../../agent/runtime/native.d.ts";
import { ConnectionStream } from "../../../agent/runtime/stream.ts";
import { Writable } from "../../../agent/runtime/vendor/readable-stream.js";
import { createDouble } from "../double/double.ts";
import type { ServerSide } from "../double/network.ts";

function connected() {
  const double = createDouble();
  const heard: { bytes: Uint8Array[]; closed: (NativeError | null)[]; opened: number } = {
    bytes: [],
    closed: [],
    opened: 0,
  };
  const server: { peer: ServerSide | null; received: number; largest: number; closed: boolean } = {
    peer: null,
    received: 0,
    largest: 0,
    closed: false,
  };
  double.network.serve("broker.test", 8883, {
    accept: (peer) => {
      server.peer = peer;
      peer.onData = (bytes) => {
        server.received += bytes.length;
        server.largest = Math.max(server.largest, bytes.length);
      };
      peer.onClose = () => {
        server.closed = true;
      };
    },
  });
  const to = { host: "broker.test", port: 8883, caPem: "", timeoutMs: 1_000 };
  const stream = new ConnectionStream(double.native, to, {
    open: () => {
      heard.opened += 1;
    },
    data: (bytes) => heard.bytes.push(bytes),
    closed: (error) => heard.closed.push(error),
  });
  return { double, stream, heard, server };
}

test("what is written before and after the connection is there arrives, in order and in pieces TLS can take", async () => {
  const { double, stream, heard, server } = connected();
  stream.write(new Uint8Array(10));
  await double.clock.settle();
  assert.equal(heard.opened, 1);
  stream.write(new Uint8Array(40_000));
  await double.clock.settle();
  assert.equal(server.received, 40_010);
  assert.ok(server.largest <= 16_384);
});

test("a peer that does not read never makes the stream break the connection's bound", async () => {
  const { double, stream, server } = connected();
  await double.clock.settle();
  assert.ok(server.peer);
  server.peer.reading = false;
  let refused = 0;
  for (let i = 0; i < 100; i++) if (!stream.write(new Uint8Array(5_000))) refused += 1;
  await double.clock.settle();
  assert.ok(refused > 80, "the writer is told to wait");
  server.peer.reading = true;
  await double.clock.settle();
  assert.equal(server.received, 500_000);
});

test("an end flushes what waits, then closes", async () => {
  const { double, stream, server } = connected();
  await double.clock.settle();
  let closed = 0;
  stream.on("close", () => closed++);
  stream.write(new Uint8Array(100));
  stream.end();
  await double.clock.settle();
  assert.equal(server.received, 100);
  assert.equal(server.closed, true);
  assert.equal(closed, 1);
});

test("a connection that fails says why once and closes the stream without an error event", async () => {
  const { double, stream, heard, server } = connected();
  await double.clock.settle();
  let closed = 0;
  stream.on("close", () => closed++);
  server.peer?.fail("reset");
  await double.clock.settle();
  assert.equal(heard.closed.length, 1);
  assert.equal(heard.closed[0]?.error, "reset");
  assert.equal(closed, 1);
  assert.equal(stream.destroyed, true);
  stream.pause(true);
});

test("after being destroyed from this side the stream is silent", async () => {
  const { double, stream, heard, server } = connected();
  await double.clock.settle();
  server.peer?.write(new Uint8Array(5));
  stream.destroy();
  await double.clock.settle();
  assert.deepEqual(heard.bytes, []);
  assert.deepEqual(heard.closed, []);
  assert.equal(server.closed, true);
});

test("a chunk is handed to the piped side, whose exceptions come back to the giver", async () => {
  const { stream } = connected();
  const seen: number[] = [];
  class Reader extends Writable {
    override _write(bytes: Uint8Array, _encoding: string, done: () => void): void {
      if (bytes[0] === 9) throw new RangeError("cannot take this");
      seen.push(bytes[0] ?? -1);
      done();
    }
  }
  stream.pipe(new Reader({ highWaterMark: 16, emitClose: true }));
  const taken = await new Promise<boolean>((resolve) => {
    assert.equal(
      stream.deliver(Uint8Array.of(1), () => resolve(true)),
      null,
    );
  });
  assert.ok(taken);
  const failed = stream.deliver(Uint8Array.of(9), () => {});
  assert.ok(failed?.thrown instanceof RangeError);
  assert.deepEqual(seen, [1]);
});
